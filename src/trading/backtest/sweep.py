"""Parameter sweeps: the same backtest at many points, over the cores of a machine or a Ray cluster.

joblib hands the points out. Its worker processes read the bars from memory-mapped files that it
writes once; a Ray cluster holds them once a node. A point that fails is recorded with its error
and the others go on. The number of trials belongs to every figure chosen from a sweep: the best of
many is good by chance alone (D. Bailey and M. Lopez de Prado, "The Deflated Sharpe Ratio", 2014).
"""

import importlib
import itertools
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import joblib
import numpy as np
import pandas as pd

from trading.backtest.engine import Sleeve, backtest
from trading.backtest.feed import BarFeed
from trading.backtest.report.evidence import Evidence
from trading.backtest.settings import BacktestSettings
from trading.backtest.sweep_log import SweepLog
from trading.errors import ConfigurationError, TradingError
from trading.risk.sizing import build_sizer
from trading.strategy.base import BaseStrategy

SweepEngine = Literal["processes", "ray"]
Progress = Callable[[int, int], None]

MOST_POINTS = 100_000
RAY_TASKS_A_WORKER = 4
SMALLER_IS_BETTER = frozenset(
    {"max_drawdown", "volatility", "sharpe_error", "annual_turnover", "ulcer_index"}
)
FIGURES = (
    *("total_return", "cagr", "volatility", "sharpe", "sharpe_error", "sortino", "max_drawdown"),
    *("calmar", "win_rate", "profit_factor", "ulcer_index", "annual_turnover", "trades"),
    *("commissions", "final_equity"),
)


@dataclass(frozen=True, eq=False)
class SweepJob:
    """What every point of a sweep has in common.

    Attributes
    ----------
    strategy : its class; the points give its parameters
    fixed : parameters that are the same at every point
    feed : the bars
    start : the row from which on is traded; those before are history
    """

    strategy: type[BaseStrategy]
    feed: BarFeed
    settings: BacktestSettings
    fixed: Mapping[str, Any] = field(default_factory=dict)
    start: int = 0


@dataclass(frozen=True, eq=False)
class SweepResult:
    """The points of a sweep and their figures.

    Attributes
    ----------
    parameters : the names that were varied
    table : a row a point, in the order of the points: the parameters, `FIGURES` (NaN: no data),
        `error` (empty: none) and `seconds`
    fresh : how many points were computed now; the others were read from the log
    """

    parameters: tuple[str, ...]
    table: pd.DataFrame
    fresh: int

    @property
    def trials(self) -> int:
        """How many points have figures: what a figure chosen from them must be deflated by."""
        return int((self.table["error"] == "").sum())

    @property
    def failed(self) -> int:
        """How many points have an error instead of figures."""
        return len(self.table) - self.trials

    @property
    def sharpe_deviation(self) -> float | None:
        """Standard deviation of the annualised Sharpe ratios over the trials; None below two."""
        known = self.table["sharpe"].dropna()
        return float(known.std(ddof=1)) if len(known) > 1 else None

    def ranked(self, figure: str = "sharpe") -> pd.DataFrame:
        """Return the table, the best `figure` first, points without it last.

        Raises `ConfigurationError` for a figure that a sweep does not have.
        """
        require_figure(figure)
        return self.table.sort_values(
            figure, ascending=figure in SMALLER_IS_BETTER, kind="stable", na_position="last"
        ).reset_index(drop=True)

    def best(self, figure: str = "sharpe") -> int | None:
        """Return the number of the point with the best `figure`; None where no point has it."""
        require_figure(figure)
        known = self.table[figure].where(self.table["error"] == "").dropna()
        if known.empty:
            return None
        return int(known.idxmin() if figure in SMALLER_IS_BETTER else known.idxmax())

    def by_two(self, figure: str) -> tuple[list[str], list[str], np.ndarray[Any, Any]]:
        """Return rows, columns and the values `(R, C)` of a figure by exactly two parameters."""
        require_figure(figure)
        if len(self.parameters) != 2:
            raise ConfigurationError(
                f"a heatmap needs two varied parameters, this sweep has {len(self.parameters)}"
            )
        grid = self.table.pivot_table(
            index=self.parameters[0], columns=self.parameters[1], values=figure, dropna=False
        )
        return list(map(str, grid.index)), list(map(str, grid.columns)), grid.to_numpy(np.float64)


