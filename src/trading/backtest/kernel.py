"""The event loop: sessions open, bars match, closes mark, decisions follow; compiled."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading.compiled import compiled, inner
from trading.execution.book import Book, Records
from trading.execution.costs import Rules, value_of
from trading.execution.matching import (
    apply_action,
    mark_row,
    match_row,
    open_session,
)
from trading.execution.working_orders import expire_day_orders
from trading.risk.decision import Bar, decide_row
from trading.risk.order_limits import Limits, Moment

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class Tape(NamedTuple):
    """Everything that a run replays, as arrays.

    Attributes
    ----------
    open, high, low, close, volume : (T, N) float64
    history : (T, N) adjusted closes, or (0, N) when no limit needs them
    volatility, dollar_volume : (T, N) daily, known at each row, or (0, N)
    first, last : (T,) bool, first and last row of a session
    session, day, month : (T,) int64, see `backtest.feed.Sessions`
    sectors : (N,) int64
    action_offsets : (T + 1,) int64 into the columns, kinds and values of corporate actions
    asked_offsets : (T + 1,) int64 into the instructions
    resets : (T,) bool, rows that reset the breaker
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    history: FloatArray
    volatility: FloatArray
    dollar_volume: FloatArray
    first: BoolArray
    last: BoolArray
    session: IntArray
    day: IntArray
    month: IntArray
    sectors: IntArray
    action_offsets: IntArray
    action_columns: IntArray
    action_kinds: IntArray
    action_values: FloatArray
    asked_offsets: IntArray
    resets: BoolArray


class Curve(NamedTuple):
    """What is recorded of every row, `(T,)` int64 micro-dollars."""

    equity: IntArray
    cash: IntArray
    gross: IntArray
    net: IntArray


@compiled
def run_rows(
    book: Book,
    rules: Rules,
    limits: Limits,
    tape: Tape,
    asked: Records,
    curve: Curve,
    start: int,
    end: int,
) -> int:
    """Run rows `start .. end - 1`; return the first row that was not run for want of room."""
    symbols = len(book.symbols)
    nothing = np.empty(0)
    for row in range(start, end):
        first, last = tape.asked_offsets[row], tape.asked_offsets[row + 1]
        if _room(book) < rows_needed(book, symbols, last - first):
            return row
        _open_row(book, rules, tape, row)
        opens, highs, lows = tape.open[row], tape.high[row], tape.low[row]
        closes, volumes = tape.close[row], tape.volume[row]
        match_row(book, rules, row, opens, highs, lows, closes, volumes)
        if tape.last[row]:
            expire_day_orders(book)
        session = tape.session[row]
        equity = mark_row(book, rules, row, session, tape.last[row], opens, highs, lows, closes)
        known = len(tape.volatility) > 0
        bar = Bar(
            opens,
            highs,
            lows,
            closes,
            volumes,
            tape.volatility[row] if known else nothing,
            tape.dollar_volume[row] if known else nothing,
        )
        seen = row + 1 if len(tape.history) > 0 else 0
        now = Moment(row, equity, tape.sectors, closes, tape.history[:seen])
        equity = decide_row(book, rules, limits, now, bar, asked, first, last, tape.resets[row])
        _record(book, curve, row, equity)
    return end


@inner
def rows_needed(book: Book, symbols: int, instructions: int) -> int:
    """Return how many rows of each table one more row of the tape can take at most."""
    working = book.account[0].active
    return int(3 * (working + symbols) + 10 * instructions + 16)


@inner
def _room(book: Book) -> int:
    account = book.account[0]
    orders = len(book.orders) - account.orders
    fills = len(book.fills) - account.fills
    closings = len(book.closings) - account.closings
    events = len(book.events) - account.events
    active = len(book.active) - account.active
    return int(min(min(orders, fills), min(min(closings, events), active)))


@inner
def _open_row(book: Book, rules: Rules, tape: Tape, row: int) -> None:
    """Open a session: borrow fees, then corporate actions."""
    if tape.first[row]:
        days = tape.day[row] - tape.day[row - 1] if row > 0 else 0
        open_session(book, rules, days, tape.month[row])
    for at in range(tape.action_offsets[row], tape.action_offsets[row + 1]):
        column, kind = tape.action_columns[at], tape.action_kinds[at]
        apply_action(book, rules, row, column, kind, tape.action_values[at])


@inner
def _record(book: Book, curve: Curve, row: int, equity: int) -> None:
    gross, net = 0, 0
    for column in range(len(book.symbols)):
        if book.symbols[column].position != 0:
            value = value_of(book.symbols[column].position, book.symbols[column].last)
            gross += abs(value)
            net += value
    curve.equity[row] = equity
    curve.cash[row] = book.account[0].cash
    curve.gross[row] = gross
    curve.net[row] = net
