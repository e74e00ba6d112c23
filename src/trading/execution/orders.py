"""Orders and fills, their names, and the codes that compiled code uses for them."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from trading.errors import OrderError


class Side(StrEnum):
    """Buy or sell; a sale beyond what is held is a short sale."""

    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    """How an order is priced."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"


class TimeInForce(StrEnum):
    """How long an order works: to the session's end, until cancelled, at once or not at all."""

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class OrderStatus(StrEnum):
    """Where an order stands."""

    NEW = "NEW"
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    PENDING_REPLACE = "PENDING_REPLACE"
    UNKNOWN = "UNKNOWN"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REPLACED = "REPLACED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it was meant; its progress is an `OrderRecord` of the order manager.

    Attributes
    ----------
    client_order_id : unique, deterministic: the same decision makes the same id after a restart
    quantity : shares, > 0
    limit_price, stop_price : USD, given exactly where the type needs them
    submitted_at : aware, UTC: the close of the bar that the decision was made on
    """

    client_order_id: str
    strategy_id: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType
    time_in_force: TimeInForce
    submitted_at: datetime
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution.

    Attributes
    ----------
    fill_id : unique with the broker; a repeated one is the same fill
    quantity : shares, > 0
    price : USD a share, within the bar's range
    commission : USD, >= 0
    slippage_charge : USD, >= 0: slippage that would have left the bar's range, paid in cash
    """

    fill_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal
    timestamp: datetime
    slippage_charge: Decimal = Decimal(0)


def client_order_id(strategy_id: str, decided_at: datetime, symbol: str, sequence: int = 0) -> str:
    """Return the id of an order: the same decision makes the same id, in every mode and restart.

    Parameters
    ----------
    strategy_id : who decided: a strategy or a session
    decided_at : aware: the close of the bar that the decision was made on
    sequence : tells the orders of one decision for one symbol apart, >= 0

    Returns
    -------
    str
        At most 48 characters of A-Z, a-z, 0-9 and `-`: the time (UTC), the symbol as far as it has
        such characters, the sequence, and 48 bits of a digest over all four, which keeps ids apart
        whose readable parts are alike. Sorting ids sorts by time.

    Raises
    ------
    OrderError
        The time is naive or the sequence negative.
    """
    if decided_at.tzinfo is None:
        raise OrderError(f"an order id needs an aware time, got {decided_at}; give it a time zone")
    if sequence < 0:
        raise OrderError(f"the sequence of an order must be >= 0, got {sequence}")
    moment = decided_at.astimezone(UTC)
    key = "\x1f".join((strategy_id, moment.isoformat(), symbol, str(sequence)))
    digest = hashlib.blake2b(key.encode(), digest_size=6).hexdigest()
    readable = _UNREADABLE.sub("", symbol)[:10] or "x"
    return f"{moment:%Y%m%dT%H%M%S}-{readable}-{sequence}-{digest}"


_UNREADABLE = re.compile(r"[^A-Za-z0-9]")

# What the compiled kernels write for the enumerations above.
SIDE_CODES = {Side.SELL: -1, Side.BUY: 1}
TYPE_CODES = {
    OrderType.MARKET: 0,
    OrderType.LIMIT: 1,
    OrderType.STOP: 2,
    OrderType.STOP_LIMIT: 3,
}
TIME_CODES = {TimeInForce.DAY: 0, TimeInForce.GTC: 1, TimeInForce.IOC: 2, TimeInForce.FOK: 3}
STATUS_CODES = {
    OrderStatus.ACCEPTED: 0,
    OrderStatus.PARTIALLY_FILLED: 1,
    OrderStatus.FILLED: 2,
    OrderStatus.CANCELLED: 3,
    OrderStatus.EXPIRED: 4,
    OrderStatus.REJECTED: 5,
}
