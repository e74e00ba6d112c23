"""Hard limits on a target portfolio: each check passes, resizes the portfolio or rejects it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from trading.config import PortfolioSettings
from trading.errors import DataError

FloatArray = npt.NDArray[np.float64]

ROUNDING = 1e-9


class Outcome(StrEnum):
    """What a check did."""

    PASSED = "passed"
    RESIZED = "resized"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """One limit: the value that was met, the limit, what was done and why, in one sentence."""

    name: str
    value: float
    limit: float
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class LimitedPortfolio:
    """Target weights `(S,)` within the limits, and the checks in the order they were made.

    A rejected portfolio has no weights at all: it must not be traded.
    """

    weights: FloatArray
    checks: tuple[LimitCheck, ...]

    @property
    def accepted(self) -> bool:
        """Whether no check rejected the portfolio."""
        return all(check.outcome is not Outcome.REJECTED for check in self.checks)


def enforce_limits(
    target: npt.ArrayLike,
    held: npt.ArrayLike,
    symbols: Sequence[str],
    dollar_volume: npt.ArrayLike,
    settings: PortfolioSettings,
    *,
    nav_usd: float,
    min_names: int = 1,
) -> LimitedPortfolio:
    """Check a target portfolio, resize it to the limits, or reject it.

    Parameters
    ----------
    target, held : (S,) weights wanted and held now
    symbols : S names; "" is an empty slot, which can hold nothing
    dollar_volume : (S,) USD a day; where it is not known, or below 1 USD, nothing is bought
    settings : largest weight, excluded symbols, largest participation
    nav_usd : value of the portfolio in USD
    min_names : fewer names reject the portfolio

    Raises
    ------
    DataError
        Shapes differ, or weights are negative or not finite.
    """
    goal, current = np.asarray(target, np.float64).copy(), np.asarray(held, np.float64)
    volume = np.asarray(dollar_volume, dtype=np.float64)
    names = np.asarray(symbols, dtype=np.str_)
    if not goal.shape == current.shape == volume.shape == names.shape:
        raise DataError(
            f"target {goal.shape}, held {current.shape}, dollar volume {volume.shape} and "
            f"symbols {names.shape} must have one shape"
        )
    for what, weights in (("target", goal), ("held", current)):
        if not np.isfinite(weights).all() or (weights < 0.0).any():
            raise DataError(f"{what} weights must be finite and not negative")
    goal, excluded = _exclude(goal, names, settings.exclude)
    goal, single = _cap(goal, settings.max_weight)
    goal, participation = _participate(goal, current, volume, settings.max_participation, nav_usd)
    goal, total = _cap_sum(goal)
    count = _count(goal, min_names)
    if count.outcome is Outcome.REJECTED:
        goal = np.zeros_like(goal)
    return LimitedPortfolio(goal, (excluded, single, participation, total, count))


def _exclude(
    goal: FloatArray, names: npt.NDArray[np.str_], exclude: Sequence[str]
) -> tuple[FloatArray, LimitCheck]:
    banned = (np.isin(names, exclude) | (names == "")) & (goal > 0.0)
    found = ", ".join(sorted(str(name) or "an empty slot" for name in names[banned]))
    reason = f"taken out: {found}" if found else "no excluded name is in the portfolio"
    check = _check("excluded_names", float(banned.sum()), 0.0, bool(banned.any()), reason)
    return np.where(banned, 0.0, goal), check


def _cap(goal: FloatArray, limit: float) -> tuple[FloatArray, LimitCheck]:
    largest = float(goal.max(initial=0.0))
    over = int((goal > limit + ROUNDING).sum())
    reason = (
        f"{over} name(s) above {limit:.1%} cut to it" if over else f"no name is above {limit:.1%}"
    )
    return np.minimum(goal, limit), _check("max_weight", largest, limit, over > 0, reason)


def _participate(
    goal: FloatArray, held: FloatArray, volume: FloatArray, limit: float, nav_usd: float
) -> tuple[FloatArray, LimitCheck]:
    """Cut purchases, never sales, to a share of the daily volume."""
    known = np.where(np.isfinite(volume) & (volume >= 1.0), volume, 0.0)
    bought = np.maximum(goal - held, 0.0)
    room = known * limit / max(nav_usd, 1.0)
    over = bought > room + ROUNDING
    share = bought * nav_usd / np.where(known > 0.0, known, np.nan)
    largest = float(np.max(share, where=np.isfinite(share), initial=0.0))
    reason = (
        f"{int(over.sum())} purchase(s) cut to {limit:.0%} of a day's dollar volume"
        if over.any()
        else f"no purchase takes more than {limit:.0%} of a day's dollar volume"
    )
    check = _check("participation", largest, limit, bool(over.any()), reason)
    return np.where(over, np.minimum(goal, held + room), goal), check


def _cap_sum(goal: FloatArray) -> tuple[FloatArray, LimitCheck]:
    total = float(goal.sum())
    over = total > 1.0 + ROUNDING
    reason = (
        f"the weights summed to {total:.4f} and were scaled to 1"
        if over
        else f"{total:.1%} is invested, the rest is cash"
    )
    return goal / max(total, 1.0), _check("invested", total, 1.0, over, reason)


def _count(goal: FloatArray, min_names: int) -> LimitCheck:
    count = int((goal > 0.0).sum())
    if count >= min_names:
        return _check("min_names", count, min_names, False, f"{count} names are held")
    reason = f"only {count} name(s) are left, {min_names} are needed: the portfolio is rejected"
    return LimitCheck("min_names", count, min_names, Outcome.REJECTED, reason)


def _check(name: str, value: float, limit: float, resized: bool, reason: str) -> LimitCheck:
    return LimitCheck(name, value, limit, Outcome.RESIZED if resized else Outcome.PASSED, reason)
