"""What the reference writes down."""

from dataclasses import dataclass, field
from math import nan

from trading.execution.orders import OrderStatus, OrderType, Side, TimeInForce

WORKING = (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)


@dataclass
class OrderEntry:
    """An order and what became of it; quantities in micro-shares."""

    number: int
    row: int
    column: int
    side: Side
    quantity: int
    type: OrderType = OrderType.MARKET
    time: TimeInForce = TimeInForce.DAY
    limit: float = nan
    stop: float = nan
    status: OrderStatus = OrderStatus.ACCEPTED
    reason: str = ""
    remaining: int = 0
    filled: int = 0
    triggered: bool = False
    last_session: int = 0
    volatility: float | None = None
    dollar_volume: float | None = None

    @property
    def sign(self) -> int:
        """1 for a buy, -1 for a sale."""
        return 1 if self.side is Side.BUY else -1

    @property
    def working(self) -> bool:
        """Whether it may still fill."""
        return self.status in WORKING

    def end(self, status: OrderStatus, reason: str = "") -> None:
        """Leave the book."""
        self.status, self.reason = status, reason or self.reason


@dataclass(frozen=True)
class FillEntry:
    """One fill; money in micro-dollars."""

    number: int
    row: int
    column: int
    side: Side
    quantity: int
    price: float
    commission: int
    charge: int
    realized: int
    moment: str


@dataclass(frozen=True)
class ClosingEntry:
    """A position, or a part of one, that ended without an order."""

    row: int
    column: int
    quantity: int
    price: float
    realized: int
    reason: str


@dataclass(frozen=True)
class RiskEntry:
    """A limit that tripped; micro-shares of what increases; column -1 is the account."""

    row: int
    column: int
    limit: str
    outcome: str
    value: float
    limit_value: float
    before: int
    after: int


@dataclass
class ReferenceLedger:
    """Everything that happened; per row in micro-dollars."""

    equity: list[int] = field(default_factory=list)
    cash: list[int] = field(default_factory=list)
    gross: list[int] = field(default_factory=list)
    net: list[int] = field(default_factory=list)
    orders: list[OrderEntry] = field(default_factory=list)
    fills: list[FillEntry] = field(default_factory=list)
    closings: list[ClosingEntry] = field(default_factory=list)
    risk_events: list[RiskEntry] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    bases: list[int] = field(default_factory=list)
    dividends: int = 0
    borrow_cost: int = 0
    commissions: int = 0
    slippage: int = 0
