"""`trading data rebuild`, `copy`, `delisted`: keep a lake in order, and tell it what it lacks."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from trading.cli.lake import choose_lake
from trading.cli.options import DAY, AsJson
from trading.cli.output import DONE, NOTHING_TO_DO, console, print_json, result
from trading.config import Settings, load_settings
from trading.data.lake import Lake
from trading.data.store.bars import BarStore, copy_bars, open_bars
from trading.errors import ConfigurationError, DataError
from trading.market.bars import CorporateAction, CorporateActionType

LakePlace = Annotated[
    str | None,
    typer.Option("--lake", help="Another lake than the embedded cloud's: a folder or s3://…."),
]
HomeFolder = Annotated[
    Path | None, typer.Option(help="Where the embedded cloud lies (default: $TRADING_HOME).")
]


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
        datetime | None, typer.Option("--from", formats=DAY, help="First day.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=DAY, help="Last day, included.")
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


def delisted_command(
    symbol: Annotated[str, typer.Argument(help="The symbol that the share bore last.")],
    day: Annotated[
        datetime,
        typer.Option("--on", formats=DAY, help="First day on which it was not listed."),
    ],
    final: Annotated[
        float | None,
        typer.Option(
            "--return",
            help="What was paid over the last close, minus one: -0.3, 0 for the last close itself, "
            "-1 for nothing. Left out: nobody knows.",
        ),
    ] = None,
    lake: LakePlace = None,
    home: HomeFolder = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="The embedded cloud's simulated market.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Tell a lake that a share left the market, and what its holders got.

    Months, evaluations, success rates and backtests then count that return for whoever held it.
    Telling it again corrects it. Exit code 3: the lake knew it.
    """
    if final is not None and not -1.0 <= final < float("inf"):
        raise ConfigurationError(
            f"--return {final} cannot be; expected a fraction such as -0.3, at least -1"
        )
    choice = choose_lake(home, lake, simulated=simulated)
    with choice.alone("`trading data delisted`"), choice.opened(load_settings()) as objects:
        held = Lake(objects)
        name = _last_bar(held, symbol.strip().upper(), day.date())
        action = CorporateAction(name, day.date(), CorporateActionType.DELISTING, final)
        told = held.ingest_actions([action], adjusted_through=day.date())
        place = objects.uri
    paid = "with a return that nobody knows" if final is None else f"with {final:+.2%}"
    if as_json:
        plain = {"lake": place, "symbol": name, "on": f"{day:%Y-%m-%d}", "return": final}
        print_json(plain | {"told": bool(told)})
    else:
        known = "" if told else ", which the lake knew"
        result.print(f"{place}: {name} left on {day:%Y-%m-%d} {paid}{known}", markup=False)
    return DONE if told else NOTHING_TO_DO


def _last_bar(lake: Lake, symbol: str, day: date) -> str:
    """Return the symbol if it has bars before `day` and none from it on; raises `DataError`."""
    bars = lake.bars([symbol], before=date.max)
    if bars.empty:
        raise DataError(f"the lake holds no bar of {symbol}; name it as `trading data check` does")
    last = bars["date"].max().date()
    if last >= day:
        raise DataError(
            f"{symbol} has a bar on {last}, so it was not delisted on {day}; --on is the first day "
            "without it"
        )
    return symbol


def _target(address: str | None, settings: Settings) -> BarStore:
    address = address or settings.data.store.address
    if not address:
        raise ConfigurationError(
            "there is nowhere to copy to: give --store postgresql://user@host/name, or set "
            "data.store.address"
        )
    return open_bars(address)
