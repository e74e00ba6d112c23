"""Run what `trading backtest` was asked for: a backtest, a look-ahead analysis or a sweep."""

import asyncio
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from trading.backtest.deflation import Trials
from trading.backtest.engine import Sleeve, backtest
from trading.backtest.lookahead import check_lookahead
from trading.backtest.replay import compile_engine, is_compiled
from trading.backtest.report.description import RunDescription
from trading.backtest.report.document import make_document
from trading.backtest.report.evidence import Evidence
from trading.backtest.report.page import render_page
from trading.backtest.report.significance import Significance
from trading.backtest.report.sweep_page import render_sweep
from trading.backtest.report.tables import write_tables
from trading.backtest.settings import BacktestSettings
from trading.backtest.sweep import (
    SweepEngine,
    SweepJob,
    SweepResult,
    grid_points,
    random_points,
    require_figure,
    run_sweep,
)
from trading.backtest.sweep_log import SweepLog, run_id
from trading.cli.backtest import BacktestOptions
from trading.cli.backtest_market import Market, load_market
from trading.cli.backtest_options import (
    StrategyRequest,
    nested,
    read_assignments,
    read_engine,
    read_ranges,
    read_settings,
    read_strategies,
    split_settings,
    spread_over,
)
from trading.cli.backtest_summary import print_lookahead, print_summary, print_sweep
from trading.cli.output import DONE, FAILED, NOTHING_TO_DO, console, print_json
from trading.config import Settings, load_settings
from trading.errors import ConfigurationError, RiskError, StoreError, StrategyError
from trading.risk.sizing import PositionSizer, build_sizer
from trading.strategy.runner import lookback_of

COMPILING = "compiling the engine: half a minute, once on a machine and for a version"


@dataclass(frozen=True, eq=False)
class Request:
    """The options, read and checked."""

    options: BacktestOptions
    strategies: tuple[StrategyRequest, ...]
    settings: BacktestSettings
    general: Settings
    engine: SweepEngine

    @classmethod
    def read(cls, options: BacktestOptions) -> "Request":
        """Read the options; raises `ConfigurationError` before anything is started."""
        _, others = split_settings(options.sets)
        return cls(
            options,
            read_strategies(options.strategies, options.params),
            read_settings(options),
            load_settings(overrides=nested(read_assignments(others, "--set"))),
            read_engine(options.engine),
        )

    def sizer(self) -> PositionSizer:
        """Return a new sizer; raises `ConfigurationError` for a wrong name or parameter."""
        try:
            return build_sizer(self.settings.sizer.name, self.settings.sizer.parameters)
        except (StrategyError, RiskError) as error:
            raise ConfigurationError(str(error)) from error

    def spread_over(self, market: Market) -> "Request":
        """Return the request with a sizer for this many names, see `spread_over`."""
        fair = spread_over(self.settings.sizer, len(market.feed.data.symbols))
        return replace(self, settings=self.settings.model_copy(update={"sizer": fair}))

    def sleeves(self) -> list[Sleeve]:
        """Return the strategies with their sizers and shares."""
        return [Sleeve(one.build(), self.sizer(), one.fraction) for one in self.strategies]


def run_backtest(options: BacktestOptions) -> int:
    """Do what the options ask for and return the exit code."""
    request = Request.read(options)
    if options.sweep:
        if options.check_lookahead:
            raise ConfigurationError("--sweep and --check-lookahead are two runs; ask for one")
        return _sweep(request)
    sleeves = request.sleeves()
    lookback = max(max(lookback_of(one.strategy), one.sizer.lookback) for one in sleeves)
    market = _load(request, lookback)
    request = request.spread_over(market)
    sleeves = request.sleeves()
    if options.check_lookahead:
        return _check(request, sleeves, market)
    return _run(request, sleeves, market)


