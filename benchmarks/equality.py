"""Prove that this engine and its peers come to the same equity at the same fill timing."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.case import Case
from benchmarks.measure import Measured, measure

TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two engines are apart, relative to equity.

    Attributes
    ----------
    final, curve : at the end, and the largest along the curve
    fills, peer_fills : numbers of executions
    refused : orders that either cut or refused; the comparison wants none
    """

    peer: str
    case: Case
    final: float
    curve: float
    fills: int
    peer_fills: int
    refused: int

    @property
    def equal(self) -> bool:
        """Whether they agree to 1e-5, fill for fill."""
        return (
            max(self.final, self.curve) <= TOLERANCE
            and self.fills == self.peer_fills > 0
            and self.refused == 0
        )


def comparisons() -> tuple[tuple[str, Case], ...]:
    """Return what is compared with whom.

    vectorbt sizes a fraction of equity at the fill, so its next fills are compared with weights of
    the initial cash, which are numbers of shares fixed at the decision.
    """
    cases: list[tuple[str, Case]] = []
    for strategy in ("trend", "momentum"):
        cases.append(("vectorbt", Case(strategy, "same_close", "equity", fractional=True)))
        cases.append(("vectorbt", Case(strategy, "next_open", "initial", fractional=True)))
        cases.append(("vectorbt", Case(strategy, "next_close", "initial", fractional=True)))
        cases.append(("backtrader", Case(strategy, "same_close", "equity", fractional=False)))
        cases.append(("backtrader", Case(strategy, "next_open", "equity", fractional=False)))
    return tuple(cases)


def compare(peer: str, case: Case, market: Path, python: Path) -> Difference:
    """Run both engines on saved bars and compare their curves."""
    own = measure("trading", market, case)
    return difference(own, measure(peer, market, case, python=python))


def difference(own: Measured, other: Measured) -> Difference:
    """Compare two curves.

    To one that is marked before trading, a row's costs are put back; such a peer books the orders
    of the last row only on a next one, so they are not counted.
    """
    curve, fills = own.equity, own.fills
    if other.before_trading and own.costs is not None:
        curve = curve + own.costs
        fills -= int(own.notes["fills_of_last_row"])
    apart = np.abs(other.equity / curve - 1.0)
    return Difference(
        other.engine,
        own.case,
        float(apart[-1]),
        float(apart.max()),
        fills,
        other.fills,
        own.refused + other.refused,
    )
