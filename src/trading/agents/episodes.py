"""Episodes: the chains of monthly decisions of a dataset that agents learn along.

A decision's outcome runs from its fill to the fill of the next decision of the same phase. A chain
is a run of decisions of one phase, each with its whole outcome inside the dataset.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.agents.reward import MonthMarket
from trading.backtest.simulator import FILL_DELAY
from trading.errors import DataError
from trading.features.dataset import Dataset
from trading.features.decisions import next_in_phase


@dataclass(frozen=True, slots=True)
class Outcome:
    """When a decision is filled and until when its position is held.

    Attributes
    ----------
    decision : index into `dataset.decisions`
    fill_row : row of the sessions at whose close its orders fill
    end_row : row at whose close the next decision fills; the last one that it earns
    """

    decision: int
    fill_row: int
    end_row: int


Episode = tuple[Outcome, ...]


def episodes(dataset: Dataset, decisions: npt.ArrayLike | None = None) -> tuple[Episode, ...]:
    """Return the longest chains of decisions with complete outcomes, phase by phase.

    Parameters
    ----------
    dataset : the dataset
    decisions : indices into `dataset.decisions` that may be used (a fold's training decisions); a
        chain ends where the next one is missing. Default: all

    Raises
    ------
    DataError
        An index lies outside the dataset, or no decision has a complete outcome.
    """
    count = len(dataset.decisions)
    allowed = np.arange(count) if decisions is None else np.asarray(decisions, dtype=np.int64)
    if len(allowed) and not 0 <= allowed.min() <= allowed.max() < count:
        raise DataError(
            f"decisions must be indices 0..{count - 1} of the dataset, "
            f"found {allowed.min()}..{allowed.max()}"
        )
    usable = np.zeros(count, dtype=bool)
    usable[allowed] = True
    usable &= dataset.has_outcome
    following = next_in_phase(dataset.decisions, dataset.phases)
    chains: list[Episode] = []
    for phase in np.unique(dataset.phases):
        grid = np.flatnonzero(dataset.phases == phase)
        for run in np.split(grid, np.flatnonzero(~usable[grid])):
            chain = tuple(
                Outcome(
                    decision=int(index),
                    fill_row=int(dataset.decisions[index]) + FILL_DELAY,
                    end_row=int(following[index]) + FILL_DELAY,
                )
                for index in run[usable[run]]
            )
            if chain:
                chains.append(chain)
    if not chains:
        raise DataError(
            f"none of the {len(allowed)} decisions has a complete outcome: training needs "
            "at least two decisions of a phase and the session after the second"
        )
    return tuple(chains)


def last_row(chains: tuple[Episode, ...]) -> int:
    """Return the last row of the sessions whose returns the outcomes contain."""
    return max(outcome.end_row for chain in chains for outcome in chain)


def month_market(
    dataset: Dataset,
    outcome: Outcome,
    slots: npt.NDArray[np.int64] | slice = slice(None),
    returns: npt.NDArray[np.float32] | None = None,
) -> MonthMarket:
    """Return the holding period of an outcome, for all slots or some of them.

    `returns` (T, S) stand in for those of the dataset, e.g. with delisting returns.
    """
    earned = dataset.returns if returns is None else returns
    return MonthMarket(
        returns=earned[outcome.fill_row + 1 : outcome.end_row + 1, slots],
        fillable=dataset.fillable[outcome.fill_row, slots],
        dollar_volume=dataset.dollar_volume[outcome.decision, slots],
        volatility=dataset.volatility[outcome.decision, slots],
    )
