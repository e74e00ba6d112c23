"""Capacity and costs: what stays of a record with more capital, or when trading costs more.

Both replay the scores of the record through selection, limits and simulator, with another capital
or other costs, beside equal weight under the same ones.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trading.backtest.metrics import annual_turnover, summarize
from trading.config import Settings
from trading.config.learning import CostSettings
from trading.errors import DataError
from trading.evaluation.baselines import equal_weight
from trading.evaluation.evidence import Record
from trading.evaluation.out_of_fold import (
    OutOfSample,
    confidence_on,
    production_target,
    scores_on,
)
from trading.evaluation.track import Track, follow_decisions, track_of
from trading.features.dataset import Dataset

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CAPITALS = (1e6, 1e7, 5e7, 1e8, 2.5e8, 5e8, 1e9)
COST_MULTIPLES = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0)


class CapacityPoint(Record):
    """The record with another capital.

    Attributes
    ----------
    capital_usd : at the start
    annual_return, excess_return : net; over equal weight with the same capital
    annual_costs, annual_turnover : of net asset value, one way
    participation_median, participation_high : value traded of a name over its median daily dollar
        volume, over all trades: the median, and the 95 % quantile
    exposure : mean share invested: purchases are cut to `portfolio.max_participation`
    """

    capital_usd: float
    annual_return: float | None
    excess_return: float | None
    annual_costs: float | None
    annual_turnover: float | None
    participation_median: float | None
    participation_high: float | None
    exposure: float | None


class CostPoint(Record):
    """The record with commission, slippage and impact multiplied.

    Attributes
    ----------
    multiple : of every cost
    annual_return, excess_return : net; over equal weight at the same costs
    annual_costs : of net asset value
    sharpe : annualised
    """

    multiple: float
    annual_return: float | None
    excess_return: float | None
    annual_costs: float | None
    sharpe: float | None


def capacity_curve(
    dataset: Dataset,
    indices: IntArray,
    record: OutOfSample,
    settings: Settings,
    capitals: Sequence[float] = CAPITALS,
) -> tuple[CapacityPoint, ...]:
    """Return the record with each capital.

    Parameters
    ----------
    indices : (M,) the record's decisions, in its order
    capitals : USD, above 0

    Raises
    ------
    DataError
        A capital is not above 0.
    """
    if any(not np.isfinite(capital) or capital <= 0.0 for capital in capitals):
        raise DataError(f"a capital is above 0 USD, got {list(capitals)}")
    points = []
    for capital in capitals:
        costs = settings.costs.model_copy(update={"capital_usd": capital})
        changed = settings.model_copy(update={"costs": costs})
        track, participation = replayed(dataset, indices, record, changed)
        plain = equal_weight(dataset, indices, changed)
        points.append(
            CapacityPoint(
                capital_usd=capital,
                annual_return=summarize(track.net_returns).cagr,
                excess_return=_excess(track, plain),
                annual_costs=annual_turnover(track.costs),
                annual_turnover=annual_turnover(track.turnover),
                participation_median=_quantile(participation, 0.5),
                participation_high=_quantile(participation, 0.95),
                exposure=None if track.exposure is None else float(track.exposure.mean()),
            )
        )
    return tuple(points)


def cost_sensitivity(
    dataset: Dataset,
    indices: IntArray,
    record: OutOfSample,
    settings: Settings,
    multiples: Sequence[float] = COST_MULTIPLES,
) -> tuple[CostPoint, ...]:
    """Return the record at each multiple of all costs; `indices` as in `capacity_curve`.

    Raises `DataError` for a negative multiple.
    """
    if any(not np.isfinite(multiple) or multiple < 0.0 for multiple in multiples):
        raise DataError(f"a multiple of costs is at least 0, got {list(multiples)}")
    points = []
    for multiple in multiples:
        changed = settings.model_copy(update={"costs": _multiplied(settings.costs, multiple)})
        track, _ = replayed(dataset, indices, record, changed)
        figures = summarize(track.net_returns)
        points.append(
            CostPoint(
                multiple=multiple,
                annual_return=figures.cagr,
                excess_return=_excess(track, equal_weight(dataset, indices, changed)),
                annual_costs=annual_turnover(track.costs),
                sharpe=figures.sharpe,
            )
        )
    return tuple(points)


def _multiplied(costs: CostSettings, multiple: float) -> CostSettings:
    names = ("commission_bps", "slippage_bps", "impact_coefficient")
    return costs.model_copy(update={name: getattr(costs, name) * multiple for name in names})


def replayed(
    dataset: Dataset, indices: IntArray, record: OutOfSample, settings: Settings
) -> tuple[Track, FloatArray]:
    """Return the track of the record's scores under other settings, and every participation."""
    scores, confidence = scores_on(dataset, record), confidence_on(dataset, record)
    place = {int(index): month for month, index in enumerate(indices)}
    seen: list[FloatArray] = []

    def choose(index: int, held: FloatArray, nav: float) -> FloatArray:
        month = place[index]
        sure = None if confidence is None else confidence[month]
        target = production_target(dataset, index, scores[month], sure, held, nav, settings)
        traded = np.abs(target - held) * nav * settings.costs.capital_usd
        volume = dataset.dollar_volume[index].astype(np.float64)
        known = (traded > 0.0) & np.isfinite(volume) & (volume > 0.0)
        seen.append(traded[known] / volume[known])
        return target

    simulation = follow_decisions(dataset, indices, choose, settings)
    track = track_of(dataset, indices, simulation, name="replayed", label=record.track.label)
    return track, np.concatenate([np.empty(0), *seen])


def _excess(track: Track, other: Track) -> float | None:
    own, plain = summarize(track.net_returns).cagr, summarize(other.net_returns).cagr
    return None if own is None or plain is None else own - plain


def _quantile(values: FloatArray, share: float) -> float | None:
    return float(np.quantile(values, share)) if len(values) else None
