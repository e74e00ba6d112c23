import tempfile
from datetime import date

import numpy as np
import pytest
import torch

from trading.agents import training
from trading.agents.algorithms import HYPERPARAMETERS, network_widths
from trading.agents.critic import SlotSACPolicy
from trading.agents.episodes import episodes
from trading.agents.finrl_bridge import load_drl_agent
from trading.agents.network import SlotNetwork, export_policy, load_weights
from trading.agents.policy import SlotPolicy
from trading.agents.slot_env import SlotVecEnv
from trading.agents.training import WarmStart, train_policy
from trading.config import Settings, TrainingSettings
from trading.errors import DataError, ModelError

ALGORITHMS = ("ppo", "a2c", "sac")


def settings_of(slot_steps: int, hidden: tuple[int, ...] = (16, 16)) -> Settings:
    return Settings(training=TrainingSettings(slot_steps=slot_steps, hidden=hidden))


def plant_correlation(policy: SlotPolicy) -> float:
    """Correlation of the score with the planted product, on features never seen."""
    random = np.random.default_rng(99)
    features = random.uniform(-1, 1, (4000, 17)).astype(np.float32)
    scores = policy.score(features, np.full(4000, 0.003, np.float32), np.zeros(8, np.float32))
    return float(np.corrcoef(scores, features[:, 0] * features[:, 1])[0, 1])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_training_twice_gives_identical_weights(small, algorithm):
    first, second, other = (
        train_policy(small, algorithm, seed, settings_of(40_000), None) for seed in (3, 3, 4)
    )
    assert first.policy.to_bytes() == second.policy.to_bytes()
    assert first.log == second.log
    assert first.policy.hash != other.policy.hash


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_exported_policy_scores_as_the_torch_network(small, algorithm):
    env = SlotVecEnv(small, episodes(small), Settings(), 0, slots=20)
    arguments = {"dataset": small, "hidden": (16, 8), "gates": 5}
    model = load_drl_agent()(env).get_model(
        algorithm,
        policy=SlotSACPolicy if algorithm == "sac" else "MlpPolicy",
        policy_kwargs={
            "net_arch": network_widths(algorithm),
            "share_features_extractor": False,
            "features_extractor_class": SlotNetwork,
            "features_extractor_kwargs": arguments,
        },
        model_kwargs=HYPERPARAMETERS[algorithm].model_kwargs(20),
        verbose=0,
        seed=1,
    )
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    seen = np.stack([np.full(40, 2), np.arange(40), np.linspace(0, 0.05, 40)], 1)
    seen = seen.astype(np.float32)
    policy = export_policy(model, small.context.shape[1])
    scores = policy.score(small.features[2], seen[:, 2], small.context[2])
    with torch.no_grad():
        actions = model.policy._predict(torch.from_numpy(seen), deterministic=True).numpy()[:, 0]
    expected = np.tanh(scores) if algorithm == "sac" else scores
    np.testing.assert_allclose(actions, expected, atol=1e-5)

    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.zero_()
    load_weights(model, policy)
    assert export_policy(model, 8).hash == policy.hash


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_warm_start_begins_at_the_given_weights(small, algorithm):
    cold = train_policy(small, algorithm, 0, settings_of(40_000), None)
    start = WarmStart(cold.policy, cold.trained_through)
    warm = train_policy(small, algorithm, 0, settings_of(40_000), None, start)
    other = train_policy(small, algorithm, 1, settings_of(40_000), None)

    def distance(policy: SlotPolicy) -> float:
        return float(np.linalg.norm(policy.weights[0] - cold.policy.weights[0]))

    assert 0 < distance(warm.policy) < 0.5 * distance(other.policy)


def test_warm_start_of_another_shape_is_refused(small):
    start = WarmStart(
        train_policy(small, "ppo", 0, settings_of(16_000), None).policy, date(2020, 1, 1)
    )
    with pytest.raises(ModelError, match="the network has layers and gates"):
        train_policy(small, "ppo", 0, settings_of(16_000, hidden=(8,)), None, start)


def test_lineage_is_asserted():
    policy = SlotPolicy((np.zeros((26, 1), np.float32),), (np.zeros(1, np.float32),), 8)
    start = WarmStart(policy, date(2020, 3, 31))
    start.require_through(date(2020, 3, 31))
    with pytest.raises(ModelError, match="trained through 2020-03-31 cannot start"):
        start.require_through(date(2020, 3, 30))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_nothing_after_the_last_outcome_is_read(small, planted, algorithm):
    other = planted(0.0, slots=40, eligible=30, months=8)
    cut = int(small.decisions[4]) + 2
    other.returns[cut:] = 0.5
    other.features[5:] = 0.5
    other.context[5:] = 0.5
    other.eligible[5:] = False
    policies = [
        train_policy(dataset, algorithm, 0, settings_of(40_000), np.arange(4)).policy.hash
        for dataset in (small, other)
    ]
    assert policies[0] == policies[1]


def test_trained_through_is_the_end_of_the_last_outcome(small):
    trained = train_policy(small, "ppo", 0, settings_of(16_000), np.arange(3))
    assert trained.trained_through == small.sessions[small.decisions[3] + 1].item()
    with pytest.raises(DataError, match="complete outcome"):
        train_policy(small, "ppo", 0, settings_of(16_000), np.array([7]))


@pytest.mark.slow
def test_progress_reaches_the_end(small):
    seen: list[float] = []
    settings = settings_of(300_000)
    trained = train_policy(
        small, "ppo", 0, settings, None, progress=lambda done, _: seen.append(done)
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(trained.log) == len(seen) >= training.LOG_ROWS


def test_training_leaves_no_log_folder_behind(small, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    train_policy(small, "a2c", 0, settings_of(16_000), None)
    assert not list(tmp_path.glob("SB3-*"))


def test_torch_keeps_its_threads(small):
    before = torch.get_num_threads()
    train_policy(small, "ppo", 0, settings_of(16_000), None)
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_a_strong_plant_is_learnt_quickly(planted):
    dataset = planted(0.4, slots=400, months=24)
    trained = train_policy(dataset, "ppo", 0, settings_of(400_000, hidden=(32, 32)), None)
    assert plant_correlation(trained.policy) > 0.6
    assert trained.log[-1].slot_reward > 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    "algorithm",
    ["ppo", *(pytest.param(one, marks=pytest.mark.soak) for one in ALGORITHMS if one != "ppo")],
)
def test_a_faint_interaction_is_learnt_and_noise_is_not(planted, algorithm):
    found = {}
    for information in (0.05, 0.0):
        dataset = planted(information, slots=3600, eligible=3000, months=37, phases=4)
        found[information] = plant_correlation(
            train_policy(dataset, algorithm, 0, Settings(), None).policy
        )
    assert found[0.05] > 0.3
    assert abs(found[0.0]) < 0.2
