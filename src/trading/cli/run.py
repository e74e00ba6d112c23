"""`trading run` and `trading session`: their options; the work is in `run_session`."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trading.cli.options import (
    DAY,
    AsJson,
    Parameters,
    SectorFile,
    SizerName,
    SizerParameters,
    Strategies,
    TradingSets,
    UniverseChoice,
    command,
)

if TYPE_CHECKING:
    from trading.market.bars import BarInterval

session_app = typer.Typer(
    help="Look at a trading session, or stop and release it.", no_args_is_help=True
)
HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Folder of the session; .trading/paper by default.")
]


@dataclass(frozen=True)
class RunOptions:
    """The options of `trading run`, as they were given."""

    strategies: Strategies
    mode: Annotated[str, typer.Option(help="paper or live.")] = "paper"
    bars: Annotated[
        tuple[Path, ...],
        typer.Option(
            "--bars", help="Parquet or CSV files, or folders, of real bars; else simulated."
        ),
    ] = ()
    universe: UniverseChoice = "all"
    first: Annotated[
        date | None, typer.Option("--from", formats=DAY, help="First session that is traded.")
    ] = None
    last: Annotated[
        date | None, typer.Option("--to", formats=DAY, help="Last session, included.")
    ] = None
    bar_length: Annotated[
        str,
        typer.Option("--interval", help="Length of a bar: 1d, 1h or 1m; the last two need --bars."),
    ] = "1d"
    speed: Annotated[
        float | None, typer.Option(help="Market seconds a second; without it, no waiting at all.")
    ] = None
    every: Annotated[
        float | None,
        typer.Option(help="Stay, and look for new bars every so many minutes."),
    ] = None
    home: HomeOption = None
    sectors: SectorFile = None
    params: Parameters = ()
    sizer: SizerName = None
    sizer_params: SizerParameters = ()
    sets: TradingSets = ()
    as_json: AsJson = False

    @property
    def interval(self) -> "BarInterval":
        """The length of a bar; raises `ConfigurationError`."""
        from trading.cli.backtest_options import read_interval

        return read_interval(self.bar_length)


@command(RunOptions)
def run_command(options: RunOptions) -> int:
    """Trade strategies on paper: bar by bar, with the engine's own fills, limits and accounts.

    Run it again to go on where it stopped, or after new bars have come; exit code 3: there were
    none. A killed session loses nothing.
    """
    from trading.cli.run_session import run_session

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
