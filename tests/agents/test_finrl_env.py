"""FinRL's arguments, frames and agents on the one simulator, beside FinRL's own environment."""

import importlib
import warnings

import gymnasium.utils.env_checker
import numpy as np
import pandas as pd
import pytest
import stable_baselines3.common.env_checker

from trading.agents.finrl_bridge import load_drl_agent
from trading.agents.finrl_env import FinRLTradingEnv
from trading.errors import DataError

TICS = ("AAA", "BBB", "CCC", "DDD")
DAYS = 30


def frame(seed: int = 0, days: int = DAYS) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    dates = pd.bdate_range("2024-01-02", periods=days).strftime("%Y-%m-%d")
    close = 50.0 * np.exp(np.cumsum(random.normal(0, 0.02, (days, len(TICS))), axis=0))
    rows = {
        "date": np.repeat(dates, len(TICS)),
        "tic": np.tile(TICS, days),
        "close": close.ravel(),
        "volume": 1e6,
        "macd": random.normal(size=close.size),
        "rsi_30": random.uniform(0, 100, close.size),
        "turbulence": np.repeat(np.arange(days, dtype=float), len(TICS)),
    }
    table = pd.DataFrame(rows)
    for name in ("open", "high", "low"):
        table[name] = table["close"]
    table.index = pd.Index(table["date"].factorize()[0])
    return table


def arguments(**changes: object) -> dict:
    size = len(TICS)
    return {
        "df": frame(),
        "stock_dim": size,
        "hmax": 100,
        "initial_amount": 1_000_000,
        "num_stock_shares": [0] * size,
        "buy_cost_pct": [0.001] * size,
        "sell_cost_pct": [0.001] * size,
        "reward_scaling": 1e-4,
        "state_space": 1 + 2 * size + 2 * size,
        "action_space": size,
        "tech_indicator_list": ["macd", "rsi_30"],
    } | changes


def finrls_own(**changes: object):
    load_drl_agent()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = importlib.import_module("finrl.meta.env_stock_trading.env_stocktrading")
        return module.StockTradingEnv(**arguments(**changes))


def test_gymnasium_and_stable_baselines3_accept_it() -> None:
    env = FinRLTradingEnv(**arguments())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Box observation space (minimum|maximum).*")
        gymnasium.utils.env_checker.check_env(env, skip_render_check=True)
    stable_baselines3.common.env_checker.check_env(env)


@pytest.mark.parametrize("cost", [0.0, 0.001])
def test_it_goes_the_way_of_finrls_environment(cost: float) -> None:
    costs = {"buy_cost_pct": [cost] * 4, "sell_cost_pct": [cost] * 4}
    ours, theirs = FinRLTradingEnv(**arguments(**costs)), finrls_own(**costs)
    mine, _ = ours.reset()
    others, _ = theirs.reset()
    np.testing.assert_allclose(mine, others, rtol=1e-6)
    random = np.random.default_rng(1)
    for _ in range(DAYS - 1):
        action = random.uniform(-1, 1, 4).astype(np.float32)
        mine, reward, ended, truncated, _ = ours.step(action)
        others, their_reward, *_ = theirs.step(action)
        assert not ended
        assert not truncated
        tolerance = 1e-6 if cost == 0.0 else 2e-3
        np.testing.assert_allclose(mine[1:5], others[1:5], rtol=1e-6)
        np.testing.assert_allclose(mine[5:9], others[5:9], rtol=tolerance, atol=1.0 if cost else 0)
        np.testing.assert_allclose(mine[9:], others[9:], rtol=1e-6)
        assert reward == pytest.approx(their_reward, abs=1e-3 if cost else 1e-6)
    np.testing.assert_allclose(
        ours.save_asset_memory()["account_value"],
        theirs.save_asset_memory()["account_value"],
        rtol=1e-5,
    )
    traded = ours.save_action_memory()
    assert traded.shape == theirs.save_action_memory().shape
    assert traded.columns.tolist() == list(TICS)
    assert ours.cost == pytest.approx(theirs.cost, rel=1e-2)


