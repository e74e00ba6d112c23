"""What changes an account without an order: splits, dividends, borrow fees, closings, transfers.

Every activity carries an id that is unique with its account, so that hearing of it twice changes
nothing, and the inputs of the rule in docs/backtesting.md rather than its outcome, so that any
account that held the position computes the same money.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.execution.orders import Fill


@dataclass(frozen=True, slots=True)
class Split:
    """`ratio` new shares for each old one; fractions of a lot are paid in cash at `last / ratio`.

    Attributes
    ----------
    last : USD a share, the last known close before the split; None where the symbol never traded
    whole_shares : whether fractions of a share are paid in cash
    """

    activity_id: str
    symbol: str
    timestamp: datetime
    ratio: Decimal
    last: Decimal | None
    whole_shares: bool = True


@dataclass(frozen=True, slots=True)
class Dividend:
    """`per_share` USD on every share held; a short position pays it."""

    activity_id: str
    symbol: str
    timestamp: datetime
    per_share: Decimal


@dataclass(frozen=True, slots=True)
class BorrowFee:
    """The fee of a short position for `days` calendar days, actual/360.

    Attributes
    ----------
    last : USD a share, the last known close
    rate : a year, a fraction of the value
    """

    activity_id: str
    symbol: str
    timestamp: datetime
    last: Decimal
    rate: Decimal
    days: int


@dataclass(frozen=True, slots=True)
class Closing:
    """The whole position ends at `price` without an order and without cost.

    Attributes
    ----------
    price : USD a share, >= 0
    reason : `delisted` or `stale`
    """

    activity_id: str
    symbol: str
    timestamp: datetime
    price: Decimal
    reason: str = "delisted"


@dataclass(frozen=True, slots=True)
class Transfer:
    """Cash that is paid in (positive) or out (negative), USD."""

    activity_id: str
    timestamp: datetime
    amount: Decimal


Activity = Split | Dividend | BorrowFee | Closing | Transfer


def identity(entry: Fill | Activity) -> tuple[str, list[Any]]:
    """Return the name of a fill or activity, and what must be alike where it comes again.

    Times and reasons may differ: brokers word and stamp a repeated report anew.
    """
    if isinstance(entry, Fill):
        amounts = (entry.quantity, entry.price, entry.commission, entry.slippage_charge)
        return f"fill {entry.fill_id}", [
            entry.symbol,
            entry.side.value,
            *(str(amount.normalize()) for amount in amounts),
        ]
    inputs: tuple[object, ...]
    match entry:
        case Split():
            inputs = (entry.symbol, entry.ratio, entry.last, entry.whole_shares)
        case Dividend():
            inputs = (entry.symbol, entry.per_share)
        case BorrowFee():
            inputs = (entry.symbol, entry.last, entry.rate, entry.days)
        case Closing():
            inputs = (entry.symbol, entry.price)
        case Transfer():
            inputs = (entry.amount,)
    plain = (str(x.normalize()) if isinstance(x, Decimal) else x for x in inputs)
    return f"activity {entry.activity_id}", [type(entry).__name__, *plain]
