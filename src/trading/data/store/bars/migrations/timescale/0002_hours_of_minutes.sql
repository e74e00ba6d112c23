-- Hour bars (clock hours, UTC) made of the minute bars: a continuous aggregate, which reads what it
-- has not yet materialized from the minute bars themselves.
CREATE MATERIALIZED VIEW bars_1h_of_1m
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket(INTERVAL '1 hour', at) AS at,
       symbol,
       first(open, bars_1m.at) AS open,
       max(high) AS high,
       min(low) AS low,
       last(close, bars_1m.at) AS close,
       sum(volume) AS volume,
       last(adjusted_close, bars_1m.at) AS adjusted_close
FROM bars_1m
GROUP BY 1, 2
WITH NO DATA;
SELECT add_continuous_aggregate_policy(
    'bars_1h_of_1m',
    start_offset => INTERVAL '7 days',
    end_offset => INTERVAL '1 hour',
    schedule_interval => INTERVAL '1 hour'
);
