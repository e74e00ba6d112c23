"""The state of a running account as arrays: positions, working orders, and the ledger.

Quantities are micro-shares and money is micro-dollars, both int64; docs/backtesting.md has the
rules. A `Book` is a plain tuple of arrays that the compiled functions of `matching`,
`risk.decision` and `backtest.kernel` write to, and that backtest and paper broker share.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
CodeArray = npt.NDArray[np.int8]

MICRO = 1_000_000

# Places in `Book.totals`.
CASH, REALIZED, DIVIDENDS, BORROW, COMMISSION, SLIPPAGE = 0, 1, 2, 3, 4, 5
ORDERS, FILLS, CLOSINGS, EVENTS, ACTIVE = 6, 7, 8, 9, 10
TRADES_TODAY, HALTED, PEAK, MONTH, MONTH_SHARES, INITIAL = 11, 12, 13, 14, 15, 16
GROSS, WORKING_BUYS, WORKING_SELLS = 17, 18, 19
TOTALS = 20

# Status codes; the first two are working.
ACCEPTED, PARTIALLY_FILLED, FILLED, CANCELLED, EXPIRED, REJECTED = 0, 1, 2, 3, 4, 5

# Order types and times in force, as in `execution.orders`.
MARKET, LIMIT, STOP, STOP_LIMIT = 0, 1, 2, 3
DAY, GTC, IOC, FOK = 0, 1, 2, 3

# Moments of a bar.
OPEN, RANGE, CLOSE = 0, 1, 2

# Fill timing of market orders.
SAME_CLOSE, NEXT_OPEN, NEXT_CLOSE = 0, 1, 2

REASONS = (
    "",
    "split",
    "delisted",
    "stale",
    "no_bar",
    "superseded",
    "cancelled",
    "end_of_session",
    "immediate_or_cancel",
    "fill_or_kill",
    "no_position",
    "insufficient_cash",
    "drawdown_halt",
    "stop_loss",
    "take_profit",
    "no_equity",
    "halted",
    "max_daily_trades",
    "max_position",
    "max_sector",
    "max_leverage",
    "max_concentration",
    "max_correlation",
    "max_var",
)
(
    _,
    SPLIT,
    DELISTED,
    STALE,
    NO_BAR,
    SUPERSEDED,
    CANCEL_ASKED,
    END_OF_SESSION,
    IMMEDIATE_OR_CANCEL,
    FILL_OR_KILL,
    NO_POSITION,
    INSUFFICIENT_CASH,
    DRAWDOWN_HALT,
    STOP_LOSS,
    TAKE_PROFIT,
    NO_EQUITY,
    HALT,
    MAX_DAILY_TRADES,
    MAX_POSITION,
    MAX_SECTOR,
    MAX_LEVERAGE,
    MAX_CONCENTRATION,
    MAX_CORRELATION,
    MAX_VAR,
) = range(len(REASONS))

# Outcomes of a risk event.
RESIZED, REFUSED, HALTING, EXIT = 0, 1, 2, 3
OUTCOMES = ("resized", "rejected", "halted", "exit")


class Orders(NamedTuple):
    """Every order that was accepted or rejected, `(O,)` each, by order number."""

    row: IntArray
    column: IntArray
    side: CodeArray
    type: CodeArray
    time: CodeArray
    status: CodeArray
    reason: CodeArray
    triggered: CodeArray
    quantity: IntArray
    filled: IntArray
    looked_at: IntArray
    limit: FloatArray
    stop: FloatArray
    volatility: FloatArray
    dollar_volume: FloatArray


class Fills(NamedTuple):
    """Every fill, `(F,)` each: order number, row, micro-shares, USD and micro-dollars."""

    order: IntArray
    row: IntArray
    moment: CodeArray
    quantity: IntArray
    price: FloatArray
    commission: IntArray
    charge: IntArray
    realized: IntArray


class Closings(NamedTuple):
    """Positions that ended without an order, `(C,)` each; the quantity has the position's sign."""

    row: IntArray
    column: IntArray
    quantity: IntArray
    price: FloatArray
    realized: IntArray
    reason: CodeArray


