"""From targets and orders to accepted orders, compiled; backtest, paper and live call the same."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading.compiled import compiled, inner
from trading.execution.book import (
    ACCEPTED,
    CANCEL_ASKED,
    DAY,
    DELISTED,
    DRAWDOWN_HALT,
    EXIT,
    HALTING,
    MARKET,
    NO_BAR,
    REJECTED,
    SAME_CLOSE,
    STOP,
    STOP_LOSS,
    SUPERSEDED,
    TAKE_PROFIT,
    Book,
    Records,
)
from trading.execution.costs import Rules, value_of, whole_lots
from trading.execution.matching import equity_of, has_bar, match_same_close
from trading.execution.working_orders import sweep_active
from trading.risk.checks import check_increase, record_event
from trading.risk.order_limits import Increase, Limits, Moment
from trading.risk.tally import count_working, exposure_of, halt, tally_exposures, withdraw_symbol

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Kinds of instructions, as in `backtest.instructions`.
CANCEL, TARGET = 0, 1


ASKED = np.dtype(
    [
        ("column", np.int64),
        ("weight", np.float64),
        ("quantity", np.int64),
        ("limit", np.float64),
        ("stop", np.float64),
        *((name, np.int64) for name in ("kind", "side", "type", "time")),
    ],
    align=True,
)
"""One record an instruction; see `backtest.instructions.Instructions`."""


class Bar(NamedTuple):
    """One bar `(N,)` and what was known of each symbol at its close.

    Attributes
    ----------
    open, high, low, close, volume : (N,) float64
    volatility, dollar_volume : (N,) daily, or empty when no cost needs them
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    volatility: FloatArray
    dollar_volume: FloatArray


class Intent(NamedTuple):
    """An order before it has a number; fields as in `execution.book.ORDER`."""

    column: int
    side: int
    quantity: int
    type: int
    time: int
    limit: float
    stop: float


@inner
def _add_order(book: Book, row: int, intent: Intent, status: int, reason: int) -> int:
    """Write an order into the ledger; return its number."""
    order = book.account[0].orders
    book.account[0].orders = order + 1
    orders = book.orders
    orders[order].row = row
    orders[order].ended = row if status == REJECTED else -1
    orders[order].column = intent.column
    orders[order].side = intent.side
    orders[order].type = intent.type
    orders[order].time = intent.time
    orders[order].status = status
    orders[order].reason = reason
    orders[order].triggered = 0
    orders[order].quantity = intent.quantity
    orders[order].filled = 0
    orders[order].looked_at = -1
    orders[order].limit = intent.limit
    orders[order].stop = intent.stop
    orders[order].volatility = np.nan
    orders[order].dollar_volume = np.nan
    return int(order)


@inner
def _accept(book: Book, now: Moment, bar: Bar, order: int) -> None:
    """Let an order work from the next bar on."""
    orders = book.orders
    column = orders[order].column
    if len(bar.volatility) > 0:
        orders[order].volatility = bar.volatility[column]
        orders[order].dollar_volume = bar.dollar_volume[column]
    before = exposure_of(book, column)
    if orders[order].side > 0:
        book.symbols[column].working_buys += orders[order].quantity
    else:
        book.symbols[column].working_sells += orders[order].quantity
    change = exposure_of(book, column) - before
    book.account[0].gross += change
    book.sector_gross[now.sectors[column]] += change
    count_working(book, order, 1)
    book.account[0].trades_today += 1
    book.active[book.account[0].active] = order
    book.account[0].active += 1


@inner
def _submit(
    book: Book, rules: Rules, limits: Limits, now: Moment, bar: Bar, intent: Intent
) -> None:
    """Check an order and accept what the limits leave of it."""
    column, side, quantity = intent.column, intent.side, intent.quantity
    working = book.symbols[column].working_buys if side > 0 else book.symbols[column].working_sells
    standing = book.symbols[column].position + side * working
    reducing = min(quantity, abs(standing)) if side * standing < 0 else 0
    increase = Increase(column, side, reducing, quantity - reducing, 0, False)
    if increase.quantity > 0:
        increase = check_increase(book, rules, limits, now, increase)
    left = reducing + increase.quantity
    if left == 0:
        _add_order(book, now.row, intent, REJECTED, increase.reason)
    else:
        kept = Intent(column, side, left, intent.type, intent.time, intent.limit, intent.stop)
        order = _add_order(book, now.row, kept, ACCEPTED, increase.reason)
        _accept(book, now, bar, order)
    if increase.halts:
        halt(book, now)


