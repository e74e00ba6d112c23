import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.agents.policy import BLOCK, FactorPolicy, SlotPolicy, load_policy
from trading.errors import ModelError
from trading.features.specification import FEATURE_NAMES, FEATURES

CONTEXT = 8


def make_policy(seed: int = 0, hidden: tuple[int, ...] = (32, 32)) -> SlotPolicy:
    random = np.random.default_rng(seed)
    widths = (len(FEATURES) + 1 + CONTEXT, *hidden, 1)
    shapes = list(pairwise(widths))
    return SlotPolicy(
        tuple(random.normal(0, 0.4, shape).astype(np.float32) for shape in shapes),
        tuple(random.normal(0, 0.1, shape[1]).astype(np.float32) for shape in shapes),
        CONTEXT,
    )


def make_inputs(rows: int, seed: int = 1):
    random = np.random.default_rng(seed)
    return (
        random.uniform(-1, 1, (rows, len(FEATURES))).astype(np.float32),
        random.uniform(0, 0.04, rows).astype(np.float32),
        random.standard_normal(CONTEXT).astype(np.float32),
    )


def test_nine_batches_equal_one_pass_bit_for_bit():
    policy = make_policy()
    features, held, context = make_inputs(9 * BLOCK)
    whole = policy.score(features, held, context)
    batches = [
        policy.score(features[i : i + BLOCK], held[i : i + BLOCK], context)
        for i in range(0, len(features), BLOCK)
    ]
    assert np.concatenate(batches).tobytes() == whole.tobytes()
    assert np.unique(whole).size > 3000


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 900), seed=st.integers(0, 2**31))
def test_permuting_slots_permutes_scores(rows, seed):
    policy = make_policy(seed % 5)
    features, held, context = make_inputs(rows, seed)
    order = np.random.default_rng(seed).permutation(rows)
    permuted = policy.score(features[order], held[order], context)
    np.testing.assert_allclose(
        permuted, policy.score(features, held, context)[order], rtol=1e-6, atol=1e-6
    )


def test_score_is_the_network_written_out():
    policy = make_policy()
    features, held, context = make_inputs(3)
    for row in range(3):
        layer = np.concatenate([features[row], [held[row] * 50.0], context * 0.25])
        for weight, bias in zip(policy.weights[:-1], policy.biases[:-1], strict=True):
            layer = np.maximum(layer @ weight + bias, 0.0)
        expected = layer @ policy.weights[-1] + policy.biases[-1]
        score = policy.score(features, held, context)[row]
        assert score == pytest.approx(expected[0], rel=1e-4, abs=1e-6)


def test_held_weight_and_context_matter():
    policy = make_policy()
    features, held, context = make_inputs(50)
    base = policy.score(features, held, context)
    assert not np.allclose(base, policy.score(features, held + 0.02, context))
    assert not np.allclose(base, policy.score(features, held, context + 1))


@pytest.mark.parametrize("policy", [make_policy(), FactorPolicy("momentum_252_21", -1)])
def test_round_trip_keeps_bytes_and_scores(policy):
    body = policy.to_bytes()
    again = load_policy(body)
    assert again.to_bytes() == body
    assert again.hash == policy.hash
    inputs = make_inputs(700)
    np.testing.assert_array_equal(again.score(*inputs), policy.score(*inputs))


def test_hash_tells_policies_apart():
    assert make_policy(0).hash != make_policy(1).hash


def test_factor_is_its_signed_feature():
    features, held, context = make_inputs(30)
    column = FEATURE_NAMES.index("rsi_14")
    scores = FactorPolicy("rsi_14", -1).score(features, held, context)
    np.testing.assert_array_equal(scores, -features[:, column])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f, h, c: (f[:, :-1], h, c), "features"),
        (lambda f, h, c: (f, h[:-1], c), "held"),
        (lambda f, h, c: (f, h, c[:-1]), "8 context features"),
        (lambda f, h, c: (np.where(f == f[0, 0], np.nan, f), h, c), "not finite"),
    ],
)
def test_bad_inputs_are_refused(spoil, message):
    with pytest.raises(ModelError, match=message):
        make_policy().score(*spoil(*make_inputs(20)))


def test_broken_policies_are_refused():
    good = make_policy()
    with pytest.raises(ModelError, match="layer 1"):
        SlotPolicy((good.weights[0], good.weights[2]), (good.biases[0], good.biases[2][:0]), 8)
    with pytest.raises(ModelError, match="not finite"):
        SlotPolicy((good.weights[0] * np.nan, *good.weights[1:]), good.biases, 8)
    with pytest.raises(ModelError, match="one score"):
        SlotPolicy(good.weights[:-1], good.biases[:-1], 8)
    with pytest.raises(ModelError, match="no feature"):
        FactorPolicy("astrology", 1)
    with pytest.raises(ModelError, match="sign"):
        FactorPolicy("rsi_14", 0)


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 3000), junk=st.binary(max_size=40))
def test_broken_files_raise_model_error_only(cut, junk):
    body = make_policy().to_bytes()
    for broken in (body[:cut], junk):
        with pytest.raises(ModelError, match="not a policy file"):
            load_policy(broken)


def test_serving_path_imports_neither_torch_nor_pandas():
    code = (
        "import sys; import trading.agents.artifact;"
        "heavy = {'torch','stable_baselines3','gymnasium','finrl','pandas','streamlit'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