class RiskEvents(NamedTuple):
    """Limits that tripped, `(R,)` each; `before` and `after` are micro-shares of the order."""

    row: IntArray
    column: IntArray
    reason: CodeArray
    outcome: CodeArray
    value: FloatArray
    limit: FloatArray
    before: IntArray
    after: IntArray


class Book(NamedTuple):
    """An account: totals, positions `(N,)`, working orders, ledger.

    Attributes
    ----------
    totals : (TOTALS,) int64, see the constants of this module
    position, basis : (N,) micro-shares, and the micro-dollars paid for them (same sign)
    last : (N,) float64 USD, last known close, NaN before the first
    last_session : (N,) ordinal of the session of the last bar, -1 before the first
    dead : (N,) bool, delisted
    working_buys, working_sells : (N,) micro-shares of working orders
    traded, traded_row : (N,) micro-shares filled in row `traded_row`
    active : order numbers that work, ascending, `totals[ACTIVE]` of them
    sector_gross : (G,) micro-dollars of projected gross exposure, while deciding
    """

    totals: IntArray
    position: IntArray
    basis: IntArray
    last: FloatArray
    last_session: IntArray
    dead: npt.NDArray[np.bool_]
    working_buys: IntArray
    working_sells: IntArray
    traded: IntArray
    traded_row: IntArray
    active: IntArray
    sector_gross: IntArray
    orders: Orders
    fills: Fills
    closings: Closings
    events: RiskEvents


_TYPES = {IntArray: np.int64, FloatArray: np.float64, CodeArray: np.int8}


def new_book(symbols: int, sectors: int, cash: int, capacity: int = 1024) -> Book:
    """Return an account with `cash` micro-dollars and nothing else.

    Parameters
    ----------
    symbols, sectors : N and G
    capacity : rows of the ledger to begin with; `grown` makes more
    """
    totals = np.zeros(TOTALS, dtype=np.int64)
    totals[[CASH, PEAK, INITIAL]] = cash
    totals[MONTH] = -1

    def integers() -> IntArray:
        return np.zeros(symbols, dtype=np.int64)

    return Book(
        totals,
        integers(),
        integers(),
        np.full(symbols, np.nan),
        np.full(symbols, -1, dtype=np.int64),
        np.zeros(symbols, dtype=np.bool_),
        integers(),
        integers(),
        integers(),
        np.full(symbols, -1, dtype=np.int64),
        np.zeros(capacity, dtype=np.int64),
        np.zeros(max(sectors, 1), dtype=np.int64),
        *(_table(kind, capacity) for kind in (Orders, Fills, Closings, RiskEvents)),
    )


def grown(book: Book, needed: int) -> Book:
    """Return the book with room for `needed` more rows in every table of the ledger."""
    totals = book.totals
    used = {
        "orders": int(totals[ORDERS]),
        "fills": int(totals[FILLS]),
        "closings": int(totals[CLOSINGS]),
        "events": int(totals[EVENTS]),
    }
    changed = {}
    for name, rows in used.items():
        table = getattr(book, name)
        size = max(2 * len(table[0]), rows + needed)
        if len(table[0]) < rows + needed:
            changed[name] = type(table)(*(_longer(column, size) for column in table))
    active = book.active
    if len(active) < int(totals[ACTIVE]) + needed:
        active = _longer(active, max(2 * len(active), int(totals[ACTIVE]) + needed))
    return book._replace(active=active, **changed)


def capacity(book: Book) -> int:
    """Return how many rows the fullest table of the ledger still takes."""
    totals = book.totals
    return int(
        min(
            len(book.orders.row) - totals[ORDERS],
            len(book.fills.row) - totals[FILLS],
            len(book.closings.row) - totals[CLOSINGS],
            len(book.events.row) - totals[EVENTS],
            len(book.active) - totals[ACTIVE],
        )
    )


def _table(kind: type, size: int) -> tuple[npt.NDArray[np.generic], ...]:
    columns = (np.zeros(size, dtype=_TYPES[of]) for of in kind.__annotations__.values())
    return kind(*columns)  # type: ignore[no-any-return]


def _longer(column: npt.NDArray[np.generic], size: int) -> npt.NDArray[np.generic]:
    longer = np.zeros(size, dtype=column.dtype)
    longer[: len(column)] = column
    return longer
