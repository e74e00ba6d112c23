"""Several strategies on one account: each has a share of the capital, the account holds the sum.

A sleeve is one strategy's target weights and its fraction of the capital. The account's target for
a symbol is the sum of the sleeves' last targets times their fractions; where one wants to be long
and another short, only the difference is traded.

Attribution: what the account holds of a symbol belongs to the sleeves in the proportion of what
each contributes (`contributions`), and so do its profit, its loss and its costs. Opposite wishes
leave one sleeve with more than the whole and the other with less than nothing; where they cancel
out nothing is held and nothing is attributed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.errors import RiskError
from trading.risk.sizing.base import FloatArray, IntArray, Targets

ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class SleeveTargets:
    """The targets of one strategy and its share of the capital.

    Attributes
    ----------
    strategy_id : whose targets they are
    targets : as of the strategy alone, on all of its capital
    fraction : of the account's capital, above 0 and at most 1
    held : (N,) the strategy's weights before the first row; None: all 0

    Raises
    ------
    RiskError
        The fraction is out of bounds, or `held` is not finite.
    """

    strategy_id: str
    targets: Targets
    fraction: float = 1.0
    held: FloatArray | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.fraction <= 1.0:
            raise RiskError(
                f"{self.strategy_id}: a fraction of the capital lies above 0 and at most at 1, "
                f"got {self.fraction}"
            )
        if self.held is not None and not np.isfinite(self.held).all():
            raise RiskError(f"{self.strategy_id}: a weight held before is not a finite number")


def combine(sleeves: Sequence[SleeveTargets]) -> Targets:
    """Return the account's targets: at every (row, column) at which a sleeve has one.

    No sleeves, or none with targets, give none. `RiskError` if the fractions sum to more than 1.
    """
    total = sum(sleeve.fraction for sleeve in sleeves)
    if total > 1.0 + ROUNDING:
        raise RiskError(f"the sleeves take {total:.2%} of the capital; make it 100 % or less")
    if len(sleeves) == 1:
        only = sleeves[0].targets
        return Targets(only.rows, only.columns, only.weights * sleeves[0].fraction)
    if not sleeves:
        return Targets.none()
    width = 1 + max(int(sleeve.targets.columns.max(initial=0)) for sleeve in sleeves)
    keys = [sleeve.targets.rows * width + sleeve.targets.columns for sleeve in sleeves]
    rows, columns = np.divmod(np.unique(np.concatenate(keys)), width)
    return Targets(rows, columns, contributions(sleeves, rows, columns).sum(axis=0))


def contributions(
    sleeves: Sequence[SleeveTargets], rows: npt.ArrayLike, columns: npt.ArrayLike
) -> FloatArray:
    """Return what each sleeve adds to the account's weight `(K, E)` at E bars and symbols.

    The last target of the sleeve at or before the row, times its fraction; before its first, the
    weight it held.
    """
    row, column = np.asarray(rows, dtype=np.int64), np.asarray(columns, dtype=np.int64)
    found = np.empty((len(sleeves), len(row)))
    for index, sleeve in enumerate(sleeves):
        found[index] = _weights(sleeve, row, column)
    return found


def _weights(sleeve: SleeveTargets, rows: IntArray, columns: IntArray) -> FloatArray:
    """Forward-filled targets of one sleeve, times its fraction."""
    targets, names = sleeve.targets, int(columns.max(initial=-1)) + 1
    if sleeve.held is not None and len(sleeve.held) < names:
        raise RiskError(
            f"{sleeve.strategy_id}: {len(sleeve.held)} weights were held before, but there are "
            f"targets for {names} or more symbols; give one for each symbol"
        )
    before = np.zeros(len(rows)) if sleeve.held is None else sleeve.held[columns]
    if not len(targets):
        return np.asarray(before * sleeve.fraction)
    # One key orders by column, then row: the last target is found by bisection.
    width = 1 + int(max(targets.rows.max(), rows.max(initial=0)))
    order = np.argsort(targets.columns, kind="stable")
    keys = targets.columns[order] * width + targets.rows[order]
    last = np.searchsorted(keys, columns * width + rows, side="right") - 1
    given = order[np.maximum(last, 0)]
    there = (last >= 0) & (targets.columns[given] == columns)
    return np.asarray(np.where(there, targets.weights[given], before) * sleeve.fraction)
