-- Bars by interval; partitions are made by the store as bars arrive.
CREATE TABLE bars_1d (
    at date NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    open double precision,
    high double precision,
    low double precision,
    close double precision,
    volume double precision,
    adjusted_close double precision,
    PRIMARY KEY (symbol, at)
) PARTITION BY RANGE (at);

CREATE TABLE bars_1h (
    at timestamptz NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    open double precision,
    high double precision,
    low double precision,
    close double precision,
    volume double precision,
    adjusted_close double precision,
    PRIMARY KEY (symbol, at)
) PARTITION BY RANGE (at);

CREATE TABLE bars_1m (
    at timestamptz NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    open double precision,
    high double precision,
    low double precision,
    close double precision,
    volume double precision,
    adjusted_close double precision,
    PRIMARY KEY (symbol, at)
) PARTITION BY RANGE (at);
