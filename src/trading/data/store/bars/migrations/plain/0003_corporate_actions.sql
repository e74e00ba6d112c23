-- What each bar is adjusted for (no basis: its own day), and the actions that adjust it when read.
ALTER TABLE bars_1d ADD COLUMN basis date;
ALTER TABLE bars_1h ADD COLUMN basis date;
ALTER TABLE bars_1m ADD COLUMN basis date;

CREATE OR REPLACE VIEW bars_1h_of_1m AS
SELECT date_trunc('hour', at, 'UTC') AS at,
       symbol,
       (array_agg(open ORDER BY at))[1] AS open,
       max(high) AS high,
       min(low) AS low,
       (array_agg(close ORDER BY at DESC))[1] AS close,
       sum(volume) AS volume,
       (array_agg(adjusted_close ORDER BY at DESC))[1] AS adjusted_close,
       max(basis) AS basis
FROM bars_1m
GROUP BY 1, 2;

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
