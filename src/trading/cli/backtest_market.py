"""The market of a backtest: bars from files or simulated, the universe, the benchmark."""

import asyncio
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from trading.backtest.feed import BarFeed, final_delistings, implied_dividends
from trading.backtest.metrics import SESSIONS_PER_YEAR
from trading.backtest.report.curves import BenchmarkReturns
from trading.cli.backtest import BacktestOptions
from trading.cli.backtest_universe import Universe, read_universe
from trading.cli.sectors import read_sectors
from trading.cli.stored import open_stored
from trading.config import Settings
from trading.data.benchmark import load_benchmark
from trading.data.providers import open_provider
from trading.data.providers.files import describe_files
from trading.data.report import NOT_WANTED, IngestReport
from trading.data.store.bars import StoredProvider
from trading.errors import ConfigurationError, DataError
from trading.market.bars import BarInterval
from trading.market.calendar import FIRST_DAY, today
from trading.market.market_data import MarketData
from trading.market.panel import Panel
from trading.risk.settings import RiskSettings
from trading.session.intraday import read_intraday

RANKING_SESSIONS = 63
STALE_SESSIONS = 5
# One US share in about twenty leaves the market in a year; bars with far fewer are a selection.
LEAST_LEAVING_A_YEAR = 0.01


@dataclass(frozen=True, eq=False)
class Market:
    """What a run trades on.

    Attributes
    ----------
    feed : the bars, those before `start` are history
    start : the row of the first bar that is traded on
    universe, source : in words
    simulated : whether the market is invented
    benchmark : over the sessions from `start` on
    warnings : what is doubtful about the bars, one sentence each
    """

    feed: BarFeed
    start: int
    universe: str
    source: str
    simulated: bool
    benchmark: BenchmarkReturns
    warnings: tuple[str, ...]


def load_market(
    options: BacktestOptions, settings: Settings, risk: RiskSettings, lookback: int
) -> Market:
    """Read the bars that the options name.

    Parameters
    ----------
    lookback : bars of history that the strategies need

    Raises
    ------
    DataError
        The source, the period, the universe or the benchmark has no usable bars.
    ConfigurationError
        The period is empty, or the universe cannot be read.
    """
    if options.first and options.last and options.first > options.last:
        raise ConfigurationError(f"--from {options.first} lies after --to {options.last}")
    universe = read_universe(options.universe)
    if options.lake is not None and (options.bars or options.interval is not BarInterval.DAY):
        raise ConfigurationError(
            "--lake has daily bars of its own; leave --bars and --interval out"
        )
    stored = None if options.lake is None else open_stored(options.lake, settings)
    last = options.last or today(settings.schedule.timezone)
    known = None if stored is None else stored.fundamentals(last + timedelta(days=1))
    sectors = read_sectors(options.sectors, risk, known)
    if options.interval is BarInterval.DAY:
        market = _daily(options, settings, universe, lookback, stored)
    else:
        market = _intraday(options, universe, lookback)
    return replace(market, feed=replace(market.feed, sectors=sectors)) if sectors else market


def _daily(
    options: BacktestOptions,
    settings: Settings,
    universe: Universe,
    lookback: int,
    stored: StoredProvider | None,
) -> Market:
    # The month needs many names; a backtest of one is a backtest.
    few = settings.data.model_copy(update={"min_symbols": 1})
    provider = stored or open_provider(settings.model_copy(update={"data": few}), options.bars)
    last = options.last or today(settings.schedule.timezone)
    fetched = asyncio.run(provider.fetch(None, FIRST_DAY, last))
    everything = Panel.from_bars(fetched.bars)
    history = max(lookback, RANKING_SESSIONS + 1 if universe.top else 1)
    start = _start_row(everything.sessions, options.first, history)
    symbols = universe.members(everything, start)
    panel = everything.rows(slice(max(start - history + 1, 0), None)).select(symbols)
    start -= max(start - history + 1, 0)
    data = MarketData.from_panel(panel)
    # Bars are split-adjusted: a split is in the prices already. Dividends are what adjusted closes
    # say, so that cash and benchmark rest on the same bars.
    ended = final_delistings(panel, fetched.actions)
    feed = BarFeed(data, (*implied_dividends(data), *ended))
    benchmark = _benchmark(options.benchmark, everything, data, start, settings)
    found = (
        *_history_warnings(start, lookback),
        *universe.warnings,
        *_ingest_warnings(fetched.report),
        *_bar_warnings(data, start, settings),
    )
    source = fetched.report.source
    return Market(
        feed, start, universe.words(len(symbols)), source, provider.simulated, benchmark, found
    )


def _ingest_warnings(report: IngestReport) -> tuple[str, ...]:
    """Say which rows of the source were mended or left out."""
    left_out = {kind: count for kind, count in report.dropped.items() if kind not in NOT_WANTED}
    said = [
        f"; {what}: " + ", ".join(f"{kind.replace('_', ' ')} {n:,}" for kind, n in counts.items())
        for what, counts in (("left out", left_out), ("mended", report.repairs))
        if counts
    ]
    return (f"Rows: {report.rows_read:,} read{''.join(said)}.",) if said else ()


