import numpy as np
import pytest

from trading.agents.algorithms import PPOParameters, parameters_of
from trading.agents.gates import Gates
from trading.agents.policy import SlotPolicy, load_policy
from trading.config import TrainingSettings
from trading.errors import ConfigurationError, ModelError
from trading.features.specification import FEATURES

CONTEXT = 8


def gates(count: int = 4, features: int = len(FEATURES), context: int = CONTEXT) -> Gates:
    random = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype(np.float32)

    return Gates(draw(features, count), draw(context, count), draw(count), draw(count))


def switch() -> SlotPolicy:
    """Hold the first feature where the first context number is high, avoid it where it is low."""
    nothing = np.zeros((len(FEATURES) + 1 + CONTEXT, 1), np.float32)
    loadings = np.zeros((len(FEATURES), 1), np.float32)
    directions = np.zeros((CONTEXT, 1), np.float32)
    loadings[0], directions[0] = 1.0, 3.0
    one = np.ones(1, np.float32)
    return SlotPolicy(
        (nothing,), (np.zeros(1, np.float32),), CONTEXT, Gates(loadings, directions, 0 * one, one)
    )


def test_a_gate_turns_the_sign_of_a_feature_with_the_context():
    policy = switch()
    features = np.random.default_rng(1).uniform(-1, 1, (500, len(FEATURES))).astype(np.float32)
    held, context = np.zeros(500, np.float32), np.zeros(CONTEXT, np.float32)
    for state in (-1.0, 1.0):
        context[0] = state
        scores = policy.score(features, held, context)
        np.testing.assert_allclose(scores, features[:, 0] * np.tanh(3.0 * state), atol=1e-6)


def test_an_extreme_context_is_bounded():
    found = gates().exposures(np.full(CONTEXT, 1e6, np.float32))
    assert np.abs(found).max() <= np.abs(gates().loadings * gates().output).sum(axis=1).max()


def test_gates_survive_their_file():
    policy = switch()
    again = load_policy(policy.to_bytes())
    assert again.to_bytes() == policy.to_bytes()
    bare = SlotPolicy(policy.weights, policy.biases, CONTEXT)
    assert load_policy(bare.to_bytes()).gates is None
    assert bare.hash != policy.hash


def test_gates_that_do_not_fit_are_refused():
    good = gates()
    with pytest.raises(ModelError, match="gates need loadings"):
        Gates(good.loadings, good.directions[:, :3], good.offsets, good.output)
    with pytest.raises(ModelError, match="not finite"):
        Gates(good.loadings * np.nan, good.directions, good.offsets, good.output)
    policy = switch()
    with pytest.raises(ModelError, match="gates are of 5 features"):
        SlotPolicy(policy.weights, policy.biases, CONTEXT, gates(features=5))


def test_hyperparameters_are_overridden_by_name_and_type():
    chosen = TrainingSettings(hyperparameters={"ppo": {"gamma": 0.5, "n_steps": 8.0}})
    found = parameters_of("ppo", chosen)
    assert found == PPOParameters(gamma=0.5, n_steps=8)
    assert isinstance(found.n_steps, int)
    assert parameters_of("a2c", chosen).gamma == 0.2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"momentum": 0.9}, "has momentum; known are"),
        ({"n_steps": 2.5}, "n_steps is 2.5; expected a int"),
        ({"gamma": -0.1}, "not negative"),
    ],
)
def test_hyperparameters_that_no_algorithm_has_are_refused(given, message):
    with pytest.raises(ConfigurationError, match=message):
        parameters_of("ppo", TrainingSettings(hyperparameters={"ppo": given}))


def test_a_switch_is_0_or_1():
    wrong = TrainingSettings(hyperparameters={"a2c": {"normalize_advantage": 2.0}})
    with pytest.raises(ConfigurationError, match="normalize_advantage is"):
        parameters_of("a2c", wrong)
