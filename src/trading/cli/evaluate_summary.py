"""What `trading evaluate` prints: contenders side by side, the evidence, the checks."""

from rich.markup import escape

from trading.cli.output import console, number, percent, result, table
from trading.evaluation.page_rows import capacity_rows, cost_rows, delisting_rows, evidence_rows
from trading.evaluation.study import Evaluation


def print_evaluation(found: Evaluation) -> None:
    """Print an evaluation."""
    title = escape(found.title) + (" on a [red]SIMULATED[/] market" if found.simulated else "")
    columns = ("return", "Sharpe", "± error", "drawdown", "turnover", "IC", "lead", "p")
    shown = table(title, "", *columns, right=columns)
    for name, figures in found.verdict.figures.items():
        shown.add_row(
            name.replace("_", " "),
            percent(figures.annual_return),
            number(figures.sharpe),
            number(figures.sharpe_error),
            percent(figures.max_drawdown),
            number(figures.annual_turnover),
            number(figures.information_coefficient, 3),
            percent(figures.excess_return),
            number(figures.p_value, 3),
        )
    result.print(shown)
    _print_rows("Evidence", ("", "value"), evidence_rows(found))
    _print_rows(
        "Capacity, a year",
        ("USD", "return", "over equal weight", "costs", "part.", "95 %", "exposure"),
        capacity_rows(found),
    )
    _print_rows(
        "Costs multiplied",
        ("by", "return", "over equal weight", "costs", "Sharpe"),
        cost_rows(found),
    )
    _print_rows(
        "Last return of names that left the market",
        ("taken as", "return", "over equal weight", "left while held"),
        delisting_rows(found),
    )
    for check in found.verdict.checks:
        mark = "[green]holds[/]" if check.passed else "[red]fails[/]"
        result.print(f"{mark}  {escape(check.reason)}", soft_wrap=True)
    if found.cross_validation is not None:
        ratios = ", ".join(number(ratio) for ratio in found.cross_validation.sharpe)
        result.print(f"Sharpe ratios of {found.cross_validation.paths} histories: {ratios}")
    result.print(f"[bold]{escape(found.verdict.summary)}[/]", soft_wrap=True)
    for warning in found.warnings:
        console.print(f"[yellow]note:[/] {escape(warning)}", soft_wrap=True)


def _print_rows(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if not rows:
        return
    shown = table(title, *columns, right=columns[1:])
    for row in rows:
        shown.add_row(*row)
    result.print(shown)