def test_the_last_day_only_ends_the_episode() -> None:
    env = FinRLTradingEnv(**arguments(df=frame(days=3)))
    env.reset()
    ends = [env.step(np.ones(4, np.float32))[2] for _ in range(3)]
    assert ends == [False, False, True]


def test_purchases_never_exceed_the_cash_nor_sales_the_shares() -> None:
    env = FinRLTradingEnv(**arguments(hmax=10**6))
    observation, _ = env.reset()
    for action in (1.0, 1.0, -1.0, 1.0):
        observation, *_ = env.step(np.full(4, action, np.float32))
        assert observation[0] >= -1e-2
        assert (observation[5:9] >= 0).all()
    assert observation[5:9].sum() > 0


def test_turbulence_sells_everything() -> None:
    env = FinRLTradingEnv(**arguments(turbulence_threshold=2.0, num_stock_shares=[50] * 4))
    env.reset()
    held = [env.step(np.full(4, 0.5, np.float32))[0][5:9].sum() for _ in range(3)]
    assert held[1] > held[0] > 200 - 1
    assert held[2] == 0.0


def test_a_missing_row_is_carried_and_not_traded() -> None:
    table = frame()
    table = table[~((table["tic"] == "BBB") & (table.index == 2))]
    env = FinRLTradingEnv(**arguments(df=table))
    env.reset()
    for _ in range(3):
        observation, *_ = env.step(np.ones(4, np.float32))
    traded = env.save_action_memory()["BBB"]
    assert traded.iloc[2] == 0.0
    assert (traded.iloc[:2] > 90).all()
    assert np.isfinite(observation).all()


def test_sizes_that_do_not_fit_are_told() -> None:
    with pytest.raises(DataError, match="state_space is 9; .* it is 17"):
        FinRLTradingEnv(**arguments(state_space=9))
    with pytest.raises(DataError, match="stock_dim is 3"):
        FinRLTradingEnv(**arguments(stock_dim=3))
    with pytest.raises(DataError, match="lacks the columns boll"):
        FinRLTradingEnv(**arguments(tech_indicator_list=["boll", "macd"]))
    with pytest.raises(DataError, match="buying must be a fraction"):
        FinRLTradingEnv(**arguments(buy_cost_pct=[-0.1] * 4))
    env = FinRLTradingEnv(**arguments())
    with pytest.raises(DataError, match="one finite number"):
        env.step(np.full(4, np.nan, np.float32))


def test_an_earlier_state_is_taken_up() -> None:
    env = FinRLTradingEnv(**arguments())
    env.reset()
    state = env.step(np.ones(4, np.float32))[0]
    later = FinRLTradingEnv(**arguments(initial=False, previous_state=state.tolist(), day=1))
    np.testing.assert_allclose(later.reset()[0], state, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["a2c", "ppo", "sac"])
def test_finrls_agent_trains_and_predicts(algorithm: str, capsys: pytest.CaptureFixture) -> None:
    parameters = {
        "a2c": {"n_steps": 5},
        "ppo": {"n_steps": 32, "batch_size": 16, "n_epochs": 1},
        "sac": {"learning_starts": 10, "batch_size": 8, "buffer_size": 100},
    }
    env = FinRLTradingEnv(**arguments())
    agent = load_drl_agent()(env=env.get_sb_env()[0])
    model = agent.get_model(algorithm, model_kwargs=parameters[algorithm], seed=0, verbose=0)
    trained = agent.train_model(model, algorithm, total_timesteps=64)
    account, actions = agent.DRL_prediction(trained, FinRLTradingEnv(**arguments(df=frame(7))))
    assert len(account) == DAYS
    assert actions.shape == (DAYS - 1, 4)
    assert np.isfinite(account["account_value"]).all()
    capsys.readouterr()
