"""Bars that are copied, configured and asked for as a provider: one answer wherever they lie."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bar_examples import fetched, make_bars
from pydantic import ValidationError
from real_servers import redis_server

from trading.config import BarStoreSettings
from trading.data.lake import Lake
from trading.data.store.bars import (
    CachedBars,
    LakeBars,
    StoredProvider,
    StoreReport,
    copy_bars,
    open_configured_bars,
)
from trading.data.store.bars.postgres import PostgresBars
from trading.data.store.folder import FolderStore
from trading.errors import ConfigurationError, DataError
from trading.market.bars import CorporateAction, CorporateActionType

FIRST, LAST = date(2023, 12, 20), date(2024, 1, 12)
SPLIT = CorporateAction("S001", date(2024, 1, 3), CorporateActionType.SPLIT, 2.0)
PAID = CorporateAction("S000", date(2024, 1, 4), CorporateActionType.DIVIDEND, 0.5)


@pytest.fixture
def objects(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "lake")


@pytest.fixture
def filled(objects: FolderStore) -> Lake:
    """Return a lake of bars as traded, day by day, with a split and a dividend."""
    lake = Lake(objects)
    bars = make_bars().assign(adjusted_close=np.nan)
    for day, rows in bars.groupby("date"):
        due = tuple(a for a in (SPLIT, PAID) if pd.Timestamp(a.ex_date) == day)
        answer = replace(fetched(rows.reset_index(drop=True)), actions=due)
        lake.ingest(answer, simulated=False)
    return lake


def test_a_copy_in_postgres_answers_as_the_lake_does(
    filled: Lake, objects: FolderStore, postgres: str, schema: str
) -> None:
    store = PostgresBars.open(postgres, schema)
    rows = len(filled.bars(None, before=date(2024, 2, 1)))
    assert copy_bars(filled, store, FIRST, LAST) == StoreReport(rows, rows)
    assert copy_bars(filled, store, FIRST, LAST) == StoreReport(rows, 0)
    own = LakeBars(objects)
    for end, as_of in ((LAST, None), (date(2024, 1, 2), None), (date(2024, 1, 2), LAST)):
        pd.testing.assert_frame_equal(
            store.query(None, FIRST, end, as_of=as_of),
            own.query(None, FIRST, end, as_of=as_of),
            rtol=1e-12,
        )
    store.close()


def test_a_quarantined_session_is_not_copied_until_it_is_released(
    filled: Lake, tmp_path: Path
) -> None:
    target = LakeBars(FolderStore(tmp_path / "copy"))
    filled.quarantine(date(2024, 1, 5), ["half of it is missing"])
    copy_bars(filled, target, FIRST, LAST)
    held = target.query(None, date(2024, 1, 5), date(2024, 1, 5))
    assert held.empty
    filled.release(date(2024, 1, 5))
    assert copy_bars(filled, target, FIRST, LAST).written == 3


@pytest.mark.parametrize("cache", ["none", "memory"])
def test_the_configured_store_is_opened(
    filled: Lake, objects: FolderStore, postgres: str, cache: str
) -> None:
    told = BarStoreSettings.model_validate({"cache": cache})
    store = open_configured_bars(told, objects)
    assert isinstance(store, CachedBars) == (cache == "memory")
    assert "Parquet lake at file://" in store.description
    assert len(store.query(["S000"], FIRST, LAST)) == 16
    database = BarStoreSettings.model_validate(
        {"bars": "postgres", "address": "postgresql://" + _as_url(postgres), "cache": cache}
    )
    store = open_configured_bars(database, objects)
    assert "PostgreSQL" in store.description
    assert "partitioned by year and month" in store.description
    store.close()


def test_the_configured_redis_is_asked_with_its_password(
    filled: Lake, objects: FolderStore
) -> None:
    with redis_server("opensesame") as server:
        told = BarStoreSettings.model_validate({"cache": "redis", "cache_address": server.url})
        secret = {"TRADING_REDIS_PASSWORD": "opensesame"}
        store = open_configured_bars(told, objects, environ=secret)
        assert isinstance(store, CachedBars)
        first = store.query(None, FIRST, LAST)
        pd.testing.assert_frame_equal(store.query(None, FIRST, LAST), first)
        assert store.cache.statistics().hits == 1


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"bars": "postgres"}, "needs address"),
        ({"bars": "postgres", "address": "postgresql://u:pw@h/d"}, "PGPASSWORD"),
        ({"cache": "redis", "cache_address": "redis://:pw@h"}, "TRADING_REDIS_PASSWORD"),
        ({"cache_ttl_seconds": 0}, "greater than 0"),
        ({"bars": "mongo"}, "lake"),
    ],
)
def test_settings_that_cannot_be_are_refused(told: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        BarStoreSettings.model_validate(told)


def test_an_address_of_another_kind_is_refused(objects: FolderStore) -> None:
    told = BarStoreSettings.model_validate({"cache": "redis", "cache_address": "http://h"})
    with pytest.raises(ConfigurationError, match="no Redis URL"):
        open_configured_bars(told, objects)


def test_stored_bars_are_a_provider(filled: Lake, objects: FolderStore, tmp_path: Path) -> None:
    provider = StoredProvider(filled, LakeBars(objects))
    assert not provider.simulated
    assert provider.last_session() == LAST
    answer = asyncio.run(provider.fetch(["S000", "S001"], date(2024, 1, 2), date(2024, 1, 5)))
    assert set(answer.bars["symbol"]) == {"S000", "S001"}
    assert answer.actions == (SPLIT, PAID)
    assert answer.report.source == "stored bars (test bars)"
    early = asyncio.run(provider.fetch(None, FIRST, date(2024, 1, 2)))
    assert early.actions == ()
    with pytest.raises(DataError, match="it holds from 2023-12-20 to 2024-01-12"):
        asyncio.run(provider.fetch(["NONE"], FIRST, LAST))
    empty = FolderStore(tmp_path / "nothing")
    with pytest.raises(DataError, match="trading backfill"):
        StoredProvider(Lake(empty), LakeBars(empty))


def _as_url(conninfo: str) -> str:
    """Return libpq's keywords as what follows `postgresql://`."""
    told = dict(part.split("=", 1) for part in conninfo.split())
    user, host = told.pop("user", ""), told.pop("host", "")
    name = told.pop("dbname", "postgres")
    query = "&".join(f"{k}={v}" for k, v in {"host": host, **told}.items())
    return f"{user}@/{name}?{query}"


@pytest.fixture(autouse=True)
def _no_schema_left(postgres: str) -> Iterator[None]:
    """Drop what a store opened by address leaves in the schema of every address."""
    yield
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS trading CASCADE")
