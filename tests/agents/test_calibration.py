import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.agents.calibration import Calibration, fit_calibration
from trading.agents.ensemble import combine
from trading.errors import ModelError


def drawn(count: int = 60_000, seed: int = 0):
    """Confidence of which a tenth is worth something: success at .5 + .1 * confidence."""
    random = np.random.default_rng(seed)
    sure = random.random(count)
    return sure, random.random(count) < 0.5 + 0.1 * sure


def test_it_finds_the_probability_behind_the_confidence():
    found = fit_calibration(*drawn(), months=36)
    assert found is not None
    assert (found.scores, found.months) == (60_000, 36)
    grid = np.linspace(0.05, 0.95, 19)
    np.testing.assert_allclose(found.apply(grid), 0.5 + 0.1 * grid, atol=0.02)


def test_it_holds_on_scores_never_seen():
    found = fit_calibration(*drawn(), months=36)
    sure, came = drawn(seed=1)
    stated = found.apply(sure)
    for low, high in ((0.0, 0.53), (0.53, 0.57), (0.57, 1.0)):
        inside = (stated >= low) & (stated < high)
        assert abs(stated[inside].mean() - came[inside].mean()) < 0.02


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.integers(1, 40), share=st.floats(0.0, 1.0))
def test_it_never_falls_and_keeps_near_the_mean(seed, levels, share):
    random = np.random.default_rng(seed)
    sure = random.integers(0, levels, 400) / levels
    came = random.random(400) < share
    found = fit_calibration(sure, came, months=1)
    assert found is not None
    assert (np.diff(found.probability) >= 0.0).all()
    assert found.apply(sure).mean() == pytest.approx(came.mean(), abs=0.05)


def test_few_scores_are_not_calibrated():
    assert fit_calibration([0.5] * 199, [True] * 199, months=1) is None


def test_constant_confidence_is_the_share_of_success():
    found = fit_calibration([0.4] * 300, [True] * 100 + [False] * 200, months=2)
    assert found.apply([0.0, 0.4, 1.0]).tolist() == pytest.approx([1 / 3] * 3)


def test_what_is_missing_stays_missing():
    found = fit_calibration(*drawn(1000), months=2)
    assert np.isnan(found.apply([np.nan, 0.5])).tolist() == [True, False]
    with pytest.raises(ModelError, match="finite confidence"):
        fit_calibration([np.nan] * 300, [True] * 300, months=1)
    with pytest.raises(ModelError, match="finite confidence"):
        fit_calibration([0.1] * 300, [True] * 299, months=1)


def test_it_survives_its_file():
    found = fit_calibration(*drawn(1000), months=2)
    assert Calibration.from_bytes(found.to_bytes()) == found
    falling = json.loads(found.to_bytes()) | {"confidence": [0, 1], "probability": [0.6, 0.4]}
    with pytest.raises(ModelError, match="never fall"):
        Calibration.from_bytes(json.dumps(falling).encode())
    with pytest.raises(ModelError, match="is not a calibration"):
        Calibration.from_bytes(b"{}")


def test_an_ensemble_states_it_for_the_eligible():
    raw = np.random.default_rng(0).standard_normal((3, 50)).astype(np.float32)
    eligible = np.arange(50) < 40
    calibration = Calibration((0.0, 1.0), (0.5, 0.6), 1000, 12)
    plain, sure = combine(raw, eligible), combine(raw, eligible, calibration)
    assert plain.probability is None
    assert np.array_equal(plain.confidence, sure.confidence)
    assert np.isnan(sure.probability[40:]).all()
    np.testing.assert_allclose(sure.probability[:40], 0.5 + 0.1 * plain.confidence[:40])
