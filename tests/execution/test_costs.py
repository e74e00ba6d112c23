"""What a fill costs: each model by hand, and one formula with the month's cost model."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trading.execution.book import MICRO
from trading.execution.costs import Rules, commission_of, slippage_of, value_of, whole_lots
from trading.execution.settings import CommissionSettings, ExecutionSettings, SlippageSettings
from trading.execution.slippage import CostModel

PER_SHARE = {"model": "per_share", "rate": 0.005, "minimum": 1.0}
TWICE = [{"from_shares": 0, "per_share": 0.1}] * 2


def rules(**given: object) -> Rules:
    return Rules.of(ExecutionSettings.model_validate(given))


@given(
    st.floats(1e-3, 1e6),
    st.floats(1.0, 5e3),
    st.one_of(st.just(float("nan")), st.floats(0.0, 1e10)),
    st.one_of(st.just(float("nan")), st.floats(0.0, 1.0)),
)
def test_square_root_slippage_is_the_cost_model(
    shares: float, price: float, dollar_volume: float, volatility: float
) -> None:
    slip = rules(slippage={"model": "square_root", "bps": 7.0, "coefficient": 0.3})
    quantity = int(shares * MICRO)
    model = CostModel(0.0, 7.0, 0.3, 1.0)
    expected = model.rate(quantity / MICRO * price, dollar_volume, volatility)
    found = slippage_of(slip, quantity, price, 1.0, volatility, dollar_volume)
    assert found == pytest.approx(float(expected), rel=1e-12)


def test_slippage_by_hand() -> None:
    shares = 200 * MICRO
    fixed = rules(slippage={"model": "fixed", "bps": 5.0})
    assert slippage_of(fixed, shares, 10.0, 1000.0, np.nan, np.nan) == pytest.approx(0.0005)
    share = rules(slippage={"model": "volume_share", "bps": 5.0, "coefficient": 0.1})
    expected = 0.0005 + 0.1 * 0.2**2
    assert slippage_of(share, shares, 10.0, 1000.0, np.nan, np.nan) == pytest.approx(expected)
    assert slippage_of(share, shares, 10.0, 0.0, np.nan, np.nan) == pytest.approx(0.1005)
    none = rules(slippage={"model": "none", "bps": 5.0})
    assert slippage_of(none, shares, 10.0, 1000.0, np.nan, np.nan) == 0.0


@pytest.mark.parametrize(
    ("model", "shares", "price", "month", "expected"),
    [
        ({"model": "none"}, 100, 10.0, 0, 0.0),
        ({"model": "per_trade", "rate": 4.95}, 100, 10.0, 0, 4.95),
        ({"model": "bps", "rate": 5.0}, 100, 10.0, 0, 0.50),
        ({"model": "bps", "rate": 5.0, "minimum": 1.0}, 100, 10.0, 0, 1.0),
        (PER_SHARE, 1000, 10.0, 0, 5.0),
        (PER_SHARE, 100, 10.0, 0, 1.0),
        # IBKR's fixed pricing: at most 1 % of the trade's value.
        (
            {"model": "per_share", "rate": 0.005, "minimum": 1.0, "maximum_share": 0.01},
            100,
            0.25,
            0,
            0.25,
        ),
    ],
)
def test_commission_by_hand(
    model: dict[str, object], shares: int, price: float, month: int, expected: float
) -> None:
    quantity = shares * MICRO
    charged = commission_of(rules(commission=model), quantity, value_of(quantity, price), month)
    assert charged == round(expected * MICRO)


def test_tiers_are_reached_by_the_shares_before_the_fill() -> None:
    """IBKR's tiered pricing: 0.0035 USD a share up to 300,000 shares a month, then 0.0020."""
    tiers = [{"from_shares": 0, "per_share": 0.0035}, {"from_shares": 300_000, "per_share": 0.002}]
    model = rules(commission={"model": "tiered", "tiers": tiers})
    quantity, value = 1000 * MICRO, 10_000 * MICRO
    assert commission_of(model, quantity, value, 299_999 * MICRO) == 3.5 * MICRO
    assert commission_of(model, quantity, value, 300_000 * MICRO) == 2 * MICRO


@pytest.mark.parametrize(
    "tiers",
    [[], [{"from_shares": 5, "per_share": 0.1}], [{"from_shares": 0, "per_share": 0.1}] * 2],
)
def test_tiers_must_begin_at_zero_and_ascend(tiers: list[dict[str, float]]) -> None:
    with pytest.raises(ValidationError):
        CommissionSettings.model_validate({"model": "tiered", "tiers": tiers})


def test_rates_must_be_finite_and_not_negative() -> None:
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValidationError):
            SlippageSettings(bps=bad)
        with pytest.raises(ValidationError):
            CommissionSettings(rate=bad)


@given(st.floats(-1e9, 1e9), st.sampled_from([1, MICRO]))
def test_lots_are_truncated_toward_zero(quantity: float, lot: int) -> None:
    found = whole_lots(quantity, lot)
    assert found % lot == 0
    assert abs(found) <= abs(quantity) + 1e-9 * lot
    assert abs(quantity) - abs(found) < lot


def test_a_hundred_shares_do_not_become_ninety_nine() -> None:
    assert whole_lots(0.1 * 3 * 1000.0 * MICRO, MICRO) == 300 * MICRO
    assert whole_lots(299.999999999999 * MICRO, MICRO) == 300 * MICRO
