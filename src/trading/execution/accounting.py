"""What fills, splits, dividends and closings do to positions and cash, compiled."""

import numpy as np

from trading.compiled import compiled
from trading.execution.book import (
    SPLIT,
    Book,
)
from trading.execution.costs import value_of


@compiled
def take_basis(basis: int, closed: int, quantity: int) -> int:
    """Return the part of the basis that leaves with `closed` of `quantity` micro-shares."""
    if closed == quantity:
        return basis
    return int(np.rint(float(basis) * float(closed) / float(quantity)))


@compiled
def apply_fill(
    book: Book, column: int, side: int, quantity: int, price: float, commission: int, charge: int
) -> int:
    """Change position and cash by a fill; return what it realised, in micro-dollars."""
    account = book.account[0]
    account.cash -= side * value_of(quantity, price) + commission + charge
    account.commission += commission
    account.slippage += charge
    held = book.symbols[column].position
    realized = 0
    opened = quantity
    if side * held < 0:
        closed = min(quantity, abs(held))
        opened = quantity - closed
        taken = take_basis(book.symbols[column].basis, closed, abs(held))
        realized = -side * value_of(closed, price) - taken
        book.symbols[column].basis -= taken
        book.symbols[column].position += side * closed
        account.realized += realized
    if opened > 0:
        book.symbols[column].basis += side * value_of(opened, price)
        book.symbols[column].position += side * opened
    return realized


@compiled
def close_out(book: Book, row: int, column: int, quantity: int, price: float, reason: int) -> None:
    """Turn `quantity` of a position (with its sign) into cash without an order, at no cost."""
    if quantity == 0:
        return
    account = book.account[0]
    held = book.symbols[column].position
    taken = take_basis(book.symbols[column].basis, abs(quantity), abs(held))
    received = value_of(quantity, price)
    account.cash += received
    account.realized += received - taken
    book.symbols[column].basis -= taken
    book.symbols[column].position -= quantity
    at = account.closings
    account.closings = at + 1
    closings = book.closings
    closings[at].row = row
    closings[at].column = column
    closings[at].quantity = quantity
    closings[at].price = price
    closings[at].realized = received - taken
    closings[at].reason = reason


@compiled
def split_position(book: Book, row: int, column: int, ratio: float, lot: int) -> None:
    """Give `ratio` new shares for each old one; fractions of a lot are paid in cash.

    What less than half a micro-share is left of has cost its basis.
    """
    book.symbols[column].last /= ratio
    held = int(np.rint(book.symbols[column].position * ratio))
    book.symbols[column].position = held
    whole = (abs(held) // lot) * lot
    excess = held - whole if held >= 0 else held + whole
    if excess != 0:
        close_out(book, row, column, excess, book.symbols[column].last, SPLIT)
    elif held == 0:
        book.account[0].realized -= book.symbols[column].basis
        book.symbols[column].basis = 0


@compiled
def pay_dividend(book: Book, column: int, amount: float) -> None:
    """Pay `amount` USD a share on what is held; a short pays it."""
    paid = value_of(book.symbols[column].position, amount)
    book.account[0].cash += paid
    book.account[0].dividends += paid


@compiled
def charge_borrow(book: Book, rate: float, days: int) -> None:
    """Charge the borrow fee of every short position for a number of calendar days."""
    for column in range(len(book.symbols)):
        held = book.symbols[column].position
        if held < 0:
            fee = int(np.rint(value_of(-held, book.symbols[column].last) * rate * days / 360.0))
            book.account[0].cash -= fee
            book.account[0].borrow += fee
