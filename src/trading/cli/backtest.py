"""`trading backtest`: its options; the work is in `backtest_run`, imported when it is asked for."""

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


@dataclass(frozen=True)
class BacktestOptions:
    """The options of the command, as they were given."""

    strategies: Strategies
    universe: UniverseChoice = "all"
    first: Annotated[
        date | None, typer.Option("--from", formats=DAY, help="First day that is traded on.")
    ] = None
    last: Annotated[date | None, typer.Option("--to", formats=DAY, help="Last day, included.")] = (
        None
    )
    params: Parameters = ()
    bars: Annotated[
        tuple[Path, ...],
        typer.Option("--bars", help="Parquet or CSV files of real bars; else simulated ones."),
    ] = ()
    lake: Annotated[
        str | None,
        typer.Option(help="Stored bars: a lake's folder or s3://…; read as data.store says."),
    ] = None
    bar_length: Annotated[
        str, typer.Option("--interval", help="Length of a bar: 1d, 1h or 1m.")
    ] = "1d"
    benchmark: Annotated[
        str | None,
        typer.Option(help="A file of bars (FILE or FILE:SYMBOL) or a symbol of the bars."),
    ] = None
    sectors: SectorFile = None
    fill: Annotated[
        str | None, typer.Option(help="next_open (default), next_close or same_close.")
    ] = None
    cash: Annotated[float | None, typer.Option(help="USD at the start.")] = None
    sizer: SizerName = None
    sizer_params: SizerParameters = ()
    sets: TradingSets = ()
    report: Annotated[Path | None, typer.Option(help="Write the HTML tear sheet here.")] = None
    csv: Annotated[
        Path | None, typer.Option(help="Write trades, orders, fills, … as CSV into this folder.")
    ] = None
    as_json: AsJson = False
    trials: Annotated[
        int, typer.Option(min=1, help="Backtests that the strategy was chosen from, in all.")
    ] = 1
    check_lookahead: Annotated[
        bool, typer.Option("--check-lookahead", help="Check that no decision sees the future.")
    ] = False
    cuts: Annotated[int, typer.Option(min=1, help="Bars at which look-ahead is checked.")] = 12
    sweep: Annotated[
        tuple[str, ...],
        typer.Option("--sweep", help="name=1,2,3 or name=from:to:step; may be repeated."),
    ] = ()
    samples: Annotated[
        int | None, typer.Option(min=1, help="Draw so many points of the sweep at random.")
    ] = None
    seed: Annotated[int, typer.Option(min=0, help="Seed of random points and cuts.")] = 0
    sort: Annotated[str, typer.Option(help="Figure that the sweep is sorted by.")] = "sharpe"
    jobs: Annotated[int, typer.Option(help="Processes of a sweep; -1: one a core.")] = -1
    engine: Annotated[str, typer.Option(help="Of a sweep: processes or ray.")] = "processes"
    results: Annotated[
        Path | None,
        typer.Option(help="Keep the sweep's points here (.csv, .parquet) and go on from there."),
    ] = None

    @property
    def interval(self) -> "BarInterval":
        """The length of a bar; raises `ConfigurationError`."""
        from trading.cli.backtest_options import read_interval

        return read_interval(self.bar_length)


@command(BacktestOptions)
def backtest_command(options: BacktestOptions) -> int:
    """Test a strategy on past bars: figures, tear sheet, look-ahead check, parameter sweep.

    Without --bars and --lake the market is simulated. Exit code 1: look-ahead was found, or every
    point of a sweep failed; 3: a sweep had every point already.
    """
    from trading.cli.backtest_run import run_backtest

    return run_backtest(options)
