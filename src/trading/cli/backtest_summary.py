"""What `trading backtest` prints: the figures beside the benchmark's, a sweep, a verdict."""

from collections.abc import Sequence

from rich.markup import escape

from trading.backtest.lookahead import MEANINGS, LookaheadReport
from trading.backtest.report import description, wording
from trading.backtest.report.description import RunDescription
from trading.backtest.report.evidence import Evidence, FigureRow
from trading.backtest.report.significance import Significance
from trading.backtest.report.sweep_page import COLUMNS, caution
from trading.backtest.result import BacktestResult
from trading.backtest.settings import BacktestSettings
from trading.backtest.sweep import SweepResult
from trading.cli.output import console, result, table

SHOWN_FIGURES = 10
SHOWN_POINTS = 20
TERMINAL_COLUMNS = ("total_return", "sharpe", "max_drawdown", "trades")


def print_summary(outcome: BacktestResult, evidence: Evidence, run: RunDescription) -> None:
    """Print the figures of a run, with its fill timing, costs and warnings."""
    title = escape(wording.strategy_title(outcome.strategies))
    if run.simulated:
        title += " on a [red]SIMULATED[/] market"
    shown = table(title, "", "strategy", "benchmark", right=("strategy", "benchmark"))
    for row in evidence.performance_rows()[:SHOWN_FIGURES]:
        shown.add_row(
            row.label,
            wording.figure(row.own, row.form),
            wording.figure(row.benchmark, row.form),
        )
    shown.add_section()
    own = (*evidence.relative_rows()[:3], *evidence.significance_rows())
    for row in (*own, *_trading(outcome, evidence)):
        shown.add_row(row.label, wording.figure(row.own, row.form), "")
    result.print(shown)
    execution = outcome.settings.execution
    for name, words in (
        ("period", wording.period(outcome)),
        ("fill", description.fill_words(execution)),
        ("costs", description.cost_words(execution)),
        ("sizing", wording.sizer_words(outcome.settings.sizer)),
        ("universe", run.universe),
        ("bars", run.source),
        ("benchmark", run.benchmark),
    ):
        result.print(f"{name:<10}{escape(words)}", soft_wrap=True)
    for warning in wording.warnings(outcome, evidence, run):
        console.print(f"[yellow]note:[/] {escape(warning)}", soft_wrap=True)


def _trading(outcome: BacktestResult, evidence: Evidence) -> tuple[FigureRow, ...]:
    wanted = ("Round trips", "Trades won", "Turnover a year, one way", "Commissions, USD")
    rows = {row.label: row for row in evidence.trading_rows(outcome)}
    return tuple(rows[label] for label in wanted)


def print_lookahead(reports: Sequence[LookaheadReport]) -> None:
    """Print the verdict on each strategy, and every kind of difference that was found."""
    for report in reports:
        colour = "green" if report.passed else "red"
        result.print(f"[{colour}]{escape(report.sentence())}[/]", soft_wrap=True)
        for test in MEANINGS:
            count = report.comparisons.get(test, 0)
            found = [one for one in report.differences if one.test == test]
            words = f"{count} compared" if count else "nothing to compare"
            result.print(f"  {test:<12} {words}{', a difference' if found else ''}")
        for one in report.differences[1:]:
            result.print(f"  {escape(one.sentence())}", soft_wrap=True)


def print_sweep(
    sweep: SweepResult,
    figure: str,
    strategy: str,
    simulated: bool,
    settings: BacktestSettings,
    best: Significance | None,
) -> None:
    """Print the best points of a sweep and how many trials they were chosen from."""
    columns = {name: COLUMNS[name] for name in TERMINAL_COLUMNS}
    columns[figure] = COLUMNS.get(figure, (wording.label(figure).capitalize(), "number"))
    headings = [*sweep.parameters, *(heading for heading, _ in columns.values())]
    title = f"{escape(strategy)}, sorted by {escape(wording.label(figure))}"
    if simulated:
        title += ", on a [red]SIMULATED[/] market"
    shown = table(title, *headings, right=tuple(headings))
    ranked = sweep.ranked(figure)
    for row in ranked[ranked["error"] == ""].head(SHOWN_POINTS).to_dict(orient="records"):
        figures = (wording.figure(row[name], form) for name, (_, form) in columns.items())
        shown.add_row(*(escape(str(row[name])) for name in sweep.parameters), *figures)
    result.print(shown)
    result.print(f"fill      {description.fill_words(settings.execution)}", soft_wrap=True)
    result.print(f"costs     {description.cost_words(settings.execution)}", soft_wrap=True)
    result.print(caution(sweep, best), soft_wrap=True)
    for row in ranked[ranked["error"] != ""].head(5).to_dict(orient="records"):
        where = ", ".join(f"{name} = {row[name]}" for name in sweep.parameters)
        told = escape(f"{where}: {row['error']}")
        console.print(f"[yellow]failed:[/] {told}", soft_wrap=True)
    if sweep.failed > 5:
        console.print(f"… and {sweep.failed - 5} more points failed")
