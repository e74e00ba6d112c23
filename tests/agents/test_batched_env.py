"""The batched environment goes the way of the single one, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from trading.agents.batched_env import BatchedPortfolioEnv
from trading.agents.environment import PortfolioEnv
from trading.config import ExposureSettings, Settings
from trading.errors import DataError

SETTINGS = Settings()
LEVERED = Settings(
    exposure=ExposureSettings(max_gross=1.5, max_short=0.3, max_turnover=0.8, delisting_return=-0.3)
)
FIGURES = ("month_return", "sharpe", "drawdown", "turnover", "cost", "decision")


def walk_alone(dataset, setup, chain, actions, kind) -> list[tuple]:
    env = PortfolioEnv(dataset, setup, action=kind)
    seen = [env.reset(options={"chain": chain})[0]]
    steps = []
    for action in actions:
        observation, reward, _, truncated, info = env.step(action)
        seen.append(observation)
        steps.append((reward, *(info[name] for name in FIGURES)))
        if truncated:
            break
    return [np.stack(seen), np.array(steps)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["weights", "convictions"])
@pytest.mark.parametrize("setup", [SETTINGS, LEVERED], ids=["long", "levered"])
@pytest.mark.parametrize("count", [3, 40])
def test_trajectories_are_those_of_the_single_environment(planted, kind, setup, count) -> None:
    dataset = planted(0.0, slots=37, eligible=31, months=6, phases=2)
    dataset.returns[dataset.decisions[4] :, :3] = np.nan
    random = np.random.default_rng(0)
    actions = random.uniform(-1, 1, (6, count, 37)).astype(np.float32)
    chains = random.integers(0, 2, count)
    env = BatchedPortfolioEnv(dataset, setup, count, action=kind)
    env.reset(options={"chain": chains})
    seen, steps, ended = [env.flat()], [], np.zeros(count, dtype=bool)
    for action in actions:
        _, rewards, _, truncated, infos = env.step(action)
        seen.append(env.flat())
        steps.append(np.stack([rewards, *(infos[name] for name in FIGURES)], axis=1))
        ended |= truncated
        if ended.any():
            break
    for b in range(count):
        alone, figures = walk_alone(dataset, setup, int(chains[b]), actions[:, b], kind)
        played = len(steps)
        np.testing.assert_array_equal(np.stack(seen)[: played + 1, b], alone[: played + 1])
        np.testing.assert_array_equal(np.stack(steps)[:, b], figures[:played])


def test_observations_refer_to_the_dataset(small) -> None:
    env = BatchedPortfolioEnv(small, SETTINGS, 4)
    observation, infos = env.reset(seed=3)
    assert env.observation_space.contains(observation)
    assert len(set(infos["chain"])) == 1
    features, held, context = PortfolioEnv(small, SETTINGS).unpack(env.flat()[2])
    decision = observation["decision"][2]
    np.testing.assert_array_equal(features, small.features[decision])
    np.testing.assert_array_equal(context, small.context[decision])
    np.testing.assert_array_equal(held, observation["held"][2])
    observation, *_ = env.step(np.full((4, 40), 1 / 30, np.float32))
    assert env.observation_space.contains(observation)
    assert (observation["held"][:, :30] > 0).all()


def test_portfolios_may_walk_apart_and_are_reset_alone(planted) -> None:
    dataset = planted(0.0, slots=10, months=6, phases=2)
    env = BatchedPortfolioEnv(dataset, SETTINGS, 8, together=False)
    _, infos = env.reset(seed=1)
    assert len(set(infos["chain"])) == 2
    actions = np.full((8, 10), 0.1, np.float32)
    while True:
        _, _, terminated, truncated, _ = env.step(actions)
        assert not terminated.any()
        if truncated.any():
            break
    assert not truncated.all()
    with pytest.raises(ResetNeeded):
        env.step(actions)
    observation, _ = env.reset(options={"reset_mask": truncated})
    assert (observation["held"][truncated] == 0).all()
    assert (observation["held"][~truncated] > 0).any()
    env.step(actions)


def test_seeds_repeat(planted) -> None:
    dataset = planted(0.0, slots=10, months=8, phases=4)
    env = BatchedPortfolioEnv(dataset, SETTINGS, 20, together=False)
    first = env.reset(seed=5)[1]["chain"]
    np.testing.assert_array_equal(first, env.reset(seed=5)[1]["chain"])
    assert not np.array_equal(first, env.reset(seed=6)[1]["chain"])


def test_misuse_is_told(small) -> None:
    env = BatchedPortfolioEnv(small, SETTINGS, 2)
    with pytest.raises(ResetNeeded):
        env.step(np.zeros((2, 40), np.float32))
    env.reset()
    for bad in (np.zeros((3, 40)), np.zeros((2, 39)), np.full((2, 40), np.nan)):
        with pytest.raises(DataError):
            env.step(bad.astype(np.float32))
    with pytest.raises(DataError, match="at least one"):
        BatchedPortfolioEnv(small, SETTINGS, 0)


def test_names_that_leave_are_sold_and_names_that_join_can_be_bought(planted) -> None:
    dataset = planted(0.0, slots=60, months=6)
    eligible = np.ones_like(dataset.eligible)
    eligible[:2, 40:] = False
    eligible[2:, :20] = False
    env = PortfolioEnv(replace(dataset, eligible=eligible), SETTINGS, action="weights")
    env.reset(options={"chain": 0})
    everyone = np.full(60, 1.0, np.float32)
    for decision in range(4):
        observation, _, _, _, info = env.step(everyone)
        held = env.unpack(observation)[1]
        if decision < 2:
            assert (held[:40] > 0).all()
            assert (held[40:] == 0).all()
        else:
            assert (held[:20] == 0).all()
            assert (held[20:] > 0).all()
        if decision == 2:
            assert info["turnover"] == pytest.approx(0.5, abs=0.05)
            assert info["cost"] > 0


@pytest.mark.parametrize("loss", [0.0, -0.3])
def test_names_that_leave_the_market_earn_the_delisting_return(planted, loss: float) -> None:
    dataset = planted(0.0, slots=20, months=5)
    gone = int(dataset.decisions[0]) + 8
    flat = np.zeros_like(dataset.returns)
    flat[gone + 1 :, :10] = np.nan
    setup = Settings(exposure=ExposureSettings(delisting_return=loss))
    env = PortfolioEnv(replace(dataset, returns=flat), setup, action="weights")
    env.reset(options={"chain": 0})
    info = env.step(np.full(20, 0.05, np.float32))[4]
    kept = (1.0 - info["cost"]) * (1.0 + 0.5 * loss)
    assert info["month_return"] == pytest.approx(kept - 1.0, abs=1e-6)
    last = env.step(np.full(20, 0.05, np.float32))[4]
    assert last["month_return"] == pytest.approx(-last["cost"], abs=1e-6)