def _run(request: Request, sleeves: Sequence[Sleeve], market: Market) -> int:
    options, made_at = request.options, datetime.now(UTC)
    with console.status("running the backtest" if is_compiled() else COMPILING):
        result = backtest(sleeves, market.feed, request.settings, start=market.start)
    evidence = Evidence.of(result, market.benchmark, Trials(options.trials))
    run = _describe(market, sleeves, request.settings)
    if options.report:
        with console.status("drawing the tear sheet"):
            _write(options.report, render_page(result, evidence, run, made_at))
    if options.csv:
        with _writing(options.csv, "tables", "--csv takes a folder"):
            write_tables(result, evidence, options.csv)
    if options.as_json:
        document = make_document(result, evidence, run, made_at)
        print_json(document.model_dump(mode="json"))
    else:
        print_summary(result, evidence, run)
    return DONE


def _check(request: Request, sleeves: Sequence[Sleeve], market: Market) -> int:
    options, reports = request.options, []
    for sleeve in sleeves:
        with _progress(f"look-ahead of {sleeve.strategy.strategy_id}") as tell:
            checked = check_lookahead(
                sleeve.strategy,
                market.feed.data,
                sizer=sleeve.sizer,
                cuts=options.cuts,
                seed=options.seed,
                progress=tell,
            )
            reports.append(asyncio.run(checked))
    passed = all(report.passed for report in reports)
    if options.as_json:
        print_json({"passed": passed, "strategies": [report.to_dict() for report in reports]})
    else:
        print_lookahead(reports)
    return DONE if passed else FAILED


def _sweep(request: Request) -> int:
    options = request.options
    if len(request.strategies) != 1:
        raise ConfigurationError("a sweep varies one strategy; name one")
    require_figure(options.sort)
    strategy = request.strategies[0]
    points = _points(options, strategy)
    market = _load(request, _longest_lookback(request, strategy, points))
    request = request.spread_over(market)
    job = SweepJob(
        strategy.strategy, market.feed, request.settings, strategy.parameters, market.start
    )
    log = None
    if options.results:
        same = (job.strategy.name, job.strategy.version, sorted(job.fixed.items()))
        run = run_id(market.feed, *same, request.settings.model_dump_json(), market.start)
        log = SweepLog(options.results, run)
    if not is_compiled():
        # Once here, instead of in every worker at the same time.
        with console.status(COMPILING):
            compile_engine()
    with _progress(f"sweep of {strategy.strategy_id}") as tell:
        result = run_sweep(
            job, points, jobs=options.jobs, engine=request.engine, log=log, progress=tell
        )
    best = result.best(options.sort)
    found = None if best is None else _significance(request, market, result, points[best])
    return _tell_sweep(request, market, result, found)


def _significance(
    request: Request, market: Market, sweep: SweepResult, point: dict[str, Any]
) -> Significance:
    """Return how sure the chosen point of a sweep is, all points counted as trials."""
    (strategy,) = request.strategies
    chosen = replace(strategy, parameters={**strategy.parameters, **point})
    with console.status("the chosen point against luck"):
        sleeve = Sleeve(chosen.build(), request.sizer())
        result = backtest([sleeve], market.feed, request.settings, start=market.start)
    tried = sweep.trials + request.options.trials - 1
    return Significance.of(result, market.benchmark, Trials(tried, sweep.sharpe_deviation))


def _tell_sweep(
    request: Request, market: Market, result: SweepResult, best: Significance | None
) -> int:
    options, name = request.options, request.strategies[0].strategy_id
    if options.report:
        run = _describe(market, (), request.settings)
        _write(
            options.report,
            render_sweep(
                result, options.sort, name, request.settings, run, datetime.now(UTC), best
            ),
        )
    if options.csv:
        with _writing(options.csv, "tables", "--csv takes a folder"):
            options.csv.mkdir(parents=True, exist_ok=True)
            result.table.to_csv(options.csv / "sweep.csv", index=False, lineterminator="\n")
    if options.as_json:
        print_json(_sweep_json(request, market, result, best))
    else:
        print_sweep(result, options.sort, name, market.simulated, request.settings, best)
    if not result.trials:
        console.print("[red]error:[/] every point of the sweep failed")
        return FAILED
    return DONE if result.fresh else NOTHING_TO_DO


