"""A session that fails is held but not served, until it passes again or is released."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest
from bar_examples import fetched, make_bars
from faulty_bars import PRICES

from trading.config import Settings
from trading.data.catalog import CATALOG_KEY
from trading.data.lake import Lake
from trading.data.quality import check_session, enforce
from trading.data.store.base import ObjectStore
from trading.errors import DataError
from trading.market.panel import Panel

LAST, BEFORE = date(2024, 1, 12), date(2024, 2, 1)


@pytest.fixture
def many() -> pd.DataFrame:
    return make_bars(100)


def hundredfold(bars: pd.DataFrame, count: int) -> pd.DataFrame:
    """Multiply the last session of the first `count` symbols by 100."""
    bars = bars.copy()
    rows = (bars["date"] == pd.Timestamp(LAST)) & (bars["symbol"] < f"S{count:03d}")
    bars.loc[rows, PRICES] *= 100
    return bars


@pytest.mark.parametrize(("count", "verdict"), [(0, "pass"), (1, "warn"), (2, "fail")])
def test_hundredfold_prices_decide(
    many: pd.DataFrame, lake: Lake, settings: Settings, count: int, verdict: str
) -> None:
    lake.ingest(fetched(hundredfold(many, count)), simulated=False)
    report = check_session(lake, LAST, settings)
    assert (report.hundredfold, report.verdict) == (count, verdict)
    enforce(lake, report)
    assert (LAST in lake.quarantined()) == (verdict == "fail")


def test_a_quarantined_session_is_not_served_and_comes_back(
    many: pd.DataFrame, lake: Lake, settings: Settings
) -> None:
    lake.ingest(fetched(many), simulated=False)
    whole, digest = lake.panel(before=BEFORE), lake.data_hash(BEFORE)
    earlier = lake.data_hash(LAST)
    lake.quarantine(LAST, ["one reason", "another"])
    assert lake.quarantined() == {LAST: "one reason; another"}
    assert lake.sessions()[-1] == np.datetime64("2024-01-11")
    assert lake.panel(before=BEFORE).shape == (whole.shape[0] - 1, 100)
    assert pd.Timestamp(LAST) not in set(lake.bars(None, before=BEFORE)["date"])
    assert lake.data_hash(BEFORE) == earlier
    assert lake.panel(before=BEFORE, judging=LAST).shape == whole.shape
    assert check_session(lake, LAST, settings).verdict == "pass"
    assert lake.release(LAST)
    assert not lake.release(LAST)
    assert lake.data_hash(BEFORE) == digest
    np.testing.assert_array_equal(lake.panel(before=BEFORE).close, whole.close)


def test_a_mended_session_is_released(many: pd.DataFrame, lake: Lake, settings: Settings) -> None:
    lake.ingest(fetched(hundredfold(many, 30)), simulated=False)
    enforce(lake, check_session(lake, LAST, settings))
    assert list(lake.quarantined()) == [LAST]
    lake.ingest(fetched(many[many["date"] == pd.Timestamp(LAST)]), simulated=False)
    assert list(lake.quarantined()) == [LAST]
    enforce(lake, check_session(lake, LAST, settings))
    assert lake.quarantined() == {}
    assert len(lake.manifests()) == 2


def test_a_rebuild_keeps_the_quarantine(many: pd.DataFrame, store: ObjectStore) -> None:
    lake = Lake(store)
    lake.ingest(fetched(many), simulated=False)
    lake.quarantine(LAST, ["bad"])
    store.delete(CATALOG_KEY)
    Lake(store).rebuild()
    assert Lake(store).quarantined() == {LAST: "bad"}


def test_only_what_is_held_can_be_quarantined(
    many: pd.DataFrame, new_lake: Callable[[str], Lake], settings: Settings
) -> None:
    lake = new_lake("one")
    lake.ingest(fetched(many), simulated=False)
    with pytest.raises(DataError, match="holds no session 2030-01-02"):
        lake.quarantine(date(2030, 1, 2), ["bad"])
    with pytest.raises(DataError, match="needs a reason"):
        lake.quarantine(LAST, [" "])
    enforce(lake, check_session(lake, date(2024, 1, 16), settings))
    assert lake.quarantined() == {}


@pytest.mark.parametrize(
    ("field", "value"), [("close", 0.0), ("low", -1.0), ("high", np.inf), ("high", 0.01)]
)
def test_impossible_bars_in_a_panel_are_counted(
    many: pd.DataFrame, settings: Settings, field: str, value: float
) -> None:
    bars = many.copy()
    rows = (bars["date"] == pd.Timestamp(LAST)) & (bars["symbol"] < "S003")
    bars.loc[rows, field] = value
    report = check_session(Panel.from_bars(bars), LAST, settings)
    assert (report.impossible, report.verdict) == (3, "fail")
