"""The whole evaluation of a recipe as one document: verdict, capacity, costs, reliability, curves.

`evaluate` is what `trading evaluate` prints and what a model's record can keep beside it; its JSON
is the document, and `page.render` draws it.
"""

from collections.abc import Sequence

import numpy as np

from trading import __version__
from trading.backtest.drawdowns import longest_drawdown
from trading.config import Settings
from trading.evaluation.calibration import calibrated_reliability
from trading.evaluation.capacity import (
    CapacityPoint,
    CostPoint,
    capacity_curve,
    cost_sensitivity,
)
from trading.evaluation.combinatorial import PathDistribution
from trading.evaluation.delisting import DelistingPoint, delisting_sensitivity
from trading.evaluation.evidence import Record
from trading.evaluation.gate import CANDIDATE, CHAMPION, Verdict
from trading.evaluation.reliability import ReliabilityBin, reliability
from trading.evaluation.track import Track
from trading.evaluation.validation import Validation
from trading.evaluation.walk_forward import Fold
from trading.features.dataset import Dataset

SCHEMA_VERSION = 1
SURVIVORSHIP = (
    "Survivorship: a panel in which nearly every name lives to its last session flatters every "
    "long portfolio, equal weight included; beating an index that real money could hold proves "
    "nothing on it. Compare contenders on the same panel."
)


class FoldSpan(Record):
    """A fold in dates `YYYY-MM-DD`: trained through, tested from, tested through."""

    trained_through: str
    tested_from: str
    tested_through: str
    decisions: int
    months: int


class Curve(Record):
    """A contender's daily net returns; dates and returns are equally long."""

    label: str
    dates: tuple[str, ...]
    returns: tuple[float, ...]


class Evaluation(Record):
    """The evaluation of a recipe.

    Attributes
    ----------
    schema_version, trading_version : of the document and of the code
    title : what was evaluated
    source : where the bars come from; `simulated` says whether the market is invented
    data_hash, names : the panel: its identity, and its names
    folds : what was trained on and tested when
    verdict : the gate's
    capacity, costs, reliability : see `capacity_curve`, `cost_sensitivity`, `reliability`
    delistings : see `delisting_sensitivity`
    calibrated : the reliability of the calibrated confidence, each month by the months before it
    longest_drawdown : sessions, of the candidate
    cross_validation : the distribution over combinatorial histories, where it was asked for
    curves : by contender
    warnings : what makes the figures less true than they look
    settings : what deviates from the defaults
    """

    schema_version: int = SCHEMA_VERSION
    trading_version: str = __version__
    title: str
    source: str
    simulated: bool
    data_hash: str
    names: int
    folds: tuple[FoldSpan, ...]
    verdict: Verdict
    capacity: tuple[CapacityPoint, ...]
    costs: tuple[CostPoint, ...]
    delistings: tuple[DelistingPoint, ...] = ()
    reliability: tuple[ReliabilityBin, ...]
    calibrated: tuple[ReliabilityBin, ...] = ()
    longest_drawdown: float | None
    cross_validation: PathDistribution | None = None
    curves: dict[str, Curve]
    warnings: tuple[str, ...]
    settings: dict[str, object]


def describe(
    dataset: Dataset,
    folds: Sequence[Fold],
    found: Validation,
    settings: Settings,
    *,
    title: str,
    source: str,
    simulated: bool,
    cross_validation: PathDistribution | None = None,
) -> Evaluation:
    """Return the document of a validation: what the Validate state has judged already."""
    indices = np.concatenate([fold.test for fold in folds])
    record = found.challenger
    tracks = {CANDIDATE: record.track, **found.baselines}
    if found.champion is not None:
        tracks[CHAMPION] = found.champion.track
    longest = float(longest_drawdown(record.track.net_returns))
    return Evaluation(
        title=title,
        source=source,
        simulated=simulated,
        data_hash=dataset.data_hash,
        names=sum(bool(symbol) for symbol in dataset.symbols),
        folds=tuple(_span(dataset, fold) for fold in folds),
        verdict=found.verdict,
        capacity=capacity_curve(dataset, indices, record, settings),
        costs=cost_sensitivity(dataset, indices, record, settings),
        delistings=delisting_sensitivity(dataset, indices, record, settings),
        reliability=reliability(dataset, indices, record),
        calibrated=calibrated_reliability(dataset, indices, record),
        longest_drawdown=longest if np.isfinite(longest) else None,
        cross_validation=cross_validation,
        curves={name: _curve(track) for name, track in tracks.items()},
        warnings=_warnings(record.track, simulated=simulated),
        settings=settings.deviations(),
    )


def _span(dataset: Dataset, fold: Fold) -> FoldSpan:
    days = dataset.sessions.astype("datetime64[D]").astype(str)
    return FoldSpan(
        trained_through=str(days[fold.train_end]),
        tested_from=str(days[fold.test_start]),
        tested_through=str(days[dataset.decisions[fold.test[-1]]]),
        decisions=len(fold.train),
        months=len(fold.test),
    )


def _curve(track: Track) -> Curve:
    return Curve(
        label=track.label,
        dates=tuple(str(day) for day in track.sessions.astype("datetime64[D]")),
        returns=tuple(float(value) for value in track.net_returns),
    )


def _warnings(track: Track, *, simulated: bool) -> tuple[str, ...]:
    warnings = []
    if simulated:
        warnings.append("The market is SIMULATED: no figure here says anything about real markets.")
    else:
        warnings.append(SURVIVORSHIP)
    if track.delisted:
        warnings.append(
            f"{track.delisted} name(s) left the market while they were held and count at their "
            "last value; failing companies lose more (T. Shumway, 1997)."
        )
    if len(track.months) < 24:
        warnings.append(
            f"{len(track.months)} months are few: the standard error of the Sharpe ratio is about "
            f"{np.sqrt(12.0 / max(len(track.months), 1)):.2f}."
        )
    return tuple(warnings)
