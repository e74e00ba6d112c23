"""`trading fetch` and `trading backfill`: their options; the work is in `fetch_run`."""

from dataclasses import KW_ONLY, dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from trading.cli.options import DAY, AsJson, command


@dataclass(frozen=True)
class FetchOptions:
    """What both commands are told."""

    _: KW_ONLY
    provider: Annotated[
        str | None,
        typer.Option(
            help="polygon, alpha_vantage, yahoo, iex or simulated (default: data.provider)."
        ),
    ] = None
    symbols: Annotated[
        tuple[str, ...],
        typer.Option(help="Symbols, as AAPL,BRK.B; may be repeated (default: the universe)."),
    ] = ()
    symbols_file: Annotated[
        Path | None, typer.Option(help="A text file of symbols, one a line or between commas.")
    ] = None
    whole_market: Annotated[
        bool,
        typer.Option("--whole-market", help="Every symbol, of a provider that lists the market."),
    ] = False
    exchange: Annotated[
        str | None, typer.Option(help="Whose sessions (default: data.exchange).")
    ] = None
    home: Annotated[
        Path | None, typer.Option(help="Where the embedded cloud lies (default: $TRADING_HOME).")
    ] = None
    lake: Annotated[
        str | None,
        typer.Option("--lake", help="Another lake than the embedded cloud's: a folder or s3://…."),
    ] = None
    sets: Annotated[
        tuple[str, ...],
        typer.Option("--set", help="Change a setting, as data.providers.polygon.plan=free."),
    ] = ()
    as_json: AsJson = False


@dataclass(frozen=True)
class SessionOptions(FetchOptions):
    """What `trading fetch` is told."""

    session: Annotated[
        date | None,
        typer.Option(formats=DAY, help="The session (default: the last one that is over)."),
    ] = None


@dataclass(frozen=True)
class BackfillOptions(FetchOptions):
    """What `trading backfill` is told."""

    first: Annotated[date, typer.Option("--from", formats=DAY, help="The first day.")]
    last: Annotated[
        date | None,
        typer.Option("--to", formats=DAY, help="The last day (default: the last session)."),
    ] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan only.")] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a long one.")] = False


@command(SessionOptions)
def fetch_command(options: SessionOptions) -> int:
    """Fetch one session into the lake, judge it, and say where its quality page is.

    Exit code 1: bars are still to come, or the session failed its check; 3: nothing to do.
    """
    from trading.cli.fetch_run import run_fetch

    return run_fetch(options)


@command(BackfillOptions)
def backfill_command(options: BackfillOptions) -> int:
    """Fill the lake with a span of sessions; what is held already is not asked again.

    The plan is shown first: requests, time, disk. After Ctrl-C, a kill or a used-up quota the same
    command continues. Exit code 1: something is still to come; 3: nothing to do.
    """
    from trading.cli.fetch_run import run_backfill

    return run_backfill(options)
