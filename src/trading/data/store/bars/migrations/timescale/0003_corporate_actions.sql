-- What each bar is adjusted for (no basis: its own day), and the actions that adjust it when read.
-- A continuous aggregate takes no new column: it is made anew, from minute bars that all stay.
DROP MATERIALIZED VIEW bars_1h_of_1m;
ALTER TABLE bars_1d ADD COLUMN basis date;
ALTER TABLE bars_1h ADD COLUMN basis date;
ALTER TABLE bars_1m ADD COLUMN basis date;

CREATE MATERIALIZED VIEW bars_1h_of_1m
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket(INTERVAL '1 hour', at) AS at,
       symbol,
       first(open, bars_1m.at) AS open,
       max(high) AS high,
       min(low) AS low,
       last(close, bars_1m.at) AS close,
       sum(volume) AS volume,
       last(adjusted_close, bars_1m.at) AS adjusted_close,
       max(basis) AS basis
FROM bars_1m
GROUP BY 1, 2
WITH NO DATA;
SELECT add_continuous_aggregate_policy(
    'bars_1h_of_1m',
    start_offset => INTERVAL '7 days',
    end_offset => INTERVAL '1 hour',
    schedule_interval => INTERVAL '1 hour'
);

-- Every version of every action, in the order they were told; the last told of a day is in force.
CREATE TABLE corporate_actions (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ex_date date NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    type text NOT NULL,
    value double precision,
    told date NOT NULL
);
CREATE INDEX ON corporate_actions (symbol, ex_date);
