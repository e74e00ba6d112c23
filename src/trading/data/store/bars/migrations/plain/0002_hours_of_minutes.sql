-- Hour bars (clock hours, UTC) made of the minute bars whenever they are read.
CREATE VIEW bars_1h_of_1m AS
SELECT date_trunc('hour', at, 'UTC') AS at,
       symbol,
       (array_agg(open ORDER BY at))[1] AS open,
       max(high) AS high,
       min(low) AS low,
       (array_agg(close ORDER BY at DESC))[1] AS close,
       sum(volume) AS volume,
       (array_agg(adjusted_close ORDER BY at DESC))[1] AS adjusted_close
FROM bars_1m
GROUP BY 1, 2;
