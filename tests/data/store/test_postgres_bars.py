"""What only PostgreSQL does: layouts, migrations, partitions, processes that die."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import pytest
from bar_examples import make_bars

from trading.data.store.bars import migration
from trading.data.store.bars.postgres import PostgresBars
from trading.errors import StoreError
from trading.market.bars import BarInterval

FIRST, LAST = date(2023, 12, 20), date(2024, 1, 12)
HERE = Path(__file__).parent
WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from bar_examples import make_bars
from trading.data.store.bars.postgres import PostgresBars
store = PostgresBars.open(sys.argv[2], sys.argv[3])
bars = make_bars(60)
n = 0
print("ready", flush=True)
while True:
    n += 1
    store.store(bars.assign(volume=float(n)))
"""


def _wait_for_its_backend(conninfo: str) -> None:
    """Wait until the server has noticed that the killed writer is gone."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        deadline = time.monotonic() + 60
        while connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'trading' "
            "AND state <> 'idle' AND pid <> pg_backend_pid()"
        ).fetchone():
            assert time.monotonic() < deadline
            time.sleep(0.01)


def timescale_is_installed(conninfo: str) -> bool:
    with psycopg.connect(conninfo) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"
        ).fetchone()
    return found is not None


def test_it_says_which_layout_it_has_and_why(postgres: str, schema: str) -> None:
    store = PostgresBars.open(postgres, schema)
    if timescale_is_installed(postgres):
        assert store.schema.layout == "timescale" or store.schema.reason
    else:
        assert store.schema.layout == "plain"
        assert "does not have the extension TimescaleDB" in store.description
    assert store.description.startswith("PostgreSQL 1")
    store.close()


def test_plain_tables_are_partitioned_and_a_query_reads_only_what_it_needs(
    postgres: str, schema: str
) -> None:
    store = PostgresBars.open(postgres, schema)
    if store.schema.layout != "plain":
        pytest.skip("this server has TimescaleDB, which makes chunks of its own")
    store.store(make_bars())
    with psycopg.connect(postgres) as connection:
        connection.execute(f"SET search_path TO {schema}")
        tables = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits "
            "WHERE inhparent = 'bars_1d'::regclass ORDER BY 1"
        ).fetchall()
        assert tables == [("bars_1d_2023",), ("bars_1d_2024",)]
        plan = connection.execute(
            "EXPLAIN SELECT * FROM bars_1d WHERE at BETWEEN '2024-01-02' AND '2024-01-05'"
        ).fetchall()
    assert not any("bars_1d_2023" in line for (line,) in plan)
    store.close()


def test_processes_that_start_at_once_migrate_once(postgres: str, schema: str) -> None:
    with ThreadPoolExecutor(6) as threads:
        stores = list(threads.map(lambda _: PostgresBars.open(postgres, schema), range(6)))
    assert len({store.schema for store in stores}) == 1
    with psycopg.connect(postgres) as connection:
        applied = connection.execute(f"SELECT version FROM {schema}.migrations ORDER BY 1")
        assert applied.fetchall() == [(1,), (2,), (3,)]
    for store in stores:
        store.close()


def test_an_edited_migration_and_a_newer_schema_are_refused(postgres: str, schema: str) -> None:
    PostgresBars.open(postgres, schema).close()
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"UPDATE {schema}.migrations SET checksum = 'x' WHERE version = 2")
        with pytest.raises(StoreError, match="applied with another text"):
            PostgresBars.open(postgres, schema)
        connection.execute(f"DELETE FROM {schema}.migrations WHERE version >= 2")
        connection.execute(
            f"INSERT INTO {schema}.migrations SELECT n, 'later', 'x', layout, reason "
            f"FROM {schema}.migrations, generate_series(2, 9) AS n WHERE version = 1"
        )
        with pytest.raises(StoreError, match="has schema version 9, this code knows 3"):
            PostgresBars.open(postgres, schema)


def test_both_layouts_have_the_same_migrations() -> None:
    plain, timescale = migration.migrations("plain"), migration.migrations("timescale")
    assert [m.name for m in plain] == [m.name for m in timescale]
    assert [m.version for m in plain] == list(range(1, len(plain) + 1))


@pytest.mark.slow
def test_a_writer_killed_at_any_moment_leaves_all_of_a_call_or_nothing(
    postgres: str, schema: str
) -> None:
    store = PostgresBars.open(postgres, schema)
    store.store(make_bars(60))
    for delay in (0.0, 0.03, 0.07, 0.15):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(HERE.parent), postgres, schema],
            stdout=subprocess.PIPE,
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        _wait_for_its_backend(postgres)
        found = store.query(None, FIRST, LAST)
        assert len(found) == len(make_bars(60))
        volumes = set(found["volume"])
        assert len(volumes) == 1 or found["volume"].equals(make_bars(60)["volume"])
        store.store(make_bars(60))
        pd.testing.assert_frame_equal(store.query(None, FIRST, LAST), make_bars(60))
    store.close()


def test_two_stores_at_once_on_the_same_bars_do_not_deadlock(postgres: str, schema: str) -> None:
    bars = make_bars(80)
    stores = [PostgresBars.open(postgres, schema) for _ in range(2)]

    def write(store: PostgresBars, volume: float) -> None:
        for i in range(4):
            rows = bars if i % 2 else bars.iloc[::-1]
            store.store(rows.assign(volume=volume))

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, stores, (1.0, 2.0)))
    found = stores[0].query(None, FIRST, LAST)["volume"]
    assert len(found) == len(bars)
    assert found.nunique() == 1
    for store in stores:
        store.close()


def test_a_broken_connection_is_opened_again(postgres: str, schema: str) -> None:
    store = PostgresBars.open(postgres, schema)
    store.store(make_bars())
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'trading' AND pid <> pg_backend_pid()"
        )
    pd.testing.assert_frame_equal(store.query(None, FIRST, LAST), make_bars())
    store.close()


def test_a_user_without_rights_is_told_so_and_the_password_is_not(
    postgres: str, schema: str
) -> None:
    PostgresBars.open(postgres, schema).close()
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'canary-7f3'")
    address = postgres.replace("user=postgres", "user=reader password=canary-7f3")
    with pytest.raises(StoreError, match="permission denied") as caught:
        PostgresBars.open(address, schema)
    assert "canary" not in str(caught.value)


def test_hours_are_made_of_minutes(postgres: str, schema: str) -> None:
    store = PostgresBars.open(postgres, schema)
    stamps = np.datetime64("2024-01-02T14:30", "s") + 60 * np.arange(90).astype("timedelta64[s]")
    random = np.random.default_rng(0)
    close = 50 + random.standard_normal(90).cumsum()
    minutes = pd.DataFrame(
        {
            "date": stamps,
            "symbol": pd.Series(["A"] * 90, dtype="str"),
            "open": close - 0.1,
            "high": close + 0.5,
            "low": close - 0.5,
            "close": close,
            "volume": random.integers(1, 100, 90).astype(float),
            "adjusted_close": close,
        }
    )
    store.store(minutes, BarInterval.MINUTE)
    found = store.hours_of_minutes(["A"], date(2024, 1, 2), date(2024, 1, 2))
    hour = minutes.groupby(minutes["date"].dt.floor("h"))
    assert found["date"].tolist() == list(hour.groups)
    for name, how in (("open", "first"), ("high", "max"), ("low", "min"), ("close", "last"),
                      ("volume", "sum")):  # fmt: skip
        np.testing.assert_allclose(found[name], getattr(hour[name], how)())
    store.close()
