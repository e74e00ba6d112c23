import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.agents.reward import MonthMarket, hybrid_reward, reward_gradient, slot_credit
from trading.config import CostSettings, RewardSettings
from trading.errors import DataError
from trading.execution.slippage import CostModel

COSTS = CostModel.from_settings(CostSettings())
REWARD = RewardSettings()
UNCLIPPED = RewardSettings(sharpe_clip=1000.0)


def make_market(seed: int, slots: int = 12, sessions: int = 21, drift: float = 0.0) -> MonthMarket:
    random = np.random.default_rng(seed)
    returns = random.normal(drift, 0.02, (sessions, slots))
    returns[random.random(returns.shape) < 0.03] = np.nan
    return MonthMarket(
        returns=returns,
        fillable=np.ones(slots, dtype=bool),
        dollar_volume=random.uniform(1e5, 1e8, slots),
        volatility=random.uniform(0.01, 0.05, slots),
    )


def make_weights(seed: int, slots: int = 12, invested: float = 0.9):
    random = np.random.default_rng(seed)
    target, start = random.dirichlet(np.ones(slots), 2) * invested
    return target, start


def value_of(market, target, start, settings) -> float:
    return float(hybrid_reward(market.hold(target, start, COSTS).net_returns, settings).value)


def gradient_of(market, target, start, settings):
    holding = market.hold(target, start, COSTS)
    return reward_gradient(market, target, start, holding, COSTS, settings)


def test_reward_by_hand():
    net = np.array([0.01, -0.02, 0.03])
    reward = hybrid_reward(net, UNCLIPPED)
    monthly = 1.01 * 0.98 * 1.03 - 1
    ratio = net.mean() / net.std(ddof=1) * np.sqrt(252)
    assert float(reward.monthly_return) == pytest.approx(monthly)
    assert float(reward.sharpe) == pytest.approx(ratio)
    assert float(reward.drawdown) == pytest.approx(0.02)
    assert float(reward.value) == pytest.approx(0.6 * monthly + 0.3 * ratio - 0.1 * 0.02)


def test_sharpe_is_clipped_and_flat_returns_have_none():
    assert float(hybrid_reward([0.01, 0.011, 0.012], REWARD).sharpe) == 3.0
    assert float(hybrid_reward([-0.01, -0.011, -0.012], REWARD).sharpe) == -3.0
    assert float(hybrid_reward([0.0, 0.0], REWARD).value) == 0.0
    with pytest.raises(DataError, match="at least one session"):
        hybrid_reward([], REWARD)


def test_batched_rewards_equal_single_ones():
    random = np.random.default_rng(0)
    net = random.normal(0, 0.01, (5, 21))
    batched = hybrid_reward(net, REWARD).value
    np.testing.assert_allclose(batched, [float(hybrid_reward(row, REWARD).value) for row in net])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sessions=st.integers(1, 24),
    drift=st.sampled_from([-0.002, 0.0, 0.002]),
    clip=st.sampled_from([3.0, 1000.0]),
)
def test_gradient_equals_finite_differences(seed, sessions, drift, clip):
    settings_ = RewardSettings(sharpe_clip=clip)
    market = make_market(seed, sessions=sessions, drift=drift)
    target, start = make_weights(seed)
    gradient = gradient_of(market, target, start, settings_)
    step = 1e-6
    for slot in range(0, 12, 3):
        bump = np.zeros(12)
        bump[slot] = step
        above = value_of(market, target + bump, start, settings_)
        below = value_of(market, target - bump, start, settings_)
        assert gradient[slot] == pytest.approx((above - below) / (2 * step), rel=2e-3, abs=2e-4)


def test_batched_gradients_equal_single_ones():
    market = make_market(1)
    pairs = [make_weights(seed) for seed in range(3)]
    target, start = (np.stack(side) for side in zip(*pairs, strict=True))
    batched = gradient_of(market, target, start, REWARD)
    for row in range(3):
        np.testing.assert_allclose(
            batched[row],
            gradient_of(market, target[row], start[row], REWARD),
            rtol=1e-9,
            atol=1e-12,
        )


def test_buying_is_worth_less_by_what_it_costs():
    market = make_market(2)
    target, start = make_weights(2)
    only_return = RewardSettings(return_weight=1.0, sharpe_weight=0.0, drawdown_weight=0.0)
    free = CostModel(0.0, 0.0, 0.0, 1e7)
    flat = CostModel(0.0, 100.0, 0.0, 1e7)
    gross = 1.0 + value_of(market, target, target, only_return)
    gradients = [
        reward_gradient(market, target, start, market.hold(target, start, c), c, only_return)
        for c in (free, flat)
    ]
    paid = 0.01 * np.abs(target - start).sum()
    expected = (1.0 - paid) * gradients[0] - 0.01 * np.sign(target - start) * gross
    np.testing.assert_allclose(gradients[1], expected, rtol=1e-6)


def test_a_name_that_cannot_be_bought_has_no_gradient():
    market = make_market(3)
    fillable = np.ones(12, dtype=bool)
    fillable[[0, 5]] = False
    market = MonthMarket(market.returns, fillable, market.dollar_volume, market.volatility)
    target, start = make_weights(3)
    start[[0, 5]] = 0.0
    gradient = gradient_of(market, target, start, UNCLIPPED)
    assert (gradient[[0, 5]] == 0).all()
    assert (np.delete(gradient, [0, 5]) != 0).all()


def test_a_portfolio_that_lost_everything_has_no_gradient():
    market = make_market(4)
    ruin = np.array(market.returns)
    ruin[3] = -1.0
    market = MonthMarket(ruin, market.fillable, market.dollar_volume, market.volatility)
    target, start = make_weights(4, invested=1.0)
    assert (gradient_of(market, target, start, REWARD) == 0).all()


@pytest.mark.parametrize("seed", range(8))
def test_credit_is_what_leaving_the_slot_at_equal_weight_loses(seed):
    slots = 200
    market = make_market(seed, slots=slots)
    random = np.random.default_rng(seed)
    target = random.dirichlet(np.full(slots, 5.0))
    start = random.dirichlet(np.full(slots, 5.0))
    eligible = np.ones(slots, dtype=bool)
    gradient = gradient_of(market, target, start, UNCLIPPED)
    credit, _ = slot_credit(gradient, target, eligible)
    equal = np.full(slots, 1.0 / slots)
    here = value_of(market, target, start, UNCLIPPED)
    left_out = np.empty(slots)
    for slot in range(slots):
        one = np.zeros(slots)
        one[slot] = 1.0
        without = target - (target[slot] - equal[slot]) * (one - equal)
        left_out[slot] = here - value_of(market, np.maximum(without, 0.0), start, UNCLIPPED)
    assert np.corrcoef(credit, left_out)[0, 1] > 0.99
    assert np.linalg.norm(credit - left_out) < 0.2 * np.linalg.norm(left_out)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 9999))
def test_credits_sum_to_the_first_order_gain_over_equal_weight(seed):
    random = np.random.default_rng(seed)
    eligible = random.random(20) < 0.7
    eligible[0] = True
    gradient = random.standard_normal(20)
    weights = np.where(eligible, random.random(20), 0.0)
    weights /= weights.sum()
    credit, neutral = slot_credit(gradient, weights, eligible)
    equal = eligible / eligible.sum()
    assert credit.sum() == pytest.approx(float(gradient @ (weights - equal)), abs=1e-12)
    assert (credit[~eligible] == 0).all()
    assert neutral.sum() == pytest.approx(0.0, abs=1e-12)
