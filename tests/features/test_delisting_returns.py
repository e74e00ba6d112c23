"""What a delisting paid: one return more for who held it, where it is known and nowhere else."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pytest

from trading.config import Settings
from trading.errors import DataError
from trading.features.dataset import Dataset, build_dataset
from trading.features.returns import FinalReturns, bridged_returns, with_delistings
from trading.market.bars import CorporateAction, CorporateActionType
from trading.market.panel import Panel
from trading.universe.constituents import members_for
from trading.universe.slots import allocate

SMALL = Settings.model_validate(
    {
        "universe": {"active": 30, "archive": 6, "padding": 4, "batch": 10},
        "portfolio": {"min_dollar_volume_usd": 1.0},
        "training": {"phases": 1},
    }
)
AS_OF, LEFT = date(2022, 9, 1), 400


def delisting(symbol: str, day: date, final: float | None) -> CorporateAction:
    return CorporateAction(symbol, day, CorporateActionType.DELISTING, final)


def panel_of(*columns: Sequence[float], first: str = "2024-01-02") -> Panel:
    days = np.busday_offset(first, np.arange(len(columns[0])), roll="forward")
    price = np.array(columns, dtype=np.float64).T
    names = tuple(f"N{i}" for i in range(len(columns)))
    return Panel(days, names, *([price] * 4), np.ones_like(price), price)


def day_of(panel: Panel, row: int) -> date:
    day: date = panel.sessions[row].astype(object)
    return day


def test_a_final_return_stands_after_the_last_price() -> None:
    gone = panel_of([10.0, 11.0, 12.0, 13.0], [10.0, 8.0, np.nan, np.nan])
    finals = FinalReturns.of(gone, [delisting("N1", day_of(gone, 3), -0.3)])
    returns = finals.placed(bridged_returns(gone.adjusted_close))
    np.testing.assert_allclose(returns[:, 1], [np.nan, -0.2, -0.3, np.nan])
    np.testing.assert_allclose(returns[:, 0], bridged_returns(gone.adjusted_close)[:, 0])
    assert finals.known(4).tolist() == [False, True]
    # A window of the rows, as the success rate looks at one month.
    window = finals.placed(bridged_returns(gone.adjusted_close[1:]), first=1)
    np.testing.assert_allclose(window[:, 1], [np.nan, -0.3, np.nan])


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(delisting("N1", date(2024, 1, 4), None), id="unknown"),
        pytest.param(delisting("N1", date(2024, 1, 4), float("nan")), id="nan"),
        pytest.param(delisting("N1", date(2024, 1, 3), -0.3), id="a price on its day"),
        pytest.param(delisting("ELSE", date(2024, 1, 4), -0.3), id="another name"),
        pytest.param(
            CorporateAction("N1", date(2024, 1, 4), CorporateActionType.SPLIT, 2.0), id="a split"
        ),
    ],
)
def test_nothing_is_invented(action: CorporateAction) -> None:
    gone = panel_of([10.0, 11.0, 12.0], [10.0, 8.0, np.nan])
    assert not FinalReturns.of(gone, [action]).known(3).any()


def test_a_name_that_trades_again_has_not_ended() -> None:
    again = panel_of([10.0, 8.0, np.nan, 7.0])
    assert not FinalReturns.of(again, [delisting("N0", day_of(again, 2), -0.3)]).known(4).any()


def test_what_is_paid_after_the_last_session_is_not_earned_yet() -> None:
    ends = panel_of([10.0, 11.0], [10.0, 8.0])
    finals = FinalReturns.of(ends, [delisting("N1", date(2024, 1, 4), -1.0)])
    assert not finals.known(2).any()
    assert finals.placed(bridged_returns(ends.adjusted_close))[1, 1] == pytest.approx(-0.2)


@pytest.mark.parametrize("final", [-1.5, float("inf"), float("-inf")])
def test_an_impossible_final_return_is_named(final: float) -> None:
    gone = panel_of([10.0, 8.0, np.nan])
    with pytest.raises(DataError, match="the delisting return .* of N0 cannot be"):
        FinalReturns.of(gone, [delisting("N0", date(2024, 1, 4), final)])


def test_an_assumption_is_made_for_unknown_ones_only() -> None:
    returns = np.zeros((20, 3), dtype=np.float32)
    returns[6:, :2] = np.nan
    returns[6, 0] = -0.6
    assumed = with_delistings(returns, -0.3, ended=np.array([True, False, False]))
    np.testing.assert_allclose(assumed[:8, 0], [0, 0, 0, 0, 0, 0, -0.6, np.nan], rtol=1e-6)
    np.testing.assert_allclose(assumed[6, 1], -0.3)
    assert not np.isfinite(assumed[7:, 1]).any()


@pytest.fixture(scope="module")
def market() -> Panel:
    """480 sessions of 30 names, the first of which has its last price in row 399."""
    rng = np.random.default_rng(3)
    price = 50.0 * np.exp(np.cumsum(0.01 * rng.standard_normal((480, 30)), axis=0))
    price[LEFT:, 0] = np.nan
    days = np.busday_offset("2022-08-31", np.arange(-479, 1), roll="backward")
    volume = np.where(np.isnan(price), np.nan, 1e6)
    names = tuple(f"N{i:02d}" for i in range(30))
    return Panel(days, names, *([price] * 4), volume, price)


def dataset_of(panel: Panel, actions: Sequence[CorporateAction], as_of: date = AS_OF) -> Dataset:
    known = panel.before(as_of)
    members = members_for(known, None, as_of, SMALL.universe)
    slots, _ = allocate(None, members, as_of, SMALL.universe)
    return build_dataset(panel, slots, SMALL, data_hash="d", actions=actions)


def test_the_dataset_has_the_final_return_and_says_so(market: Panel) -> None:
    left = day_of(market, LEFT + 3)
    plain, told = dataset_of(market, []), dataset_of(market, [delisting("N00", left, -0.45)])
    column = told.symbols.index("N00")
    assert told.returns[LEFT, column] == pytest.approx(-0.45)
    assert plain.ended is None
    assert told.ended is not None
    assert np.flatnonzero(told.ended).tolist() == [column]
    # What was known at any decision is what it was.
    np.testing.assert_array_equal(told.features, plain.features)
    np.testing.assert_array_equal(told.eligible, plain.eligible)
    others = np.delete(np.arange(told.returns.shape[1]), column)
    np.testing.assert_array_equal(told.returns[:, others], plain.returns[:, others])
    assert told.content_hash != plain.content_hash
    again = Dataset.from_bytes(told.to_bytes())
    assert again.content_hash == told.content_hash
    assert again.ended is not None
    assert Dataset.from_bytes(plain.to_bytes()).ended is None


def test_before_its_day_nobody_knew_what_it_paid(market: Panel) -> None:
    left = day_of(market, LEFT + 3)
    for as_of, known in ((left, False), (left + timedelta(days=1), True)):
        early = dataset_of(market, [delisting("N00", left, -0.45)], as_of)
        assert (early.ended is not None) is known
        column = early.symbols.index("N00")
        assert np.isfinite(early.returns[LEFT, column]) == known
