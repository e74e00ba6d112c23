"""The state of a running account as arrays: positions, working orders, and the ledger.

Quantities are micro-shares and money is micro-dollars, both int64; docs/backtesting.md has the
rules. A `Book` is a plain tuple of arrays that the compiled functions of `matching`,
`risk.decision` and `backtest.kernel` write to, and that backtest and paper broker share.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]

MICRO = 1_000_000

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


ACCOUNT = np.dtype(
    [
        *((name, np.int64) for name in ("row", "cash", "initial", "peak", "halted")),
        *((name, np.int64) for name in ("realized", "dividends", "borrow")),
        *((name, np.int64) for name in ("commission", "slippage")),
        *((name, np.int64) for name in ("orders", "fills", "closings", "events", "active")),
        *((name, np.int64) for name in ("trades_today", "month", "month_shares")),
        *((name, np.int64) for name in ("gross", "working_buys", "working_sells")),
    ],
    align=True,
)
"""One record: the present row, money in micro-dollars, rows used of each table, and counters.

`peak` and `halted` are the drawdown breaker's; `trades_today` counts orders accepted in the
session, `month_shares` micro-shares traded in calendar month `month`; `gross`, `working_buys` and
`working_sells` are projections kept while deciding.
"""

SYMBOL = np.dtype(
    [
        *((name, np.int64) for name in ("position", "basis", "working_buys", "working_sells")),
        *((name, np.int64) for name in ("traded", "traded_row", "last_session", "dead")),
        ("last", np.float64),
    ],
    align=True,
)
"""One record a symbol.

`position` micro-shares and the `basis` micro-dollars paid for them (same sign); micro-shares of
working orders; `traded` micro-shares filled in row `traded_row`; `last` known close in USD, of the
session numbered `last_session` (NaN, -1 before the first); `dead`: delisted.
"""

ORDER = np.dtype(
    [
        *((name, np.int64) for name in ("row", "ended", "column", "quantity", "filled")),
        ("looked_at", np.int64),
        *((name, np.float64) for name in ("limit", "stop", "volatility", "dollar_volume")),
        *((name, np.int64) for name in ("side", "type", "time", "status", "reason", "triggered")),
    ],
    align=True,
)
"""One record an order that was accepted or rejected, by order number.

`row` of the decision, `ended` the row in which it left the market (-1 while it works), `looked_at`
the last row in which its price was met.
"""

FILL = np.dtype(
    [
        *((name, np.int64) for name in ("order", "row", "moment", "quantity")),
        ("price", np.float64),
        *((name, np.int64) for name in ("commission", "charge", "realized")),
    ],
    align=True,
)
"""One record a fill: order number, micro-shares, USD a share, micro-dollars."""

CLOSING = np.dtype(
    [
        *((name, np.int64) for name in ("row", "column", "quantity", "realized", "reason")),
        ("price", np.float64),
    ],
    align=True,
)
"""One record a position that ended without an order; the quantity has the position's sign."""

RISK_EVENT = np.dtype(
    [
        *((name, np.int64) for name in ("row", "column", "reason", "outcome")),
        *((name, np.float64) for name in ("value", "limit")),
        *((name, np.int64) for name in ("before", "after")),
    ],
    align=True,
)
"""One record a limit that tripped; `before` and `after` are micro-shares of the order."""


class Book(NamedTuple):
    """An account: its totals, its symbols, its working orders, its ledger.

    Attributes
    ----------
    account : (1,) ACCOUNT
    symbols : (N,) SYMBOL
    active : order numbers that work, ascending, `account.active` of them
    sector_gross : (G,) micro-dollars of projected gross exposure, while deciding
    orders, fills, closings, events : ORDER, FILL, CLOSING and RISK_EVENT records, with room to
        spare; the account says how many count
    """

    account: Records
    symbols: Records
    active: IntArray
    sector_gross: IntArray
    orders: Records
    fills: Records
    closings: Records
    events: Records


def new_book(symbols: int, sectors: int, cash: int, capacity: int = 1024) -> Book:
    """Return an account with `cash` micro-dollars and nothing else.

    Parameters
    ----------
    symbols, sectors : N and G
    capacity : rows of the ledger to begin with; `grown` makes more
    """
    account = np.zeros(1, dtype=ACCOUNT)
    for name in ("cash", "peak", "initial"):
        account[name] = cash
    account["month"] = -1
    each = np.zeros(symbols, dtype=SYMBOL)
    each["last"] = np.nan
    each["last_session"] = each["traded_row"] = -1
    return Book(
        account,
        each,
        np.zeros(capacity, dtype=np.int64),
        np.zeros(max(sectors, 1), dtype=np.int64),
        np.zeros(capacity, dtype=ORDER),
        np.zeros(capacity, dtype=FILL),
        np.zeros(capacity, dtype=CLOSING),
        np.zeros(capacity, dtype=RISK_EVENT),
    )


def grown(book: Book, needed: int) -> Book:
    """Return the book with room for `needed` more rows in every table of the ledger."""
    changed = {}
    for name in ("active", "orders", "fills", "closings", "events"):
        table, used = getattr(book, name), int(book.account[name][0])
        if len(table) < used + needed:
            longer = np.zeros(max(2 * len(table), used + needed), dtype=table.dtype)
            longer[:used] = table[:used]
            changed[name] = longer
    return book._replace(**changed)


def ledger(book: Book, name: str) -> Records:
    """Return the records of a table (`orders`, `fills`, `closings`, `events`) that count."""
    records: Records = getattr(book, name)[: int(book.account[name][0])]
    return records
