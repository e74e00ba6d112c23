"""`trading run` and `trading session`: their options; the work is in `run_session`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

DAY = ["%Y-%m-%d"]

session_app = typer.Typer(
    help="Look at a trading session, or stop and release it.", no_args_is_help=True
)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Folder of the session; .trading/paper by default.")
]


def run_command(
    strategy: Annotated[
        str,
        typer.Argument(
            help="A strategy, or several with their shares of the capital: "
            "momentum:0.5,trend_following:0.5. module:Class names one that is not installed."
        ),
    ],
    mode: Annotated[str, typer.Option(help="paper or live.")] = "paper",
    bars: Annotated[
        list[Path] | None,
        typer.Option(
            "--bars", help="Parquet or CSV files, or folders, of real bars; else simulated."
        ),
    ] = None,
    universe: Annotated[
        str, typer.Option(help="all, top100 (most traded before the start), A,B,C or a file.")
    ] = "all",
    first: Annotated[
        datetime | None, typer.Option("--from", formats=DAY, help="First session that is traded.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=DAY, help="Last session, included.")
    ] = None,
    interval: Annotated[
        str, typer.Option(help="Length of a bar: 1d, 1h or 1m; the last two need --bars.")
    ] = "1d",
    speed: Annotated[
        float | None, typer.Option(help="Market seconds a second; without it, no waiting at all.")
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(help="Stay, and look for new bars every so many minutes."),
    ] = None,
    home: HomeOption = None,
    sectors: Annotated[
        Path | None,
        typer.Option(help="CSV with the columns symbol and sector, for risk.max_sector."),
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option("--param", help="name=value, or strategy.name=value; may be repeated."),
    ] = None,
    sizer: Annotated[str | None, typer.Option(help="Position sizer.")] = None,
    sizer_params: Annotated[
        list[str] | None, typer.Option("--sizer-param", help="name=value; may be repeated.")
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting, as in execution.account=margin or risk.…"),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Trade strategies on paper: bar by bar, with the engine's own fills, limits and accounts.

    Run it again to go on where it stopped, or after new bars have come; exit code 3: there were
    none. A killed session loses nothing.
    """
    from trading.cli.backtest_options import read_interval
    from trading.cli.run_session import RunOptions, run_session

    options = RunOptions(
        strategies=strategy,
        mode=mode,
        bars=tuple(bars or ()),
        universe=universe,
        first=first.date() if first else None,
        last=last.date() if last else None,
        interval=read_interval(interval),
        speed=speed,
        every=every,
        home=home,
        sectors=sectors,
        params=tuple(params or ()),
        sizer=sizer,
        sizer_params=tuple(sizer_params or ()),
        sets=tuple(sets or ()),
        as_json=as_json,
    )
    return run_session(options)


@session_app.command("status")
def status_command(home: HomeOption = None, as_json: AsJson = False) -> int:
    """Show the account, the positions, the open orders and what is halted."""
    from trading.cli.session_status import show_status

    return show_status(home, as_json=as_json)


@session_app.command("halt")
def halt_command(home: HomeOption = None) -> int:
    """Let nothing open or increase a position until a reset; strategies go on."""
    return _ask("halt", home)


@session_app.command("kill")
def kill_command(
    home: HomeOption = None,
    flatten: Annotated[bool, typer.Option(help="Close every position, too.")] = False,
) -> int:
    """Cancel every order and follow no strategy any more, until a reset."""
    return _ask("flatten" if flatten else "kill", home)


@session_app.command("reset")
def reset_command(home: HomeOption = None) -> int:
    """Release a session that was halted or killed; drawdown is measured from its present equity."""
    return _ask("reset", home)


def _ask(command: str, home: Path | None) -> int:
    from trading.cli.session_status import leave_command

    return leave_command(command, home)
