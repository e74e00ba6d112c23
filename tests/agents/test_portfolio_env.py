import gymnasium.utils.env_checker
import numpy as np
import pytest
import stable_baselines3.common.env_checker

from trading.agents.environment import PortfolioEnv
from trading.agents.episodes import episodes
from trading.backtest.simulator import simulate
from trading.config import Settings
from trading.errors import DataError
from trading.execution.slippage import CostModel

SETTINGS = Settings()


@pytest.mark.parametrize("action", ["convictions", "weights"])
def test_gymnasium_accepts_it(small, action):
    gymnasium.utils.env_checker.check_env(
        PortfolioEnv(small, SETTINGS, action=action), skip_render_check=True
    )


def test_stable_baselines3_accepts_it(small):
    stable_baselines3.common.env_checker.check_env(PortfolioEnv(small, SETTINGS))


def test_it_has_a_slot_for_every_one_of_the_3600(planted):
    env = PortfolioEnv(planted(0.0, slots=3600, eligible=3000, months=4), SETTINGS)
    observation, _ = env.reset(seed=0)
    features, held, context = env.unpack(observation)
    assert features.shape == (3600, 17)
    assert held.shape == env.action_space.shape == (3600,)
    assert context.shape == (8,)


def test_an_episode_is_one_simulation(small):
    env = PortfolioEnv(small, SETTINGS, action="weights")
    env.reset(options={"chain": 0})
    chain = episodes(small)[0]
    random = np.random.default_rng(0)
    targets, net, costs, turnover = [], [], [], []
    truncated = False
    while not truncated:
        target = np.where(small.eligible[0], random.random(40), 0.0)
        targets.append(np.float32(target / target.sum() * 0.9))
        _, _, terminated, truncated, info = env.step(targets[-1])
        assert not terminated
        net.append(info["net_returns"])
        costs.append(info["cost"])
        turnover.append(info["turnover"])
    rows = [o.decision for o in chain]
    whole = simulate(
        small.returns,
        small.decisions[rows],
        np.array(targets, dtype=np.float64),
        CostModel.from_settings(SETTINGS.costs),
        small.dollar_volume[rows],
        small.volatility[rows],
        end_row=chain[-1].end_row,
    )
    np.testing.assert_allclose(np.concatenate(net), whole.net_returns, rtol=1e-6, atol=5e-8)
    np.testing.assert_allclose(turnover, whole.turnover, rtol=1e-5)
    np.testing.assert_allclose(costs, whole.costs, rtol=1e-5)


def test_reward_is_the_hybrid_of_info(small):
    env = PortfolioEnv(small, SETTINGS)
    env.reset(seed=1)
    _, reward, _, _, info = env.step(env.action_space.sample())
    expected = 0.6 * info["month_return"] + 0.3 * info["sharpe"] - 0.1 * info["drawdown"]
    assert reward == pytest.approx(expected)


def test_slots_that_are_not_eligible_get_no_weight(small):
    env = PortfolioEnv(small, SETTINGS)
    env.reset(seed=2)
    observation, *_ = env.step(np.ones(40, np.float32))
    _, held, _ = env.unpack(observation)
    assert (held[30:] == 0).all()
    assert (held[:30] > 0).all()


def test_the_future_does_not_reach_the_observation(small, planted):
    other = planted(0.0, slots=40, eligible=30, months=8)
    other.returns[small.decisions[3] + 1 :] *= -0.5
    seen = []
    for dataset in (small, other):
        env = PortfolioEnv(dataset, SETTINGS)
        path = [env.reset(options={"chain": 0})[0]]
        path.extend(env.step(np.linspace(-1, 1, 40, dtype=np.float32))[0] for _ in range(2))
        seen.append(np.stack(path))
    np.testing.assert_array_equal(seen[0], seen[1])


def test_actions_that_are_not_finite_are_refused(small):
    env = PortfolioEnv(small, SETTINGS)
    env.reset(seed=0)
    with pytest.raises(DataError, match="not finite"):
        env.step(np.full(40, np.nan, np.float32))
