"""Exposures as if every working order had filled, summed up once and kept in step; compiled."""

import numpy as np

from trading.compiled import inner
from trading.execution.book import CANCELLED, DRAWDOWN_HALT, Book
from trading.execution.costs import value_of
from trading.execution.working_orders import end_order, projected, works
from trading.risk.order_limits import Moment


@inner
def tally_exposures(book: Book, now: Moment) -> None:
    """Sum up projected exposures and working orders at the present prices."""
    account = book.account[0]
    account.gross = account.working_buys = account.working_sells = 0
    book.sector_gross[:] = 0
    for column in range(len(book.symbols)):
        if book.symbols[column].position == 0 and (
            book.symbols[column].working_buys == 0 and book.symbols[column].working_sells == 0
        ):
            continue
        value = exposure_of(book, column)
        account.gross += value
        book.sector_gross[now.sectors[column]] += value
    for at in range(account.active):
        order = book.active[at]
        if works(book, order):
            count_working(book, order, 1)


@inner
def count_working(book: Book, order: int, sign: int) -> None:
    """Add what an order has left to fill (`sign` 1), or take it away (-1)."""
    orders = book.orders
    rest = orders[order].quantity - orders[order].filled
    price = book.symbols[orders[order].column].last
    value = value_of(rest, price) if np.isfinite(price) else 0
    if orders[order].side > 0:
        book.account[0].working_buys += sign * value
    else:
        book.account[0].working_sells += sign * value


@inner
def exposure_of(book: Book, column: int) -> int:
    """Return the projected exposure of a symbol, micro-dollars at its last price."""
    held = projected(book, column)
    return abs(value_of(held, book.symbols[column].last)) if held != 0 else 0


@inner
def withdraw(book: Book, now: Moment, order: int, reason: int) -> None:
    """Cancel an order and keep the tally in step."""
    column = book.orders[order].column
    before = exposure_of(book, column)
    count_working(book, order, -1)
    end_order(book, order, CANCELLED, reason)
    change = exposure_of(book, column) - before
    book.account[0].gross += change
    book.sector_gross[now.sectors[column]] += change


@inner
def withdraw_symbol(book: Book, now: Moment, column: int, reason: int) -> None:
    """Withdraw every working order of a symbol."""
    if book.symbols[column].working_buys == 0 and book.symbols[column].working_sells == 0:
        return
    for at in range(book.account[0].active):
        order = book.active[at]
        if works(book, order) and book.orders[order].column == column:
            withdraw(book, now, order, reason)


@inner
def halt(book: Book, now: Moment) -> None:
    """Stop every increase: cancel the working orders that would open or increase a position."""
    book.account[0].halted = 1
    orders = book.orders
    for at in range(book.account[0].active):
        order = book.active[at]
        if not works(book, order):
            continue
        side, column = orders[order].side, orders[order].column
        standing = book.symbols[column].position
        for before in range(at):
            other = book.active[before]
            if works(book, other) and orders[other].column == column and orders[other].side == side:
                standing += side * (orders[other].quantity - orders[other].filled)
        rest = orders[order].quantity - orders[order].filled
        if side * standing >= 0 or rest > abs(standing):
            withdraw(book, now, order, DRAWDOWN_HALT)
