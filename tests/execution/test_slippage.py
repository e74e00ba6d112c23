import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.config import CostSettings
from trading.errors import DataError
from trading.execution.slippage import PARTICIPATION_CAP, UNKNOWN_VOLATILITY, CostModel

MODEL = CostModel(
    commission_bps=1.0, slippage_bps=5.0, impact_coefficient=0.1, capital_usd=10_000_000.0
)


def test_a_trade_costs_commission_half_spread_and_square_root_impact():
    # 1 % of 10 M USD = 100,000 USD in a name that trades 400,000 USD a day: participation 0.25.
    cost = MODEL.cost([0.01], [400_000.0], [0.02])
    rate = 1e-4 + 5e-4 + 0.1 * 0.02 * 0.5
    assert cost == pytest.approx([0.01 * rate], rel=1e-12)


def test_the_model_is_read_from_the_settings():
    assert CostModel.from_settings(CostSettings()) == MODEL


def test_buying_and_selling_cost_the_same_and_nothing_costs_nothing():
    cost = MODEL.cost([0.01, -0.01, 0.0], [1e6] * 3, [0.02] * 3)
    assert cost[0] == cost[1] > 0.0
    assert cost[2] == 0.0


@pytest.mark.parametrize("volume", [np.nan, 0.0, -5.0, 1.0])
def test_unknown_zero_and_tiny_volume_cost_as_the_cap(volume):
    capped = MODEL.linear_rate + 0.1 * 0.02 * np.sqrt(PARTICIPATION_CAP)
    assert MODEL.cost([0.01], [volume], [0.02]) == pytest.approx([0.01 * capped])


def test_unknown_volatility_costs_more_than_a_usual_one():
    known, unknown = MODEL.cost([0.01, 0.01], [1e6, 1e6], [0.02, np.nan])
    assert unknown > known
    assert unknown == MODEL.cost([0.01], [1e6], [UNKNOWN_VOLATILITY])[0]


def test_a_larger_portfolio_pays_more_of_itself():
    small, large = MODEL.cost(
        np.full((2, 1), 0.01), np.full((2, 1), 1e6), np.full((2, 1), 0.02), np.array([1e6, 1e8])
    )
    assert large > small


def test_a_trade_that_is_not_a_number_is_refused():
    with pytest.raises(DataError, match="not a finite number"):
        MODEL.cost([np.nan], [1e6], [0.02])


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(1e3, 1e12), st.floats(0.0, 0.5))
def test_cost_grows_with_size_and_splitting_a_trade_never_costs_more(a, b, volume, sigma):
    def cost(size: float) -> float:
        return float(MODEL.cost([size], [volume], [sigma])[0])

    assert cost(max(a, b)) >= cost(min(a, b))
    assert cost(a) + cost(b) <= cost(a + b) + 1e-12