def _intraday(options: BacktestOptions, universe: Universe, lookback: int) -> Market:
    if not options.bars:
        raise ConfigurationError(
            f"--interval {options.interval} needs --bars FILE...: the simulated market is daily"
        )
    if universe.top:
        raise ConfigurationError("--universe topN needs daily bars; list the symbols")
    frame = pd.concat([read_intraday(file) for file in options.bars], ignore_index=True)
    if universe.symbols is not None:
        frame = frame[frame["symbol"].isin(universe.symbols)]
    feed = BarFeed.from_bars(frame, interval=options.interval)
    if options.last is not None:
        rows = int(np.searchsorted(feed.data.sessions, np.datetime64(options.last), side="right"))
        feed = BarFeed(feed.data.upto(rows - 1))
    data = feed.data
    start = _start_row(data.sessions, options.first, lookback)
    if options.benchmark:
        benchmark = _file_or_symbol(options.benchmark, data, start)
    else:
        benchmark = BenchmarkReturns.of_universe(data, start)
    words = universe.words(len(data.symbols))
    found = (*_history_warnings(start, lookback), *universe.warnings)
    return Market(feed, start, words, describe_files(options.bars), False, benchmark, found)


def _start_row(sessions: np.ndarray, first: date | None, history: int) -> int:
    """Return the first row to trade on: of `first`, else as soon as there is enough history."""
    bars = len(sessions)
    if first is None:
        if history > bars:
            raise DataError(
                f"{history} bars of history are needed before the first decision, but there are "
                f"only {bars}; give more bars, or a strategy that looks back less"
            )
        return history - 1
    row = int(np.searchsorted(sessions, np.datetime64(first, "D")))
    if row == bars:
        raise DataError(f"there is no bar from {first} on; the last is of {sessions[-1]}")
    return row


def _benchmark(
    named: str | None, everything: Panel, data: MarketData, start: int, settings: Settings
) -> BenchmarkReturns:
    if named is None:
        return BenchmarkReturns.of_universe(data, start)
    file, separator, symbol = named.rpartition(":")
    path, wanted = (Path(file), symbol) if separator else (Path(named), None)
    if path.is_file() or path.suffix:
        found = load_benchmark(path, wanted, settings.data.exchange)
        prices = found.bars["adjusted_close"].to_numpy(dtype=np.float64)
        days = found.bars["date"].to_numpy().astype("datetime64[D]")
        return BenchmarkReturns.from_prices(found.source, days, prices, data.sessions[start:])
    if named not in everything.symbols:
        raise DataError(
            f"the benchmark {named} is neither a file nor a symbol of the bars; give one of them"
        )
    column = everything.adjusted_close[:, everything.symbols.index(named)]
    return BenchmarkReturns.from_prices(named, everything.sessions, column, data.sessions[start:])


def _file_or_symbol(named: str, data: MarketData, start: int) -> BenchmarkReturns:
    """Return the session returns of a symbol of intraday bars."""
    if named not in data.columns:
        raise DataError(f"the benchmark {named} is not a symbol of the intraday bars")
    ends = np.flatnonzero(np.r_[data.sessions[1:] != data.sessions[:-1], True])
    prices = data.series(named, "close")[ends]
    sessions = data.sessions[ends]
    return BenchmarkReturns.from_prices(named, sessions, prices, np.unique(data.sessions[start:]))


def _history_warnings(start: int, lookback: int) -> list[str]:
    if start + 1 >= lookback:
        return []
    return [
        f"Only {start + 1} of the {lookback} bars that the strategy looks back on lie before the "
        f"start: before bar {lookback - start} of the run it decides on less, or not at all."
    ]


def _bar_warnings(data: MarketData, start: int, settings: Settings) -> list[str]:
    close = data.close[start:]
    known = ~np.isnan(close)
    found = []
    traded = known.any(axis=0)
    gone = int((traded & ~known[-STALE_SESSIONS - 1 :].any(axis=0)).sum())
    count = int(traded.sum())
    years = len(np.unique(data.sessions[start:])) / SESSIONS_PER_YEAR
    if count > 1 and gone < LEAST_LEAVING_A_YEAR * years * count:
        found.append(
            f"Survivorship: {gone or 'none'} of the {count:,} names stops trading before the end; "
            "in the market several in a hundred leave every year, so losers are probably missing, "
            "which flatters every long strategy."
        )
    if gone:
        found.append(
            f"Delistings: names that stop trading ({gone:,}) are closed at their last close, "
            "except where the data has a final return (execution.delisting_return changes that)."
        )
    limit = settings.data.outlier_return
    with np.errstate(divide="ignore", invalid="ignore"):
        moves = np.abs(data.adjusted_close[start + 1 :] / data.adjusted_close[start:-1] - 1.0)
    wild = int((moves > limit).sum())
    if wild:
        found.append(
            f"Outliers: daily returns above {limit:.0%}, {wild:,} of them, are real or errors."
        )
    if known.any() and np.array_equal(data.close, data.adjusted_close, equal_nan=True):
        found.append("No dividends: the adjusted close equals the close everywhere.")
    return found
