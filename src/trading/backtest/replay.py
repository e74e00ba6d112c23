"""Carry out instructions over a feed: the border between objects and the compiled loop."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trading import compiled
from trading.backtest.feed import BarFeed, Sessions
from trading.backtest.instructions import Instructions
from trading.backtest.kernel import Curve, Tape, run_rows
from trading.backtest.result import BacktestResult, StrategyRecord
from trading.backtest.settings import BacktestSettings
from trading.errors import DataError, OrderError
from trading.execution.book import MICRO, Book, Records, grown, new_book
from trading.execution.costs import SQUARE_ROOT, Rules
from trading.execution.settings import ExecutionSettings
from trading.market.panel import Panel
from trading.risk.decision import ASKED
from trading.risk.order_limits import Limits
from trading.risk.settings import RiskSettings

FloatArray = npt.NDArray[np.float64]
COST_WINDOW = 21
FEWEST_SESSIONS = 14
LARGEST_MICROS = 10**18


def replay(
    feed: BarFeed,
    instructions: Instructions,
    execution: ExecutionSettings,
    risk: RiskSettings,
    *,
    start: int = 0,
    resets: Sequence[int] = (),
    settings: BacktestSettings | None = None,
    strategies: tuple[StrategyRecord, ...] = (),
    failures: tuple[tuple[str, str], ...] = (),
) -> BacktestResult:
    """Carry out instructions over a feed by the rules of docs/backtesting.md.

    Parameters
    ----------
    instructions : columns count the feed's symbols, rows its bars
    start : the first row that is run; those before it are history, the result begins with it
    resets : rows on which the drawdown breaker is reset by hand
    settings, strategies, failures : what the result says it was run with

    Raises
    ------
    DataError
        An instruction or a reset lies outside the feed.
    OrderError
        The account came to hold a trillion USD.
    """
    rules, limits = Rules.of(execution), Limits.of(risk)
    bars, symbols = feed.data.shape
    if len(instructions) and not 0 <= instructions.columns.min() <= instructions.columns.max() < (
        symbols
    ):
        raise DataError(f"an instruction names a column outside the {symbols} symbols")
    if bars and not 0 <= start < bars:
        raise DataError(f"the run is to begin at bar {start} of {bars}; give it later bars")
    outside = [row for row in resets if not start <= row < bars]
    if outside:
        raise DataError(
            f"the reset of row {outside[0]} lies outside the {bars - start} bars of the run"
        )
    if len(instructions) and instructions.rows[0] < start:
        raise DataError(f"an instruction of bar {instructions.rows[0]} comes before the start")
    tape = _tape(feed, rules, limits, instructions.offsets(bars), resets)
    sectors = int(feed.sector_codes.max(initial=0)) + 1
    expected = 1024 + len(instructions) + 4 * symbols
    book = new_book(symbols, sectors, int(execution.initial_cash * MICRO), expected)
    curve = Curve(*(np.zeros(bars, dtype=np.int64) for _ in range(4)))
    book = _run(book, rules, limits, tape, _asked(instructions), curve, start)
    _require_bounded(curve, feed)
    return BacktestResult(
        feed=feed.since(start),
        settings=settings or BacktestSettings(execution=execution, risk=risk),
        strategies=strategies,
        book=_counted_from(book, start),
        curve=Curve(*(column[start:] for column in curve)),
        failures=failures,
    )


def _counted_from(book: Book, start: int) -> Book:
    """Return the book with the rows of its ledger counted from `start`."""
    if start:
        book.account["row"] -= start
        for table, names in (
            (book.orders, ("row", "ended", "looked_at")),
            (book.fills, ("row",)),
            (book.closings, ("row",)),
            (book.events, ("row",)),
            (book.symbols, ("traded_row",)),
        ):
            for name in names:
                table[name][table[name] >= 0] -= start
    return book


def _require_bounded(curve: Curve, feed: BarFeed) -> None:
    """Whole micro-dollars end at 9.2e18; stop long before sums of them could."""
    for name, micros in curve._asdict().items():
        beyond = np.flatnonzero((micros >= LARGEST_MICROS) | (micros <= -LARGEST_MICROS))
        if len(beyond):
            raise OrderError(
                f"on {feed.data.sessions[beyond[0]]} the account's {name} passed "
                f"{LARGEST_MICROS // MICRO:,} USD, the most that is counted to a millionth; "
                "trade smaller quantities"
            )


def is_compiled() -> bool:
    """Tell whether the engine is compiled; else the first run takes half a minute longer."""
    return compiled.is_compiled("run_rows")


def compile_engine() -> None:
    """Compile the engine, so that processes that are started later find it."""
    price = np.full((1, 1), 1.0)
    session = np.array(["2000-01-03"], dtype="datetime64[D]")
    panel = Panel(session, ("A",), price, price, price, price, price, price)
    feed = BarFeed.from_panel(panel, actions=())
    replay(feed, Instructions.none(), ExecutionSettings(), RiskSettings())


def _run(
    book: Book,
    rules: Rules,
    limits: Limits,
    tape: Tape,
    asked: Records,
    curve: Curve,
    start: int,
) -> Book:
    row, bars = start, len(tape.first)
    while True:
        row = run_rows(book, rules, limits, tape, asked, curve, row, bars)
        if row == bars:
            return book
        wanted = int(tape.asked_offsets[row + 1] - tape.asked_offsets[row])
        working = int(book.account["active"][0])
        book = grown(book, 3 * (working + len(book.symbols)) + 10 * wanted + 16)


def _asked(instructions: Instructions) -> Records:
    """Return the instructions as the records that the compiled functions read."""
    asked = np.zeros(len(instructions), dtype=ASKED)
    for name, column in (
        ("column", instructions.columns),
        ("kind", instructions.kinds),
        ("weight", instructions.weights),
        ("side", instructions.sides),
        ("quantity", instructions.quantities),
        ("type", instructions.types),
        ("limit", instructions.limits),
        ("stop", instructions.stops),
        ("time", instructions.times),
    ):
        asked[name] = column
    return asked


def _tape(
    feed: BarFeed,
    rules: Rules,
    limits: Limits,
    asked_offsets: npt.NDArray[np.int64],
    resets: Sequence[int],
) -> Tape:
    data, sessions = feed.data, feed.sessions
    bars, symbols = data.shape
    rows, columns, kinds, values = feed.action_columns
    known = np.zeros(bars, dtype=bool)
    known[list(resets)] = True
    nothing = np.empty((0, symbols))
    costs = cost_inputs(feed) if rules.slippage == SQUARE_ROOT else (nothing, nothing)
    opens, highs, lows, closes, volumes = (
        np.ascontiguousarray(getattr(data, name))
        for name in ("open", "high", "low", "close", "volume")
    )
    return Tape(
        open=opens,
        high=highs,
        low=lows,
        close=closes,
        volume=volumes,
        history=_adjusted_closes(feed) if limits.needs_history else nothing,
        volatility=costs[0],
        dollar_volume=costs[1],
        first=sessions.first,
        last=sessions.last,
        session=sessions.index,
        day=sessions.day,
        month=sessions.month,
        sectors=feed.sector_codes,
        action_offsets=np.searchsorted(rows, np.arange(bars + 1)),
        action_columns=columns,
        action_kinds=kinds,
        action_values=values,
        asked_offsets=asked_offsets,
        resets=known,
    )


def cost_inputs(feed: BarFeed) -> tuple[FloatArray, FloatArray]:
    """Return daily volatility and mean dollar volume `(T, N)` that were known at each bar.

    A session is known from its last bar on. NaN where fewer than 14 of the last 21 sessions are.
    """
    data, sessions = feed.data, feed.sessions
    starts = np.flatnonzero(sessions.first)
    exists = _bar_exists(feed)
    traded = np.where(exists, data.volume * data.close, np.nan)
    dollars = np.add.reduceat(np.nan_to_num(traded), starts, axis=0)
    dollars[~np.logical_or.reduceat(np.isfinite(traded), starts, axis=0)] = np.nan
    closes = _session_closes(_adjusted_closes(feed), sessions)
    returns = np.full(closes.shape, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        returns[1:] = closes[1:] / closes[:-1] - 1.0
    known = np.where(sessions.last, sessions.index, sessions.index - 1)
    figures = (window_statistics(returns)[1], window_statistics(dollars)[0])
    picked = [figure[np.maximum(known, 0)] for figure in figures]
    for figure in picked:
        figure[known < 0] = np.nan
    return picked[0], picked[1]


def _bar_exists(feed: BarFeed) -> npt.NDArray[np.bool_]:
    data = feed.data
    return np.isfinite(data.open + data.high + data.low + data.close)


def _adjusted_closes(feed: BarFeed) -> FloatArray:
    """Return adjusted closes `(T, N)`, NaN where a bar does not count."""
    return np.where(_bar_exists(feed), feed.data.adjusted_close, np.nan)


def _session_closes(closes: FloatArray, sessions: Sessions) -> FloatArray:
    """Return the last known close `(S, N)` within each session."""
    found = np.full((int(sessions.last.sum()), closes.shape[1]), np.nan)
    for row in range(len(closes)):
        known = np.isfinite(closes[row])
        found[sessions.index[row], known] = closes[row, known]
    return found


def window_statistics(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and sample deviation `(S, N)` of the known values of the last 21 rows.

    Each follows from the window's values alone, bit for bit, wherever the data begins.
    """
    known = np.isfinite(values)
    count = np.zeros(values.shape)
    total = np.zeros(values.shape)
    for lag in range(min(COST_WINDOW, len(values))):
        end = len(values) - lag
        count[lag:] += known[:end]
        total[lag:] += np.where(known[:end], values[:end], 0.0)
    enough = count >= FEWEST_SESSIONS
    mean = np.where(enough, total / np.maximum(count, 1.0), np.nan)
    squares = np.zeros(values.shape)
    for lag in range(min(COST_WINDOW, len(values))):
        end = len(values) - lag
        away = np.where(known[:end], values[:end] - mean[lag:], 0.0)
        squares[lag:] += away * away
    return mean, np.where(enough, np.sqrt(squares / np.maximum(count - 1.0, 1.0)), np.nan)
