"""The orders that work: which may still fill, and how they leave the market; compiled."""

from trading.compiled import compiled
from trading.execution.book import (
    CANCELLED,
    DAY,
    END_OF_SESSION,
    EXPIRED,
    PARTIALLY_FILLED,
    Book,
)


@compiled
def works(book: Book, order: int) -> bool:
    """Tell whether an order may still fill."""
    return bool(book.orders[order].status <= PARTIALLY_FILLED)


@compiled
def projected(book: Book, column: int) -> int:
    """Return the position of a symbol in micro-shares as if its working orders had filled."""
    working = book.symbols[column].working_buys - book.symbols[column].working_sells
    return int(book.symbols[column].position + working)


@compiled
def end_order(book: Book, order: int, status: int, reason: int) -> None:
    """Take an order off the market."""
    orders = book.orders
    column = orders[order].column
    rest = orders[order].quantity - orders[order].filled
    if orders[order].side > 0:
        book.symbols[column].working_buys -= rest
    else:
        book.symbols[column].working_sells -= rest
    orders[order].status = status
    orders[order].ended = book.account[0].row
    if reason != 0:
        orders[order].reason = reason


@compiled
def sweep_active(book: Book) -> None:
    """Drop the orders that no longer work from the list of active ones."""
    kept = 0
    for at in range(book.account[0].active):
        order = book.active[at]
        if works(book, order):
            book.active[kept] = order
            kept += 1
    book.account[0].active = kept


@compiled
def cancel_symbol(book: Book, column: int, reason: int) -> None:
    """Cancel every working order of a symbol."""
    if book.symbols[column].working_buys == 0 and book.symbols[column].working_sells == 0:
        return
    for at in range(book.account[0].active):
        order = book.active[at]
        if works(book, order) and book.orders[order].column == column:
            end_order(book, order, CANCELLED, reason)


@compiled
def expire_day_orders(book: Book) -> None:
    """End the DAY orders that still work when a session closes."""
    for at in range(book.account[0].active):
        order = book.active[at]
        if works(book, order) and book.orders[order].time == DAY:
            end_order(book, order, EXPIRED, END_OF_SESSION)
    sweep_active(book)
