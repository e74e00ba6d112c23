"""The monthly decisions of a panel: which sessions they are taken after, on which grid."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from trading.errors import ConfigurationError, DataError
from trading.features.specification import HISTORY
from trading.market.panel import SessionArray
from trading.universe.liquidity import BoolArray, IntArray

MONTH_SESSIONS = 21
MOST_PHASES = 10


@dataclass(frozen=True)
class DecisionGrid:
    """Decision rows, ascending, each on one grid.

    Attributes
    ----------
    rows : (D,) int64, the last session that each decision sees
    phases : (D,) int8, 0 = the calendar months; 1.. = grids shifted by a part of a month
    """

    rows: IntArray
    phases: npt.NDArray[np.int8]


def decision_grid(sessions: SessionArray, as_of: date, phases: int) -> DecisionGrid:
    """Return the decisions over `sessions`, which all lie before `as_of`.

    Phase 0 decides after the last session before each calendar month, and after the very last
    session: the month to be scored. Phase k of K decides k * 21 // K sessions later. The first
    decision is the first of its phase with `HISTORY` sessions behind it. A month cut short (15
    sessions in September 2001) may let two phases meet; the row then belongs to the lower one.

    Raises
    ------
    DataError
        There are fewer than `HISTORY` sessions.
    ConfigurationError
        More than 10 phases, which a month of 19 sessions cannot hold apart.
    """
    if not 1 <= phases <= MOST_PHASES:
        raise ConfigurationError(
            f"training.phases is {phases}, expected 1 to {MOST_PHASES}: the shortest month has 19 "
            "sessions"
        )
    last = len(sessions) - 1
    if last + 1 < HISTORY:
        raise DataError(
            f"the panel has {last + 1} sessions before {as_of}, the features need {HISTORY}; "
            "fetch a longer history"
        )
    months = np.append(sessions, np.datetime64(as_of, "D")).astype("datetime64[M]")
    ends = np.flatnonzero(months[1:] != months[:-1]).astype(np.int64)
    rows, phase = [ends], [np.zeros(len(ends), dtype=np.int8)]
    for k in range(1, phases):
        rows.append(ends + k * MONTH_SESSIONS // phases)
        phase.append(np.full(len(ends), k, dtype=np.int8))
    grid, of = np.concatenate(rows), np.concatenate(phase)
    keep = (grid >= HISTORY - 1) & (grid < last)
    grid, of = np.append(grid[keep], last), np.append(of[keep], np.int8(0))
    kept, first = np.unique(grid, return_index=True)
    return DecisionGrid(kept, of[first])


def next_in_phase(rows: IntArray, phases: npt.NDArray[np.int8]) -> IntArray:
    """Return the row of the next decision of the same phase, `(D,)` int64; -1 where there is none.

    The position is held from the close after `rows` to the close after this row.
    """
    following = np.full(len(rows), -1, dtype=np.int64)
    for phase in np.unique(phases):
        own = np.flatnonzero(phases == phase)
        following[own[:-1]] = rows[own[1:]]
    return following


def outcome_known(rows: IntArray, phases: npt.NDArray[np.int8], sessions: int) -> BoolArray:
    """Tell which decisions have a whole holding period within `sessions`, `(D,)` bool."""
    following = next_in_phase(rows, phases)
    return (following >= 0) & (following + 1 < sessions)
