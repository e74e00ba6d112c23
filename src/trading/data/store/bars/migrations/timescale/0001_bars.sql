-- Bars by interval as hypertables; old chunks are compressed by symbol.
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
);
SELECT create_hypertable('bars_1d', 'at', chunk_time_interval => INTERVAL '1 year');
ALTER TABLE bars_1d SET (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'symbol',
    timescaledb.compress_orderby = 'at'
);
SELECT add_compression_policy('bars_1d', INTERVAL '2 years');

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
);
SELECT create_hypertable('bars_1h', 'at', chunk_time_interval => INTERVAL '3 months');
ALTER TABLE bars_1h SET (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'symbol',
    timescaledb.compress_orderby = 'at'
);
SELECT add_compression_policy('bars_1h', INTERVAL '6 months');

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
);
SELECT create_hypertable('bars_1m', 'at', chunk_time_interval => INTERVAL '7 days');
ALTER TABLE bars_1m SET (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'symbol',
    timescaledb.compress_orderby = 'at'
);
SELECT add_compression_policy('bars_1m', INTERVAL '30 days');
