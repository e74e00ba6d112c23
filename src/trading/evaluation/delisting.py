"""Delistings: what a record becomes when names that leave the market take a last loss with them.

The return of a delisting is seldom known, and leaving it out flatters whoever holds failing
companies: T. Shumway, "The Delisting Bias in CRSP Data" (1997), found -30 % on the New York
exchanges, and with V. Warther, "The Delisting Bias in CRSP's Nasdaq Data" (1999), -55 % there.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from trading.backtest.metrics import summarize
from trading.config import Settings
from trading.errors import DataError
from trading.evaluation.baselines import equal_weight
from trading.evaluation.capacity import replayed
from trading.evaluation.evidence import Record
from trading.evaluation.out_of_fold import OutOfSample
from trading.features.dataset import Dataset
from trading.features.returns import with_delistings

IntArray = npt.NDArray[np.int64]

LAST_RETURNS = (0.0, -0.30, -0.55)


class DelistingPoint(Record):
    """The record when names that left the market end with this return, where none is known.

    Attributes
    ----------
    last_return : taken for each of them, in the session after its last bar
    annual_return, excess_return : net; over equal weight under the same assumption
    delisted : names that left while they were held
    """

    last_return: float
    annual_return: float | None
    excess_return: float | None
    delisted: int


def delisting_sensitivity(
    dataset: Dataset,
    indices: IntArray,
    record: OutOfSample,
    settings: Settings,
    last_returns: Sequence[float] = LAST_RETURNS,
) -> tuple[DelistingPoint, ...]:
    """Return the record's scores replayed under each assumption.

    Parameters
    ----------
    indices : (M,) the record's decisions, in its order
    last_returns : simple returns, -1 or above

    Raises
    ------
    DataError
        A return is below -1 or not finite.
    """
    stale = settings.universe.max_stale_sessions
    delisted = replayed(dataset, indices, record, settings)[0].delisted
    points = []
    for value in last_returns:
        changed = with_last_return(dataset, value, stale=stale)
        track, _ = replayed(changed, indices, record, settings)
        plain = equal_weight(changed, indices, settings)
        own, other = summarize(track.net_returns).cagr, summarize(plain.net_returns).cagr
        points.append(
            DelistingPoint(
                last_return=value,
                annual_return=own,
                excess_return=None if own is None or other is None else own - other,
                delisted=delisted,
            )
        )
    return tuple(points)


def with_last_return(dataset: Dataset, last_return: float, *, stale: int) -> Dataset:
    """Return the dataset in which names that left the market have one more return.

    Those are the names of whose delisting no return is known, see `with_delistings`. What was
    known at any decision, features and eligibility, stays as it was. Raises `DataError` for a
    return that no share can have.
    """
    if not np.isfinite(last_return) or last_return < -1.0:
        raise DataError(f"a last return is at least -100 %, got {last_return}")
    changed = with_delistings(dataset.returns, last_return, ended=dataset.ended, stale=stale)
    if changed is dataset.returns:
        return dataset
    ended = np.zeros(len(dataset.symbols), dtype=bool) if dataset.ended is None else dataset.ended
    added = np.isfinite(changed) & ~np.isfinite(dataset.returns)
    return replace(dataset, returns=changed, ended=ended | added.any(axis=0))
