"""`trading data rebuild` and `copy`: make a lake's curated bars again, and copy them elsewhere."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from trading.cli.lake import choose_lake
from trading.cli.output import DONE, NOTHING_TO_DO, console, print_json, result
from trading.config import Settings, load_settings
from trading.data.lake import Lake
from trading.data.store.bars import BarStore, copy_bars, open_bars
from trading.errors import ConfigurationError, DataError

LakePlace = Annotated[
    str | None,
    typer.Option("--lake", help="Another lake than the embedded cloud's: a folder or s3://…."),
]
HomeFolder = Annotated[
    Path | None, typer.Option(help="Where the embedded cloud lies (default: $TRADING_HOME).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def rebuild_command(
    lake: LakePlace = None,
    home: HomeFolder = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="The embedded cloud's simulated market.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Make a lake's catalog, curated bars and table of actions again from its raw batches.

    Nothing raw is changed; killed in between, the lake reads as before. Exit code 3: there was
    nothing to mend.
    """
    choice = choose_lake(home, lake, simulated=simulated)
    with choice.alone("`trading data rebuild`"), choice.opened(load_settings()) as objects:
        held = Lake(objects)
        written = held.rebuild()
        sessions = len(held.sessions())
        place = objects.uri
    if as_json:
        print_json({"lake": place, "years_written": written, "sessions": sessions})
    else:
        result.print(
            f"{place}: {written} year(s) written anew, {sessions:,} sessions", markup=False
        )
    return DONE if written else NOTHING_TO_DO


def copy_command(
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, included.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--store", help="postgresql://user@host/name (default: data.store)."),
    ] = None,
    lake: LakePlace = None,
    home: HomeFolder = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="The embedded cloud's simulated market.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Copy a lake's served bars and actions into a database, and say which layout it has.

    What it holds already is compared, not written. Exit code 3: it held everything.
    """
    settings = load_settings()
    choice = choose_lake(home, lake, simulated=simulated)
    with choice.looked_at(settings) as objects:
        source = Lake(objects)
        sessions = source.sessions()
        if not len(sessions):
            raise DataError(
                f"{objects.uri} holds no sessions to copy; fill it with `trading backfill`"
            )
        target = _target(to, settings)
        try:
            begin: date = first.date() if first else sessions[0].astype(object)
            end: date = last.date() if last else sessions[-1].astype(object)
            console.print(f"copying {begin} to {end} into {target.description}", markup=False)
            done = copy_bars(source, target, begin, end)
        finally:
            target.close()
    if as_json:
        print_json({"store": target.description, "bars": done.rows, "written": done.written})
    else:
        result.print(
            f"{target.description}: {done.written:,} of {done.rows:,} bars written", markup=False
        )
    return DONE if done.written else NOTHING_TO_DO


def _target(address: str | None, settings: Settings) -> BarStore:
    address = address or settings.data.store.address
    if not address:
        raise ConfigurationError(
            "there is nowhere to copy to: give --store postgresql://user@host/name, or set "
            "data.store.address"
        )
    return open_bars(address)
