"""`trading backtest`: its options; the work is in `backtest_run`, imported when it is asked for."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

DAY = ["%Y-%m-%d"]


def backtest_command(
    strategy: Annotated[
        str,
        typer.Argument(
            help="A strategy, or several with their shares of the capital: "
            "momentum:0.5,trend_following:0.5. module:Class names one that is not installed."
        ),
    ],
    universe: Annotated[
        str, typer.Option(help="all, top100 (most traded before the start), A,B,C or a file.")
    ] = "all",
    first: Annotated[
        datetime | None, typer.Option("--from", formats=DAY, help="First day that is traded on.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=DAY, help="Last day, included.")
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option("--param", help="name=value, or strategy.name=value; may be repeated."),
    ] = None,
    bars: Annotated[
        list[Path] | None,
        typer.Option("--bars", help="Parquet or CSV files of real bars; else simulated ones."),
    ] = None,
    lake: Annotated[
        str | None,
        typer.Option(help="Stored bars: a lake's folder or s3://…; read as data.store says."),
    ] = None,
    interval: Annotated[str, typer.Option(help="Length of a bar: 1d, 1h or 1m.")] = "1d",
    benchmark: Annotated[
        str | None,
        typer.Option(help="A file of bars (FILE or FILE:SYMBOL) or a symbol of the bars."),
    ] = None,
    sectors: Annotated[
        Path | None,
        typer.Option(help="CSV with the columns symbol and sector, for risk.max_sector."),
    ] = None,
    fill: Annotated[
        str | None, typer.Option(help="next_open (default), next_close or same_close.")
    ] = None,
    cash: Annotated[float | None, typer.Option(help="USD at the start.")] = None,
    sizer: Annotated[str | None, typer.Option(help="Position sizer.")] = None,
    sizer_params: Annotated[
        list[str] | None, typer.Option("--sizer-param", help="name=value; may be repeated.")
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting, as in execution.account=margin or risk.…"),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the HTML tear sheet here.")] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write trades, orders, fills, … as CSV into this folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    check_lookahead: Annotated[
        bool, typer.Option("--check-lookahead", help="Check that no decision sees the future.")
    ] = False,
    cuts: Annotated[int, typer.Option(min=1, help="Bars at which look-ahead is checked.")] = 12,
    sweep: Annotated[
        list[str] | None,
        typer.Option("--sweep", help="name=1,2,3 or name=from:to:step; may be repeated."),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Draw so many points of the sweep at random.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of random points and cuts.")] = 0,
    sort: Annotated[str, typer.Option(help="Figure that the sweep is sorted by.")] = "sharpe",
    jobs: Annotated[int, typer.Option(help="Processes of a sweep; -1: one a core.")] = -1,
    engine: Annotated[str, typer.Option(help="Of a sweep: processes or ray.")] = "processes",
    results: Annotated[
        Path | None,
        typer.Option(help="Keep the sweep's points here (.csv, .parquet) and go on from there."),
    ] = None,
) -> int:
    """Test a strategy on past bars: figures, tear sheet, look-ahead check, parameter sweep.

    Without --bars and --lake the market is simulated. Exit code 1: look-ahead was found, or every
    point of a sweep failed; 3: a sweep had every point already.
    """
    from trading.cli.backtest_options import BacktestOptions, read_engine, read_interval
    from trading.cli.backtest_run import run_backtest

    options = BacktestOptions(
        strategies=strategy,
        universe=universe,
        first=first.date() if first else None,
        last=last.date() if last else None,
        params=tuple(params or ()),
        bars=tuple(bars or ()),
        lake=lake,
        interval=read_interval(interval),
        benchmark=benchmark,
        sectors=sectors,
        fill=fill,
        cash=cash,
        sizer=sizer,
        sizer_params=tuple(sizer_params or ()),
        sets=tuple(sets or ()),
        report=report,
        csv=csv,
        as_json=as_json,
        check_lookahead=check_lookahead,
        cuts=cuts,
        sweep=tuple(sweep or ()),
        samples=samples,
        seed=seed,
        sort=sort,
        jobs=jobs,
        engine=read_engine(engine),
        results=results,
    )
    return run_backtest(options)