def require_figure(figure: str) -> None:
    """Raise `ConfigurationError` unless a sweep computes `figure`."""
    if figure not in FIGURES:
        raise ConfigurationError(f"{figure!r} is no figure of a sweep; known: {', '.join(FIGURES)}")


def grid_points(ranges: Mapping[str, Sequence[Any]]) -> tuple[dict[str, Any], ...]:
    """Return every combination of the values, the last parameter varying fastest.

    Raises `ConfigurationError` for no parameter, a parameter without values or too many points.
    """
    count = _require_ranges(ranges)
    if count > MOST_POINTS:
        raise ConfigurationError(
            f"the sweep has {count:,} points, more than {MOST_POINTS:,}; widen the steps or draw "
            "points at random (--samples)"
        )
    return tuple(
        dict(zip(ranges, values, strict=True)) for values in itertools.product(*ranges.values())
    )


def random_points(
    ranges: Mapping[str, Sequence[Any]], samples: int, seed: int = 0
) -> tuple[dict[str, Any], ...]:
    """Return `samples` different combinations drawn at random, all of them if there are fewer.

    The same seed draws the same points. Source: J. Bergstra and Y. Bengio, "Random Search for
    Hyper-Parameter Optimization" (2012).
    """
    count = _require_ranges(ranges)
    if samples < 1:
        raise ConfigurationError(f"a sweep needs at least one sample, not {samples}")
    if samples >= count:
        return grid_points(ranges)
    random = np.random.default_rng(seed)
    chosen: dict[tuple[int, ...], None] = {}
    sizes = [len(values) for values in ranges.values()]
    while len(chosen) < samples:
        chosen[tuple(int(random.integers(size)) for size in sizes)] = None
    return tuple(
        {name: ranges[name][place] for name, place in zip(ranges, places, strict=True)}
        for places in sorted(chosen)
    )


def _require_ranges(ranges: Mapping[str, Sequence[Any]]) -> int:
    empty = [name for name, values in ranges.items() if not len(values)]
    if empty or not ranges:
        raise ConfigurationError(
            f"the sweep gives no value for {', '.join(empty) or 'any parameter'}"
        )
    return math.prod(len(values) for values in ranges.values())


def run_sweep(
    job: SweepJob,
    points: Sequence[Mapping[str, Any]],
    *,
    jobs: int = -1,
    engine: SweepEngine = "processes",
    log: SweepLog | None = None,
    progress: Progress | None = None,
) -> SweepResult:
    """Run the backtest at every point.

    Parameters
    ----------
    points : parameters by name; all with the same names
    jobs : processes; -1 is one a core. With Ray: tasks at once
    engine : `processes` on this machine, or `ray` (the cluster of `RAY_ADDRESS`, else a local one)
    log : keeps what is finished; points that it has already are not computed again
    progress : called with points done and points in all

    Raises
    ------
    ConfigurationError
        There are no points, their names differ, `jobs` is 0, or Ray is not there as asked for.
    StoreError
        The log belongs to another run.
    """
    if not points or any(set(point) != set(points[0]) for point in points):
        raise ConfigurationError("a sweep needs points, all with the same parameters")
    if jobs == 0:
        raise ConfigurationError("a sweep needs at least one job; -1 is one a core")
    names = tuple(points[0])
    keys = [point_key(point) for point in points]
    done = log.read() if log else {}
    missing = [i for i, key in enumerate(keys) if done.get(key, {"error": "new"})["error"]]
    rows = {key: done[key] for key in keys if key in done}
    if progress:
        progress(len(points) - len(missing), len(points))
    try:
        for count, (index, row) in enumerate(_compute(job, points, missing, jobs, engine), 1):
            rows[keys[index]] = row
            if log:
                log.add(keys[index], row)
            if progress:
                progress(len(points) - len(missing) + count, len(points))
    finally:
        if log:
            log.flush()
    table = pd.DataFrame(
        [{**point, **rows[key]} for point, key in zip(points, keys, strict=True)],
        columns=[*names, *FIGURES, "error", "seconds"],
    )
    return SweepResult(names, table, len(missing))


