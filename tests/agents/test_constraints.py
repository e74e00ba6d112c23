"""Weights that an action asks for, made feasible: limits of exposure and turnover."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.agents.constraints import UNLIMITED, Constraints, feasible_weights
from trading.config import ExposureSettings

LONG = Constraints.from_settings(ExposureSettings())


def feasible(action, eligible=None, held=None, limits: Constraints = LONG) -> np.ndarray:
    action = np.asarray(action, dtype=np.float32)
    target = np.full(len(action), np.nan)
    feasible_weights(
        action,
        np.ones(len(action), bool) if eligible is None else np.asarray(eligible),
        np.zeros(len(action)) if held is None else np.asarray(held, dtype=np.float64),
        limits,
        target,
    )
    return target


def one_way(target: np.ndarray, held: np.ndarray) -> float:
    traded = target - held
    return max(np.maximum(traded, 0).sum(), np.maximum(-traded, 0).sum())


def test_long_only_keeps_what_is_feasible() -> None:
    np.testing.assert_allclose(feasible([0.2, 0.3, 0.0]), [0.2, 0.3, 0.0], rtol=1e-6)
    np.testing.assert_allclose(feasible([1.0, 1.0, 0.0]), [0.5, 0.5, 0.0])
    np.testing.assert_allclose(feasible([-1.0, 0.5, 0.0]), [0.0, 0.5, 0.0])
    np.testing.assert_array_equal(feasible([0.0, 0.0]), [0.0, 0.0])


def test_leverage_and_short_selling_up_to_their_limits() -> None:
    limits = Constraints(gross=1.5, short=0.5, turnover=UNLIMITED)
    np.testing.assert_allclose(feasible([0.9, -0.4], limits=limits), [0.9, -0.4], rtol=1e-6)
    np.testing.assert_allclose(feasible([0.5, -1.0], limits=limits), [0.5, -0.5])
    np.testing.assert_allclose(feasible([1.0, 1.0, -1.0], limits=limits), [0.6, 0.6, -0.3])


def test_turnover_is_limited_but_what_must_go_goes() -> None:
    limits = Constraints(1.0, 0.0, 0.2)
    held = [0.5, 0.5, 0.0]
    np.testing.assert_allclose(feasible([0.0, 0.0, 1.0], None, held, limits), [0.4, 0.4, 0.2])
    gone = feasible([0.0, 0.0, 1.0], [False, True, True], held, limits)
    np.testing.assert_allclose(gone, [0.0, 0.5, 0.0])
    np.testing.assert_allclose(feasible([0.5, 0.4, 0.1], None, held, limits), [0.5, 0.4, 0.1])


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    gross=st.floats(0.2, 3.0),
    short=st.sampled_from([0.0, 0.3, 1.0]),
    turnover=st.sampled_from([0.05, 0.4, UNLIMITED]),
)
def test_every_limit_holds(seed: int, gross: float, short: float, turnover: float) -> None:
    random = np.random.default_rng(seed)
    size = int(random.integers(1, 40))
    limits = Constraints(gross, short, turnover)
    eligible = random.random(size) < 0.7
    held = feasible(random.normal(size=size), None, None, limits._replace(turnover=UNLIMITED))
    target = feasible(random.normal(size=size), eligible, held, limits)
    assert (target[~eligible] == 0).all()
    assert np.abs(target).sum() <= gross + 1e-9
    assert np.maximum(-target, 0).sum() <= short + 1e-9
    if short == 0.0:
        assert (target >= 0).all()
    forced = one_way(np.where(eligible, held, 0.0), held)
    assert one_way(target, held) <= max(turnover, forced) + 1e-9


def test_the_configuration_is_long_only_by_default() -> None:
    assert Constraints(1.0, 0.0, UNLIMITED) == LONG
    settings_ = ExposureSettings(max_gross=2.0, max_short=0.5, max_turnover=0.3)
    assert Constraints.from_settings(settings_) == (2.0, 0.5, 0.3)
    with pytest.raises(ValueError, match="max_turnover"):
        ExposureSettings(max_turnover=0.0)
