"""`trading data repairs`: what later bars proved about stored ones, and taking it back."""

from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from trading.cli.lake import choose_lake
from trading.cli.lake_upkeep import HomeFolder, LakePlace
from trading.cli.options import DAY, AsJson
from trading.cli.output import DONE, NOTHING_TO_DO, print_json, result
from trading.config import Settings, load_settings
from trading.data.intake.commit import Place, mend_older
from trading.data.lake import Lake
from trading.data.late_repairs import LateRepair
from trading.data.store.bars.location import open_configured_bars
from trading.data.store.base import ObjectStore
from trading.errors import ConfigurationError, DataError
from trading.market.calendar import today


def repairs_command(
    undo: Annotated[
        str | None, typer.Option(help="Take back the repairs of this symbol's bar, with --on.")
    ] = None,
    day: Annotated[
        datetime | None,
        typer.Option("--on", formats=DAY, help="The session of the bar."),
    ] = None,
    lake: LakePlace = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> int:
    """Show the repairs of stored bars that later bars proved, or take one back for good.

    The bars themselves are never changed; a repair counts for who reads as of a day after the bars
    that prove it. Exit code 3: there are none.
    """
    if (undo is None) != (day is None):
        raise ConfigurationError("--undo SYMBOL and --on DAY go together; give both or neither")
    settings = load_settings()
    choice = choose_lake(home, lake, simulated=False)
    if undo is None or day is None:
        with choice.looked_at(settings) as objects:
            found = Lake(objects).repairs()
    else:
        with choice.alone("`trading data repairs`"), choice.opened(settings) as objects:
            found = _undone(objects, undo.strip().upper(), day, settings)
    if as_json:
        print_json({"undone" if undo else "repairs": [_plain(row) for row in found]})
    elif found:
        result.print(_table(found, "taken back" if undo else "repairs of stored bars"))
    else:
        result.print("no stored bar is repaired")
    return DONE if found else NOTHING_TO_DO


def _undone(
    objects: ObjectStore, symbol: str, day: datetime, settings: Settings
) -> tuple[LateRepair, ...]:
    lake = Lake(objects)
    rows = [r for r in lake.repairs() if (r.symbol, r.session) == (symbol, day.date())]
    if not rows:
        raise DataError(
            f"no bar of {symbol} on {day:%Y-%m-%d} is repaired; `trading data repairs` shows which "
            "are"
        )
    now = today(settings.schedule.timezone)
    back = tuple(replace(r, undone=True, known=max(now, r.known)) for r in rows)
    with ExitStack() as opened:
        beside = None
        if settings.data.store.bars != "lake":
            bars = open_configured_bars(settings.data.store, objects)
            beside = opened.enter_context(closing(bars))
        mend_older(Place(objects, lake, simulated=False, beside=beside), back)
    return back


def _plain(row: LateRepair) -> dict[str, object]:
    return asdict(row) | {"known": f"{row.known}", "session": f"{row.session}"}


def _table(rows: tuple[LateRepair, ...], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("symbol", "session", "kind", "prices", "known", "why"):
        table.add_column(name)
    for row in rows:
        kind = row.kind.replace("_", " ")
        table.add_row(
            row.symbol, f"{row.session}", kind, f"x {row.scale:g}", f"{row.known}", row.evidence
        )
    return table
