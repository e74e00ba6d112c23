"""The drift check: quiet where months only move as months do, loud where something has changed."""

from collections.abc import Callable

import numpy as np
import pytest

from trading.config import DriftSettings
from trading.errors import ModelError
from trading.monitoring.drift import check_drift
from trading.monitoring.reference import Profile, Reference, Usual
from trading.signals.oversight import DriftSummary

NAMES = ("return_21", "volatility_21", "volume_shock")
MEMBERS = ("member 1", "member 2")
CONTEXT = ("market_return_21", "breadth")
SIZE, MONTHS = 400, 36
SETTINGS = DriftSettings()


def market(seed: int, months: int = MONTHS + 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, scores and context: each month has a level and a width of its own."""
    rng = np.random.default_rng(seed)
    level, width = rng.normal(0, 0.3, (months, 1, 3)), rng.lognormal(0, 0.2, (months, 1, 3))
    features = level + width * rng.normal(size=(months, SIZE, 3))
    return features, rng.normal(size=(months, SIZE, 2)), rng.normal(size=(months, 2))


def checked(
    features: np.ndarray,
    scores: np.ndarray,
    context: np.ndarray,
    settings: DriftSettings = SETTINGS,
) -> DriftSummary:
    """Hold the last month against all the others."""
    everyone = np.ones(features.shape[:2], dtype=bool)
    profile = Profile.of(NAMES, features, everyone)
    scored = Profile.of(MEMBERS, scores, everyone)
    before, now = slice(0, -1), slice(-1, None)
    reference = Reference(
        months=tuple(f"{2000 + i // 12}-{i % 12 + 1:02d}" for i in range(len(features) - 1)),
        features=Usual.of(profile.months(before)),
        scores=Usual.of(scored.months(before)),
        context_names=CONTEXT,
        context=context[before],
    )
    again = Reference.from_bytes(reference.to_bytes())
    assert again.to_bytes() == reference.to_bytes()
    return check_drift(again, profile.months(now), context[-1], scored.months(now), settings)


def test_months_that_move_as_months_do_are_no_warning() -> None:
    warned = [checked(*market(seed)).verdict == "warn" for seed in range(12)]
    assert sum(warned) <= 2


def _shift(features: np.ndarray, scores: np.ndarray, context: np.ndarray) -> None:
    features[-1, :, 0] += 5.0


def _widen(features: np.ndarray, scores: np.ndarray, context: np.ndarray) -> None:
    features[-1, :, 1] *= 8.0


def _stick(features: np.ndarray, scores: np.ndarray, context: np.ndarray) -> None:
    features[-1, :, 2] = 0.1


def _lose(features: np.ndarray, scores: np.ndarray, context: np.ndarray) -> None:
    features[-1, : SIZE // 4, 2] = np.nan


def _lose_all(features: np.ndarray, scores: np.ndarray, context: np.ndarray) -> None:
    features[-1, :, 2] = np.nan


def _flatten(features: np.ndarray, scores: np.ndarray, context: np.ndarray) -> None:
    scores[-1, :, 1] = 0.0


def _crash(features: np.ndarray, scores: np.ndarray, context: np.ndarray) -> None:
    context[-1, 0] = -9.0


def _break(features: np.ndarray, scores: np.ndarray, context: np.ndarray) -> None:
    context[-1, 1] = np.nan


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (_shift, "return_21"),
        (_widen, "volatility_21"),
        (_stick, "volume_shock"),
        (_lose, "volume_shock"),
        (_lose_all, "volume_shock"),
        (_flatten, "member 2"),
        (_crash, "market_return_21"),
        (_break, "breadth"),
    ],
)
def test_what_has_changed_is_named(change: Callable[..., None], name: str) -> None:
    month = market(7)
    assert checked(*month).verdict == "ok"
    change(*month)
    summary = checked(*month)
    assert summary.verdict == "warn"
    assert [finding.name for finding in summary.drifted] == [name]
    assert summary.drifted[0].reason.startswith(f"{name}: ")
    assert DriftSummary.model_validate_json(summary.model_dump_json()) == summary


def test_limits_are_configuration() -> None:
    month = market(7)
    month[0][-1, :, 0] += 5.0
    loose = DriftSettings(psi=1e6, ks=1.0)
    assert checked(*month, settings=loose).verdict == "ok"
    strict = DriftSettings(psi=1e-6, ks=0.0, tolerance=1.0, sigmas=1e-6)
    assert len(checked(*month, settings=strict).drifted) >= 3


def test_a_short_or_foreign_reference_is_no_data() -> None:
    short = checked(*market(1, months=4))
    assert (short.verdict, short.reference_months) == ("no data", 3)
    everyone = np.ones((1, SIZE), dtype=bool)
    features, scores, context = market(1)
    now = Profile.of(NAMES, features[-1:], everyone)
    scored = Profile.of(MEMBERS, scores[-1:], everyone)
    assert check_drift(None, now, context[-1], scored, SETTINGS).verdict == "no data"
    kept = Usual.of(Profile.of(NAMES, features, np.ones(features.shape[:2], dtype=bool)))
    other = Reference(("2000-01",) * 9, kept, kept, CONTEXT, context)
    found = check_drift(other, now, context[-1], scored, SETTINGS)
    assert (found.verdict, "other features or members" in found.reason) == ("no data", True)


def test_a_broken_reference_is_refused() -> None:
    with pytest.raises(ModelError, match="drift reference cannot be read"):
        Reference.from_bytes(b"nothing")
    with pytest.raises(ModelError, match="profile of features cannot be read"):
        Profile.from_bytes(b"nothing")
