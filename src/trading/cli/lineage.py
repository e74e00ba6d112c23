"""`trading lineage` and `trading withdraw`: what a signal rests on, and taking a month back."""

from trading.cli.inspect import NO_MONTH, stored
from trading.cli.models import OPERATOR
from trading.cli.month_name import month_name
from trading.cli.output import DONE, FAILED, NOTHING_TO_DO, console, print_json, result
from trading.config import Settings
from trading.errors import ConflictError
from trading.month.lineage import trace
from trading.month.withdraw import withdraw_month

SHORT = 16


def show_lineage(settings: Settings, symbol: str, month: str | None, *, as_json: bool) -> int:
    """Print the chain from the data's hash to a signal and its mail; 1 when a link is broken."""
    if month is not None:
        month_name(month)
    with stored(settings) as resources:
        months = resources.signals.months() if resources else ()
        if resources is None or not months:
            console.print(NO_MONTH)
            return NOTHING_TO_DO
        lineage = trace(month or months[-1], symbol, resources)
    if as_json:
        print_json(lineage.model_dump(mode="json") | {"verified": lineage.verified})
        return DONE if lineage.verified else FAILED
    result.print(f"{lineage.symbol} in {lineage.month}, execution {lineage.execution}")
    for link in lineage.links:
        mark = "[green]ok[/]     " if link.verified else "[red]BROKEN[/] "
        result.print(f"{mark} {link.name:<8} {link.identity[:SHORT]:<{SHORT}} ", end="")
        result.print(link.detail, markup=False, soft_wrap=True)
    return DONE if lineage.verified else FAILED


def withdraw(
    settings: Settings, month: str, reason: str, *, mail_again: bool, as_json: bool
) -> int:
    """Take a stored month back, so that it can be run again."""
    month_name(month)
    with stored(settings) as resources:
        if resources is None:
            console.print(NO_MONTH)
            return NOTHING_TO_DO
        try:
            taken = withdraw_month(month, reason, OPERATOR, resources, mail_again=mail_again)
        except ConflictError as error:
            console.print(str(error), markup=False)
            return NOTHING_TO_DO
    if as_json:
        print_json(taken.model_dump(mode="json"))
        return DONE
    result.print(
        f"{month} is withdrawn: {len(taken.signals)} signals of model {taken.model_version};"
        " run the month again",
        soft_wrap=True,
    )
    return DONE
