"""A cache in front of a store: never an older answer than its own writers left."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest
from bar_examples import make_bars
from real_servers import redis_server

from trading.data.cache import Cache, MemoryCache
from trading.data.cache.redis import RedisCache
from trading.data.store.bars import CachedBars, LakeBars, StoreReport
from trading.data.store.folder import FolderStore
from trading.errors import StoreError
from trading.market.bars import BarInterval, CorporateAction, CorporateActionType

FIRST, LAST = date(2023, 12, 20), date(2024, 1, 12)


class CountedBars(LakeBars):
    """A lake that counts its queries and can fail to store."""

    def __init__(self, folder: Path) -> None:
        super().__init__(FolderStore(folder))
        self.queries = 0
        self.fails = False

    def query(
        self,
        symbols: Sequence[str] | None,
        start: date | datetime,
        end: date | datetime,
        interval: BarInterval = BarInterval.DAY,
        *,
        as_of: date | None = None,
    ) -> pd.DataFrame:
        self.queries += 1
        return super().query(symbols, start, end, interval, as_of=as_of)

    def store(
        self,
        bars: pd.DataFrame,
        interval: BarInterval = BarInterval.DAY,
        *,
        adjusted_through: date | None = None,
    ) -> StoreReport:
        done = super().store(bars, interval, adjusted_through=adjusted_through)
        if self.fails:
            raise StoreError("the answer was lost")
        return done


@pytest.fixture
def source(tmp_path: Path) -> CountedBars:
    return CountedBars(tmp_path / "lake")


def test_the_second_question_is_answered_by_the_cache(source: CountedBars) -> None:
    store = CachedBars(source, MemoryCache())
    store.store(make_bars())
    first = store.query(["S001", "S000"], FIRST, LAST)
    again = store.query(["S000", "S001", "S000"], FIRST, LAST)
    pd.testing.assert_frame_equal(first, again)
    assert source.queries == 1
    assert set(store.query(["S000"], FIRST, LAST)["symbol"]) == {"S000"}
    assert store.query(None, FIRST, LAST, BarInterval.MINUTE).empty
    assert source.queries == 3


@pytest.mark.parametrize("fails", [False, True])
def test_a_store_outdates_every_answer_even_when_it_fails(source: CountedBars, fails: bool) -> None:
    cache: Cache = MemoryCache()
    one, other = CachedBars(source, cache), CachedBars(source, cache)
    one.store(make_bars())
    assert len(other.query(None, FIRST, LAST)) == 48
    source.fails = fails
    changed = make_bars().assign(volume=7.0)
    if fails:
        with pytest.raises(StoreError, match="lost"):
            one.store(changed)
    else:
        one.store(changed)
    pd.testing.assert_frame_equal(other.query(None, FIRST, LAST), changed)


def test_without_redis_answers_come_from_the_source_and_never_from_before_a_store(
    source: CountedBars,
) -> None:
    now = [0.0]
    with redis_server() as server:
        cache = RedisCache.from_url(server.url, pause=5, clock=lambda: now[0])
        store = CachedBars(source, cache)
        store.store(make_bars())
        pd.testing.assert_frame_equal(store.query(None, FIRST, LAST), make_bars())
        # The server is paused, not emptied: it still has the old answer when it comes back.
        changed = make_bars().assign(volume=7.0)
        real, cache._client = cache._client, RedisCache.from_url("unix:///tmp/none")._client
        store.store(changed)
        pd.testing.assert_frame_equal(store.query(None, FIRST, LAST), changed)
        cache._client = real
        now[0] = 6.0
        pd.testing.assert_frame_equal(store.query(None, FIRST, LAST), changed)
        before = source.queries
        pd.testing.assert_frame_equal(store.query(None, FIRST, LAST), changed)
        assert source.queries == before
        cache.close()


def test_an_action_outdates_answers_of_every_interval(source: CountedBars) -> None:
    store = CachedBars(source, MemoryCache())
    bars = make_bars()
    store.store(bars, adjusted_through=date.min)
    before = store.query(["S000"], FIRST, LAST)
    split = CorporateAction("S000", date(2024, 1, 3), CorporateActionType.SPLIT, 2.0)
    assert store.store_actions([split], adjusted_through=LAST) == 1
    after = store.query(["S000"], FIRST, LAST)
    assert after["close"].iloc[0] == before["close"].iloc[0] / 2
    # Another morning is another question.
    early = store.query(["S000"], FIRST, LAST, as_of=date(2024, 1, 3))
    assert early["close"].iloc[0] == before["close"].iloc[0]
    pd.testing.assert_frame_equal(store.query(["S000"], FIRST, LAST), after)
