from itertools import pairwise

import numpy as np
import pytest

from trading.agents.episodes import episodes, last_row, month_market
from trading.agents.projection import conviction_weights
from trading.agents.reward import hybrid_reward, reward_gradient, slot_credit
from trading.agents.slot_env import ACTION_BOUND, SlotVecEnv
from trading.config import Settings
from trading.errors import DataError
from trading.execution.slippage import CostModel

SETTINGS = Settings()


def make_env(dataset, **arguments):
    return SlotVecEnv(dataset, episodes(dataset), SETTINGS, 0, **{"slots": 20, **arguments})


def play(env, actions):
    env.step_async(actions)
    return env.step_wait()


def test_chains_follow_the_phases_and_stop_where_outcomes_end(planted):
    dataset = planted(0.0, slots=5, months=6, phases=2)
    chains = episodes(dataset)
    assert sorted(len(chain) for chain in chains) == [4, 5]
    for chain in chains:
        assert len({int(dataset.phases[outcome.decision]) for outcome in chain}) == 1
        for here, after in pairwise(chain):
            assert here.end_row == after.fill_row
    assert last_row(chains) < len(dataset.sessions)
    assert {o.decision for c in chains for o in c} == set(np.flatnonzero(dataset.has_outcome))


def test_a_chain_breaks_where_decisions_are_left_out(small):
    chains = episodes(small, [0, 1, 3, 4])
    assert [[o.decision for o in chain] for chain in chains] == [[0, 1], [3, 4]]
    assert last_row(chains) == small.decisions[5] + 1


def test_decisions_without_outcome_or_existence_are_refused(small):
    with pytest.raises(DataError, match="complete outcome"):
        episodes(small, [7])
    with pytest.raises(DataError, match=r"indices 0\.\.7"):
        episodes(small, [8])


def test_observations_refer_to_eligible_slots_and_held_weights(small):
    env = make_env(small)
    first = env.reset()
    assert first.shape == (20, 3)
    assert (first[:, 1] < 30).all()
    assert len(np.unique(first[:, 1])) == 20
    assert (first[:, 2] == 0).all()
    second, _, done, _ = play(env, np.zeros((20, 1), np.float32))
    if not done[0]:
        assert (second[:, 0] == first[:, 0] + 1).all()
        assert second[:, 2].sum() == pytest.approx(1.0, abs=1e-5)


def test_rewards_are_the_credits_of_the_hybrid_reward(small):
    env = make_env(small)
    seen = env.reset()
    actions = np.linspace(-3, 3, 20, dtype=np.float32)[:, None]
    _, rewards, _, _ = play(env, actions)
    outcome = next(o for chain in episodes(small) for o in chain if o.decision == seen[0, 0])
    slots = seen[:, 1].astype(np.int64)
    market = month_market(small, outcome, slots)
    everyone = np.ones(20, bool)
    costs = CostModel.from_settings(SETTINGS.costs)
    target = conviction_weights(actions[:, 0].astype(float) / ACTION_BOUND, everyone)
    holding = market.hold(target, np.zeros(20), costs)
    gradient = reward_gradient(market, target, np.zeros(20), holding, costs, SETTINGS.reward)
    credit, neutral = slot_credit(gradient, target, everyone)
    assert np.abs(neutral / np.sqrt(np.mean(neutral**2))).max() < 5
    np.testing.assert_allclose(rewards, credit * 20 / np.sqrt(np.mean(neutral**2)), rtol=1e-4)
    assert 0.05 < np.abs(rewards).mean() < 5
    assert float(hybrid_reward(holding.net_returns, SETTINGS.reward).value) != 0.0


def test_equal_convictions_earn_nothing(small):
    env = make_env(small)
    env.reset()
    _, rewards, _, _ = play(env, np.full((20, 1), 0.7, np.float32))
    np.testing.assert_allclose(rewards, 0.0, atol=1e-6)


def test_an_episode_ends_terminally_and_restarts_in_cash(small):
    env = make_env(small, horizon=2)
    env.reset()
    random = np.random.default_rng(0)
    for _ in range(20):
        seen, _, done, infos = play(env, random.uniform(-1, 1, (20, 1)).astype(np.float32))
        assert done.all() == done.any()
        if done[0]:
            assert all("TimeLimit.truncated" not in info for info in infos)
            assert all(info["terminal_observation"].shape == (3,) for info in infos)
            assert (seen[:, 2] == 0).all()
            return
    pytest.fail("no episode of at most 2 decisions ended within 20")


def test_slots_that_stop_being_eligible_are_sold_and_not_paid(planted):
    dataset = planted(0.0, slots=30, months=8)
    dataset.eligible[3:, :10] = False
    env = make_env(dataset, slots=30, horizon=8)
    for _ in range(30):
        seen = env.reset()
        while seen[0, 0] < 3:
            seen, _, done, _ = play(env, np.ones((30, 1), np.float32))
            if done[0]:
                break
        if 3 <= seen[0, 0] < 6:
            seen, rewards, _, _ = play(env, np.linspace(-1, 1, 30, dtype=np.float32)[:, None])
            assert (rewards[:10] == 0).all()
            assert (seen[:10, 2] == 0).all()
            return
    pytest.fail("no episode reached a decision after the slots had left")


def test_sampling_is_seeded(small):
    chains = episodes(small)
    runs = [SlotVecEnv(small, chains, SETTINGS, seed, slots=10).reset() for seed in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_tiny_universes_use_all_their_slots(small):
    assert make_env(small, slots=512).num_envs == 30
