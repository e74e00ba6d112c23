"""`trading fetch` and `trading backfill`: options in, one function called, an exit code out."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from trading.cli.fetch_run import FetchOptions, run_backfill, run_fetch

DAY = ["%Y-%m-%d"]
Provider = Annotated[
    str | None,
    typer.Option(help="polygon, alpha_vantage, yahoo, iex or simulated (default: data.provider)."),
]
Symbols = Annotated[
    list[str] | None,
    typer.Option(help="Symbols, as AAPL,BRK.B; may be repeated (default: the universe)."),
]
SymbolsFile = Annotated[
    Path | None, typer.Option(help="A text file of symbols, one a line or between commas.")
]
WholeMarket = Annotated[
    bool, typer.Option("--whole-market", help="Every symbol, of a provider that lists the market.")
]
HomeFolder = Annotated[
    Path | None, typer.Option(help="Where the embedded cloud lies (default: $TRADING_HOME).")
]
LakePlace = Annotated[
    str | None,
    typer.Option("--lake", help="Another lake than the embedded cloud's: a folder or s3://…."),
]
Exchange = Annotated[str | None, typer.Option(help="Whose sessions (default: data.exchange).")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a setting, as data.providers.polygon.plan=free."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def fetch_command(
    session: Annotated[
        datetime | None,
        typer.Option(formats=DAY, help="The session (default: the last one that is over)."),
    ] = None,
    provider: Provider = None,
    symbols: Symbols = None,
    symbols_file: SymbolsFile = None,
    whole_market: WholeMarket = False,
    exchange: Exchange = None,
    home: HomeFolder = None,
    lake: LakePlace = None,
    sets: Sets = None,
    as_json: AsJson = False,
) -> int:
    """Fetch one session into the lake, judge it, and say where its quality page is.

    Exit code 1: bars are still to come, or the session failed its check; 3: nothing to do.
    """
    options = _options(
        provider, symbols, symbols_file, whole_market, exchange, home, lake, sets, as_json
    )
    return run_fetch(options, session.date() if session else None)


def backfill_command(
    first: Annotated[datetime, typer.Option("--from", formats=DAY, help="The first day.")],
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=DAY, help="The last day (default: the last session)."),
    ] = None,
    provider: Provider = None,
    symbols: Symbols = None,
    symbols_file: SymbolsFile = None,
    whole_market: WholeMarket = False,
    exchange: Exchange = None,
    home: HomeFolder = None,
    lake: LakePlace = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan only.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a long one.")] = False,
    sets: Sets = None,
    as_json: AsJson = False,
) -> int:
    """Fill the lake with a span of sessions; what is held already is not asked again.

    The plan is shown first: requests, time, disk. After Ctrl-C, a kill or a used-up quota the same
    command continues. Exit code 1: something is still to come; 3: nothing to do.
    """
    options = _options(
        provider, symbols, symbols_file, whole_market, exchange, home, lake, sets, as_json
    )
    options = replace(options, yes=yes, dry_run=dry_run)
    return run_backfill(options, first.date(), last.date() if last else None)


def _options(
    provider: str | None,
    symbols: list[str] | None,
    symbols_file: Path | None,
    whole_market: bool,
    exchange: str | None,
    home: Path | None,
    lake: str | None,
    sets: list[str] | None,
    as_json: bool,
) -> FetchOptions:
    return FetchOptions(
        provider=provider,
        symbols=tuple(symbols or ()),
        symbols_file=symbols_file,
        whole_market=whole_market,
        exchange=exchange,
        home=home,
        lake=lake,
        sets=tuple(sets or ()),
        as_json=as_json,
    )