def _sweep_json(
    request: Request, market: Market, result: SweepResult, best: Significance | None
) -> dict[str, Any]:
    ranked = result.ranked(request.options.sort)
    return {
        "strategy": request.strategies[0].strategy_id,
        "simulated": market.simulated,
        "fill": request.settings.execution.fill,
        "sorted_by": request.options.sort,
        "trials": result.trials,
        "failed": result.failed,
        "sharpe_deviation": result.sharpe_deviation,
        "significance_of_best": None if best is None else best.to_dict(),
        "points": json.loads(ranked.to_json(orient="records", double_precision=15)),
    }


def _points(options: BacktestOptions, strategy: StrategyRequest) -> tuple[dict[str, Any], ...]:
    ranges = read_ranges(options.sweep)
    known = strategy.strategy.parameters_type.model_fields
    unknown = [name for name in ranges if name not in known]
    if unknown:
        raise ConfigurationError(
            f"--sweep {unknown[0]}: {strategy.strategy_id} has no such parameter; it has "
            f"{', '.join(known) or 'none'}"
        )
    if options.samples is None:
        return grid_points(ranges)
    return random_points(ranges, options.samples, options.seed)


def _longest_lookback(
    request: Request, strategy: StrategyRequest, points: Sequence[dict[str, Any]]
) -> int:
    """Return the bars of history that serve every valid point: all start on the same bar."""
    found = [request.sizer().lookback]
    for point in points:
        try:
            built = strategy.strategy.build("", **{**strategy.parameters, **point})
            found.append(lookback_of(built))
        except StrategyError:
            continue  # The sweep records what is wrong with the point.
    return max(found)


def _load(request: Request, lookback: int) -> Market:
    with console.status("reading bars" if request.options.bars else "simulating a market"):
        return load_market(request.options, request.general, request.settings.risk, lookback)


def _describe(
    market: Market, sleeves: Sequence[Sleeve], settings: BacktestSettings
) -> RunDescription:
    shorts = [one.strategy.strategy_id for one in sleeves if not one.strategy.long_only]
    found = list(market.warnings)
    if shorts and settings.execution.account == "cash":
        found.append(
            f"Short sales of {', '.join(shorts)} are left out: a cash account has none "
            "(--set execution.account=margin allows them)."
        )
    return RunDescription(
        market.universe,
        market.source,
        market.simulated,
        market.benchmark.name,
        tuple(found),
        _command_line(),
    )


def _command_line() -> str:
    named = Path(sys.argv[0]).name == "trading"
    return shlex.join(["trading", *sys.argv[1:]]) if named else ""


def _write(file: Path, text: str) -> None:
    with _writing(file, "report", "--report takes a file"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


@contextmanager
def _writing(place: Path, what: str, hint: str) -> Iterator[None]:
    """Say where something was written; raises `StoreError` where it could not be."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{place} cannot be written ({error.strerror}); {hint}") from error
    console.print(f"{what}: {escape(str(place))}", soft_wrap=True)


@dataclass
class _Lines:
    """Progress for a log: one line at every tenth of the way."""

    title: str
    told: int = 0

    def tell(self, done: int, total: int) -> None:
        """Print a line if another tenth is done."""
        tenth = 10 * done // max(total, 1)
        if tenth > self.told:
            self.told = tenth
            console.print(f"{escape(self.title)}: {done} of {total}")


@contextmanager
def _progress(title: str) -> Iterator[Any]:
    """Yield a function of done and total: a bar on a terminal, a line each tenth elsewhere."""
    if not console.is_terminal:
        yield _Lines(title).tell
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(escape(title), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
