"""What can be proved is repaired, to the value it had; everything is recorded and reversible."""

import numpy as np
import pandas as pd
import pytest
from faulty_bars import (
    DIVIDEND,
    SPLIT,
    day_of,
    edit,
    history,
    rows_of,
    scaled,
    with_dividends,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.config import QualitySettings
from trading.data.quality import FindingKind as Kind
from trading.data.repairs import RepairResult, repair_bars, revert
from trading.errors import DataError
from trading.market.bars import CorporateAction

LIMITS = QualitySettings()


@pytest.fixture
def clean() -> pd.DataFrame:
    return history()


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left, right, rtol=1e-9, check_dtype=False)


def reverts(result: RepairResult, bars: pd.DataFrame, actions: list[CorporateAction]) -> None:
    back, before = revert(result)
    pd.testing.assert_frame_equal(back, bars, check_exact=True, check_dtype=False)
    assert list(before) == actions


def test_clean_bars_stay_as_they_are(clean: pd.DataFrame) -> None:
    result = repair_bars(clean, (), LIMITS)
    assert result.repairs == ()
    pd.testing.assert_frame_equal(result.bars, clean, check_exact=True, check_dtype=False)


@pytest.mark.parametrize("factor", [100.0, 0.01])
@pytest.mark.parametrize("span", [slice(100, 101), slice(100, 130), slice(0, 60)])
def test_hundredfold_prices_come_back(clean: pd.DataFrame, factor: float, span: slice) -> None:
    dirty = scaled(clean, rows_of(clean, "S002")[span], factor)
    result = repair_bars(dirty, (), LIMITS)
    same(result.bars, clean)
    assert [(r.kind, r.symbol) for r in result.repairs] == [(Kind.HUNDREDFOLD_PRICE, "S002")]
    reverts(result, dirty, [])


def test_an_error_in_the_last_sessions_is_not_repaired(clean: pd.DataFrame) -> None:
    dirty = scaled(clean, rows_of(clean, "S002")[-2:], 100.0)
    assert repair_bars(dirty, (), LIMITS).repairs == ()


def test_a_fall_to_a_hundredth_with_a_hundredfold_volume_is_a_split(clean: pd.DataFrame) -> None:
    dirty = scaled(clean, rows_of(clean, "S002")[:200], 100.0, 0.01)
    assert repair_bars(dirty, (), LIMITS).repairs == ()


@pytest.mark.parametrize("ratio", [1.5, 2.0, 4.0, 20.0, 0.1, 0.5])
@pytest.mark.parametrize("late", [0, 3])
def test_a_split_not_applied_is_applied(clean: pd.DataFrame, ratio: float, late: int) -> None:
    mine = rows_of(clean, "S003")
    dirty = scaled(clean, mine[:200], ratio, 1 / ratio)
    split = CorporateAction("S003", day_of(clean, mine[200 + late]), SPLIT, ratio)
    result = repair_bars(dirty, [split], LIMITS)
    same(result.bars, clean)
    assert result.repairs[0].kind is Kind.SPLIT_NOT_APPLIED
    reverts(result, dirty, [split])


@pytest.mark.parametrize("ratio", [1.5, 2.0])
@pytest.mark.parametrize("away", [5, 15])
def test_a_fall_near_a_declared_split_is_not_taken_for_it(
    clean: pd.DataFrame, ratio: float, away: int
) -> None:
    mine = rows_of(clean, "S003")
    fallen = scaled(clean, mine[200:], 1 / ratio, 1.0)
    split = CorporateAction("S003", day_of(clean, mine[200 + away]), SPLIT, ratio)
    assert repair_bars(fallen, [split], LIMITS).repairs == ()


def test_a_price_that_halves_and_doubles_near_a_split_is_put_back(clean: pd.DataFrame) -> None:
    mine = rows_of(clean, "S003")
    dirty = scaled(clean, mine[200:203], 0.5, 2.0)
    split = CorporateAction("S003", day_of(clean, mine[210]), SPLIT, 2.0)
    same(repair_bars(dirty, [split], LIMITS).bars, clean)


@pytest.mark.parametrize("ratio", [1.2, 1.25])
def test_a_small_split_shows_in_a_calm_series_only(ratio: float) -> None:
    for volatility, found in ((0.004, 1), (0.03, 0)):
        days = pd.bdate_range("2021-01-04", periods=300)
        draw = np.random.default_rng(4)
        close = 50 * np.exp(np.cumsum(volatility * draw.standard_normal(300)))
        bars = pd.DataFrame({"date": days.astype("datetime64[s]"), "symbol": "A"})
        bars = bars.assign(open=close, high=close, low=close, close=close, volume=1e5)
        bars = bars.assign(adjusted_close=close)
        split = CorporateAction("A", days[150].date(), SPLIT, ratio)
        dirty = scaled(bars, np.arange(150), ratio, 1 / ratio)
        result = repair_bars(dirty, [split], LIMITS)
        assert len(result.repairs) == found
        same(result.bars, bars if found else dirty)


