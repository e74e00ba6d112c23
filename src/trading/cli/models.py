"""`trading models` and `trading rollback`: what became of the models, and going back to one."""

from typing import Any

from rich.markup import escape

from trading.cli.inspect import NO_MONTH, stored
from trading.cli.output import DONE, NOTHING_TO_DO, console, print_json, result, table
from trading.config import Settings
from trading.errors import ConflictError
from trading.month.lifecycle import roll_back_champion
from trading.month.model_record import ModelRecord

OPERATOR = "operator"


def show_models(settings: Settings, *, as_json: bool) -> int:
    """List every judged model: when, what it is, what became of it and why."""
    with stored(settings) as resources:
        records = resources.ledger.models.all() if resources else ()
    if not records:
        console.print(NO_MONTH)
        return NOTHING_TO_DO
    if as_json:
        print_json({"models": [record.model_dump(mode="json") for record in records]})
        return DONE
    grid = table("Models", "month", "version", "kind", "status", "reason")
    for record in records:
        grid.add_row(*_row(record))
    result.print(grid)
    return DONE


def _row(record: ModelRecord) -> tuple[str, ...]:
    status = f"[bold]{record.status}[/]" if record.status == "CHAMPION" else record.status
    return record.month, record.version, record.kind, status, escape(record.reason)


def roll_back(settings: Settings, version: str | None, reason: str, *, as_json: bool) -> int:
    """Make an earlier model champion: the one before, or any version that is kept."""
    with stored(settings) as resources:
        if resources is None:
            console.print(NO_MONTH)
            return NOTHING_TO_DO
        try:
            now = roll_back_champion(version, reason, OPERATOR, resources)
        except ConflictError as error:
            console.print(str(error), markup=False)
            return NOTHING_TO_DO
        pointer = resources.ledger.champion()
    if pointer is None or pointer.version != now:
        raise ConflictError(f"model {now} was made champion, and another process moved on at once")
    told: dict[str, Any] = pointer.ref().to_json() | {"reason": pointer.reason}
    if as_json:
        print_json(told)
    else:
        result.print(
            f"the champion is {pointer.version} of {pointer.month} again: {escape(reason)}"
        )
    return DONE