def point_key(point: Mapping[str, Any]) -> str:
    """Return the parameters as canonical JSON."""
    return json.dumps(dict(point), sort_keys=True, separators=(",", ":"), default=str)


def evaluate(job: SweepJob, point: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of one point; an error becomes its text."""
    started = time.perf_counter()
    row: dict[str, Any] = dict.fromkeys(FIGURES, math.nan)
    try:
        row |= _figures(job, point)
        row["error"] = ""
    except TradingError as error:
        row["error"] = str(error)
    except Exception as error:  # noqa: BLE001 - one point must not end the sweep
        row["error"] = f"{type(error).__name__}: {error}"
    row["seconds"] = time.perf_counter() - started
    return row


def _figures(job: SweepJob, point: Mapping[str, Any]) -> dict[str, float]:
    strategy = job.strategy.build(**{**job.fixed, **point})
    sizer = build_sizer(job.settings.sizer.name, job.settings.sizer.parameters)
    result = backtest([Sleeve(strategy, sizer)], job.feed, job.settings, start=job.start)
    evidence = Evidence.of(result)
    known = evidence.figures.to_dict() | {
        "annual_turnover": evidence.annual_turnover,
        "trades": evidence.trades.trades,
        "commissions": result.commissions,
        "final_equity": float(result.equity[-1]),
    }
    return {name: math.nan if (value := known[name]) is None else float(value) for name in FIGURES}


def _evaluate_at(job: SweepJob, index: int, point: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    return index, evaluate(job, point)


def _compute(
    job: SweepJob,
    points: Sequence[Mapping[str, Any]],
    which: Sequence[int],
    jobs: int,
    engine: SweepEngine,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the points of `which` and their figures, in whatever order they end."""
    if not which:
        return
    tasks = [joblib.delayed(_evaluate_at)(job, index, points[index]) for index in which]
    with _backend(engine, jobs):
        if engine == "processes":
            yield from joblib.Parallel(
                return_as="generator_unordered", max_nbytes="256K", mmap_mode="r", batch_size=1
            )(tasks)
            return
        # Ray's backend answers when all tasks have ended: give it few at a time.
        with joblib.Parallel(batch_size=1) as parallel:
            few = joblib.effective_n_jobs() * RAY_TASKS_A_WORKER
            for first in range(0, len(tasks), few):
                yield from parallel(tasks[first : first + few])


@contextmanager
def _backend(engine: SweepEngine, jobs: int) -> Iterator[None]:
    if engine == "processes":
        with joblib.parallel_config(backend="loky", n_jobs=jobs):
            yield
        return
    try:
        ray = importlib.import_module("ray")
        register_ray = importlib.import_module("ray.util.joblib").register_ray
    except ImportError as error:
        raise ConfigurationError(
            "the engine ray needs the package ray, which is not installed here: "
            "`pip install ray`, or use --engine processes"
        ) from error
    started = not ray.is_initialized()
    address = os.environ.get("RAY_ADDRESS")
    try:
        if started:
            ray.init(address=address, log_to_driver=False)
    except (OSError, RuntimeError) as error:
        raise ConfigurationError(
            f"no Ray cluster answers at {address or 'this machine'} ({error}); start one, or mend "
            "RAY_ADDRESS"
        ) from error
    register_ray()
    try:
        with joblib.parallel_config(backend="ray", n_jobs=jobs):
            yield
    finally:
        if started:
            ray.shutdown()