def test_a_split_applied_twice_is_taken_back(clean: pd.DataFrame) -> None:
    mine = rows_of(clean, "S003")
    dirty = scaled(clean, mine[:200], 1 / 4, 4)
    split = CorporateAction("S003", day_of(clean, mine[200]), SPLIT, 4.0)
    same(repair_bars(dirty, [split], LIMITS).bars, clean)


def test_no_split_no_repair(clean: pd.DataFrame) -> None:
    dirty = scaled(clean, rows_of(clean, "S003")[:200], 4.0, 0.25)
    assert repair_bars(dirty, (), LIMITS).repairs == ()


@pytest.mark.parametrize(
    ("told", "kind", "share"),
    [
        (100.0, Kind.DIVIDEND_HUNDREDFOLD, 0.008),
        (0.01, Kind.DIVIDEND_HUNDREDTH, 0.04),
    ],
)
def test_dividends_in_the_wrong_unit_come_back(
    clean: pd.DataFrame, told: float, kind: Kind, share: float
) -> None:
    bars, actions = with_dividends(clean, "S001", [60, 120, 180, 240, 300, 360], share)
    wrong = [
        CorporateAction(a.symbol, a.ex_date, a.type, a.value * told) for a in actions if a.value
    ]
    adjusted = _readjusted(bars, wrong)
    result = repair_bars(adjusted, wrong, LIMITS)
    assert {r.kind for r in result.repairs} == {kind}
    same(result.bars, bars)
    for mine, right in zip(result.actions, actions, strict=True):
        assert mine.value == pytest.approx(right.value)
    reverts(result, adjusted, wrong)


def test_a_missing_adjustment_is_made(clean: pd.DataFrame) -> None:
    bars, actions = with_dividends(clean, "S001", [200], 0.10)
    mine = rows_of(bars, "S001")[:200]
    dirty = edit(
        bars,
        lambda b: b.__setitem__(
            "adjusted_close", b["adjusted_close"].where(~b.index.isin(mine), b["close"])
        ),
    )
    result = repair_bars(dirty, actions, LIMITS)
    assert [r.kind for r in result.repairs] == [Kind.ADJUSTMENT_MISSING]
    same(result.bars, bars)
    reverts(result, dirty, actions)


def test_a_small_dividend_proves_nothing(clean: pd.DataFrame) -> None:
    bars, actions = with_dividends(clean, "S001", [200], 0.005)
    dirty = bars.assign(adjusted_close=bars["close"])
    assert repair_bars(dirty, actions, LIMITS).repairs == ()


def test_a_dividend_told_twice_is_found(clean: pd.DataFrame) -> None:
    bars, actions = with_dividends(clean, "S001", [200], 0.15)
    again = CorporateAction(
        "S001", day_of(bars, rows_of(bars, "S001")[202]), DIVIDEND, actions[0].value
    )
    dirty = _readjusted(bars, [*actions, again])
    result = repair_bars(dirty, [*actions, again], LIMITS)
    assert [r.kind for r in result.repairs] == [Kind.DUPLICATE_DIVIDEND]
    same(result.bars, bars)
    assert [a.value for a in result.actions] == [actions[0].value, 0.0]


def test_rows_without_a_close_stay(clean: pd.DataFrame) -> None:
    mine = rows_of(clean, "S002")
    holes = edit(clean, lambda b: b.__setitem__("close", b["close"].mask(b.index == mine[105])))
    dirty = scaled(holes, mine[100:110], 100.0)
    result = repair_bars(dirty, (), LIMITS)
    assert len(result.bars) == len(clean)
    assert np.isnan(result.bars["close"].iloc[mine[105]])


def test_another_frame_cannot_be_reverted(clean: pd.DataFrame) -> None:
    result = repair_bars(scaled(clean, rows_of(clean, "S002")[5:9], 100.0), (), LIMITS)
    other = RepairResult(result.bars.iloc[20:], result.actions, result.repairs, clean.iloc[:3], ())
    with pytest.raises(DataError, match="no longer"):
        revert(other)


@settings(max_examples=25)
@given(
    start=st.integers(10, 300),
    length=st.integers(1, 60),
    up=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_every_block_of_hundredfold_prices_is_mended_and_reverts(
    start: int, length: int, up: bool, seed: int
) -> None:
    bars = history(2, seed)
    dirty = scaled(bars, rows_of(bars, "S001")[start : start + length], 100.0 if up else 0.01)
    result = repair_bars(dirty, (), LIMITS)
    same(result.bars, bars)
    reverts(result, dirty, [])


def _readjusted(bars: pd.DataFrame, actions: list[CorporateAction]) -> pd.DataFrame:
    """Adjust closes by the actions as told, as a source that believes them does."""
    bars = bars.assign(adjusted_close=bars["close"])
    for action in actions:
        mine = rows_of(bars, action.symbol)
        row = mine[np.searchsorted(bars["date"].iloc[mine], pd.Timestamp(action.ex_date))]
        factor = max(1 - (action.value or 0.0) / float(bars.loc[row - 1, "close"]), 1e-3)
        bars.loc[mine[mine < row], "adjusted_close"] *= factor
    return bars