@inner
def _reject(book: Book, rules: Rules, now: Moment, asked: Records, at: int, reason: int) -> None:
    """Write down an instruction that cannot be followed at all."""
    column = asked[at].column
    if asked[at].kind == TARGET:
        withdraw_symbol(book, now, column, SUPERSEDED)
        side = 1 if asked[at].weight > 0.0 else -1
        intent = Intent(column, side, 0, rules.order_type, rules.order_time, np.nan, np.nan)
    else:
        intent = _ordered(asked, at, asked[at].quantity)
    _add_order(book, now.row, intent, REJECTED, reason)


@inner
def _ordered(asked: Records, at: int, quantity: int) -> Intent:
    """Return the order that an instruction names."""
    return Intent(
        asked[at].column,
        asked[at].side,
        quantity,
        asked[at].type,
        asked[at].time,
        asked[at].limit,
        asked[at].stop,
    )


@inner
def _wanted_change(book: Book, rules: Rules, now: Moment, column: int, weight: float) -> int:
    """Return the signed micro-shares that lead from the position to a target weight."""
    if rules.cash_account and weight < 0.0:
        weight = 0.0
    base = book.account[0].initial if rules.initial_base else now.equity
    wanted = whole_lots(weight * base / now.closes[column], rules.lot)
    change = wanted - book.symbols[column].position
    if wanted != 0 and value_of(abs(change), now.closes[column]) < rules.min_trade:
        return 0
    return int(change)


