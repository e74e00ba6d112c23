"""Signals and targets as one kind of table, and the first place at which two tables differ."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.risk.sizing.base import Targets
from trading.strategy.signals import ACTIONS, Signals

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class DecisionTable:
    """Decisions by bar and symbol.

    Attributes
    ----------
    what : `signals` or `targets`
    rows, columns : (E,) int64, sorted by row, then column
    values : (E, K) float64: action and strength of a signal, the weight of a target
    """

    what: str
    rows: IntArray
    columns: IntArray
    values: FloatArray

    @classmethod
    def of_signals(cls, signals: Signals, shift: int = 0) -> "DecisionTable":
        """Return signals whose rows count from `shift`."""
        values = np.column_stack([signals.actions.astype(np.float64), signals.strengths])
        return cls("signals", signals.rows + shift, signals.columns, values)

    @classmethod
    def of_targets(cls, targets: Targets) -> "DecisionTable":
        """Return targets."""
        return cls("targets", targets.rows, targets.columns, targets.weights[:, None])

    def within(self, first: int, last: int) -> "DecisionTable":
        """Return the decisions of the rows `first .. last`."""
        low, high = np.searchsorted(self.rows, [first, last + 1])
        which = slice(int(low), int(high))
        return DecisionTable(self.what, self.rows[which], self.columns[which], self.values[which])

    def at(self, row: int, column: int) -> str:
        """Return one decision in words; `nothing` where there is none."""
        found = np.flatnonzero((self.rows == row) & (self.columns == column))
        if not len(found):
            return "nothing"
        value = self.values[found[0]]
        if self.what == "targets":
            return f"{value[0]:.10g}"
        return f"{ACTIONS[int(value[0])]} {value[1]:.10g}"


def first_difference(one: DecisionTable, other: DecisionTable) -> tuple[int, int] | None:
    """Return row and column of the first decision that is not in both alike, None if all are.

    Values may differ by `TOLERANCE`: sums of other lengths round differently.
    """
    width = 1 + max(int(one.columns.max(initial=0)), int(other.columns.max(initial=0)))
    keys, others = one.rows * width + one.columns, other.rows * width + other.columns
    alone = np.setxor1d(keys, others, assume_unique=True)
    common, mine, theirs = np.intersect1d(keys, others, assume_unique=True, return_indices=True)
    changed = ~np.isclose(
        one.values[mine], other.values[theirs], rtol=TOLERANCE, atol=TOLERANCE
    ).all(axis=1)
    places = np.concatenate([alone, common[changed]])
    if not len(places):
        return None
    row, column = divmod(int(places.min()), width)
    return row, column