@inner
def _follow(
    book: Book,
    rules: Rules,
    limits: Limits,
    now: Moment,
    bar: Bar,
    asked: Records,
    at: int,
    change: int,
) -> None:
    """Turn a target or an order into an order of the market."""
    if asked[at].kind == TARGET:
        column, side = asked[at].column, 1 if change > 0 else -1
        withdraw_symbol(book, now, column, SUPERSEDED)
        limit, stop = _policy_prices(rules, now.closes[column], side)
        intent = Intent(column, side, abs(change), rules.order_type, rules.order_time, limit, stop)
    else:
        intent = _ordered(asked, at, (asked[at].quantity // rules.lot) * rules.lot)
    if intent.quantity > 0:
        _submit(book, rules, limits, now, bar, intent)


@inner
def _policy_prices(rules: Rules, close: float, side: int) -> tuple[float, float]:
    """Return limit and stop of an order by policy; NaN where its type has none."""
    price, limit, stop = close, np.nan, np.nan
    if rules.order_type >= STOP:
        stop = price * (1.0 + side * rules.stop_offset)
        price = stop
    if rules.order_type not in (MARKET, STOP):
        limit = price * (1.0 - side * rules.limit_offset)
    return limit, stop


@inner
def _protect(book: Book, limits: Limits, now: Moment, bar: Bar) -> None:
    """Close the positions that hit their stop loss or take profit."""
    for column in range(len(book.symbols)):
        held = book.symbols[column].position
        if held == 0 or book.symbols[column].basis == 0:
            continue
        if not has_bar(bar.open, bar.high, bar.low, bar.close, column):
            continue
        cost = float(book.symbols[column].basis) / float(held)
        gain = (now.closes[column] - cost) / cost * (1.0 if held > 0 else -1.0)
        reason, limit = 0, 0.0
        if limits.stop_loss >= 0.0 and gain <= -limits.stop_loss:
            reason, limit = STOP_LOSS, limits.stop_loss
        elif limits.take_profit >= 0.0 and gain >= limits.take_profit:
            reason, limit = TAKE_PROFIT, limits.take_profit
        if reason == 0:
            continue
        withdraw_symbol(book, now, column, SUPERSEDED)
        side = -1 if held > 0 else 1
        intent = Intent(column, side, abs(held), MARKET, DAY, np.nan, np.nan)
        order = _add_order(book, now.row, intent, ACCEPTED, reason)
        _accept(book, now, bar, order)
        record_event(book, now.row, column, reason, EXIT, gain, limit, abs(held), abs(held))


@inner
def _watch_drawdown(book: Book, limits: Limits, now: Moment, reset: bool) -> None:
    account = book.account[0]
    if reset:
        account.halted = 0
        account.peak = now.equity
    account.peak = max(account.peak, now.equity)
    if limits.drawdown < 0.0 or account.halted != 0:
        return
    drawdown = (account.peak - now.equity) / account.peak if account.peak > 0 else 0.0
    if drawdown >= limits.drawdown:
        record_event(book, now.row, -1, DRAWDOWN_HALT, HALTING, drawdown, limits.drawdown, 0, 0)
        halt(book, now)


@compiled
def decide_row(
    book: Book,
    rules: Rules,
    limits: Limits,
    now: Moment,
    bar: Bar,
    asked: Records,
    first: int,
    end: int,
    reset: bool,
) -> int:
    """Carry out step 5 of a row: breaker, exits, instructions `first .. end`; return the equity.

    Parameters
    ----------
    now : the present; its equity is that of step 4
    reset : whether the breaker is reset before anything else
    """
    book.account[0].row = now.row
    exits = limits.stop_loss >= 0.0 or limits.take_profit >= 0.0
    if first == end and not exits and limits.drawdown < 0.0 and not reset:
        book.account[0].peak = max(book.account[0].peak, now.equity)
        return now.equity
    tally_exposures(book, now)
    _watch_drawdown(book, limits, now, reset)
    placed = book.account[0].orders
    if exits:
        _protect(book, limits, now, bar)
    exited = book.account[0].orders
    for at in range(first, end):
        if asked[at].kind == CANCEL and not _left(book, asked[at].column, placed, exited):
            withdraw_symbol(book, now, asked[at].column, CANCEL_ASKED)
    changes = np.zeros(end - first, dtype=np.int64)
    possible = np.zeros(end - first, dtype=np.int8)
    for at in range(first, end):
        column = asked[at].column
        if asked[at].kind == CANCEL or _left(book, column, placed, exited):
            continue
        possible[at - first] = 2
        if book.symbols[column].dead:
            possible[at - first] = DELISTED + 2
        elif not has_bar(bar.open, bar.high, bar.low, bar.close, column):
            possible[at - first] = NO_BAR + 2
        elif asked[at].kind == TARGET:
            changes[at - first] = _wanted_change(book, rules, now, column, asked[at].weight)
    for side in (-1, 1):
        for at in range(first, end):
            if possible[at - first] == 0:
                continue
            if _side_of(asked, at, changes[at - first], possible[at - first] > 2) != side:
                continue
            if possible[at - first] > 2:
                _reject(book, rules, now, asked, at, possible[at - first] - 2)
            else:
                _follow(book, rules, limits, now, bar, asked, at, changes[at - first])
    sweep_active(book)
    if rules.timing == SAME_CLOSE:
        match_same_close(book, rules, now.row, bar.high, bar.low, bar.close, bar.volume)
        return equity_of(book)
    return now.equity


@inner
def _left(book: Book, column: int, placed: int, exited: int) -> bool:
    """Tell whether this row's exits close the position of a symbol."""
    found = False
    for order in range(placed, exited):
        found = found or book.orders[order].column == column
    return found


@inner
def _side_of(asked: Records, at: int, change: int, impossible: bool) -> int:
    """Return the side that an instruction is looked at with; no change goes with the buys."""
    if asked[at].kind != TARGET:
        return int(asked[at].side)
    if impossible:
        return 1 if asked[at].weight > 0.0 else -1
    return -1 if change < 0 else 1
