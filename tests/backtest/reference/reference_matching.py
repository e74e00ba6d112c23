"""Step 2 of a row: which working orders fill, at what price, and how much of them."""

from dataclasses import dataclass

from tests.backtest.reference.reference_account import Account
from tests.backtest.reference.reference_costs import CommissionDesk, slippage_rate
from tests.backtest.reference.reference_ledger import FillEntry, OrderEntry, ReferenceLedger
from tests.backtest.reference.reference_market import Bar, Market
from tests.backtest.reference.reference_units import MICRO, floor_lot, truncated, value
from trading.execution.orders import OrderStatus, OrderType, Side, TimeInForce
from trading.execution.settings import ExecutionSettings

AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)


@dataclass(frozen=True)
class Price:
    """What a quantity fills at: its slipped price, and that price kept within the bar."""

    slipped: float
    paid: float

    def charge(self, quantity: int) -> int:
        """The part of the slippage that would have left the bar's range, micro-dollars."""
        return round(quantity * abs(self.slipped - self.paid))


class Exchange:
    """Matches working orders with bars and books what fills."""

    def __init__(
        self, market: Market, settings: ExecutionSettings, account: Account, ledger: ReferenceLedger
    ) -> None:
        self._market = market
        self._settings = settings
        self._account = account
        self._ledger = ledger
        self._desk = CommissionDesk(settings.commission)
        self._lot = 1 if settings.fractional else MICRO
        self._row = 0
        self._taken: dict[int, int] = {}

    def open_row(self, row: int) -> None:
        """Start a row: nothing of its volume is taken yet."""
        self._row = row
        self._taken = {}

    def match(self) -> None:
        """Run the three passes over the working orders, then end what had to fill at once."""
        settled: set[int] = set()
        for order in self._queue():
            self._open_pass(order, settled)
        for order in self._queue():
            if order.number not in settled:
                self._range_pass(order)
        for order in self._queue():
            if order.type is OrderType.MARKET and self._settings.fill != "next_open":
                self._fill(order, self._bar(order).close, "close")
        for order in self._working():
            if order.time in AT_ONCE:
                order.end(OrderStatus.CANCELLED, "immediate_or_cancel")

    def match_at_this_close(self) -> None:
        """Match the market orders accepted in this row at its close."""
        new = [o for o in self._queue() if o.row == self._row and o.type is OrderType.MARKET]
        for order in new:
            self._fill(order, self._bar(order).close, "close")
        for order in new:
            if order.working and order.time in AT_ONCE:
                order.end(OrderStatus.CANCELLED, "immediate_or_cancel")

    def _working(self) -> list[OrderEntry]:
        return [order for order in self._ledger.orders if order.working]

    def _queue(self) -> list[OrderEntry]:
        """Working orders whose symbol has a bar: sells before buys, then by number."""
        found = [o for o in self._working() if self._market.bars[self._row][o.column] is not None]
        return sorted(found, key=lambda order: (order.sign, order.number))

    def _bar(self, order: OrderEntry) -> Bar:
        bar = self._market.bars[self._row][order.column]
        assert bar is not None
        return bar

    def _open_pass(self, order: OrderEntry, settled: set[int]) -> None:
        opened = self._bar(order).open
        if order.type is OrderType.MARKET:
            executable = self._settings.fill == "next_open"
        elif order.type is OrderType.STOP:
            order.triggered = executable = order.triggered or _reaches(order, opened)
        else:
            if order.type is OrderType.STOP_LIMIT and not order.triggered:
                order.triggered = _reaches(order, opened)
            resting = order.type is OrderType.LIMIT or order.triggered
            executable = resting and _within(order, opened)
        if executable:
            settled.add(order.number)
            self._fill(order, opened, "open")

    def _range_pass(self, order: OrderEntry) -> None:
        bar = self._bar(order)
        best = bar.low if order.side is Side.BUY else bar.high
        worst = bar.high if order.side is Side.BUY else bar.low
        if order.type is OrderType.LIMIT or (
            order.type is OrderType.STOP_LIMIT and order.triggered
        ):
            if _within(order, best):
                self._fill(order, order.limit, "range")
        elif order.type is OrderType.STOP:
            if _reaches(order, worst):
                order.triggered = True
                self._fill(order, order.stop, "range")
        elif order.type is OrderType.STOP_LIMIT and _reaches(order, worst):
            order.triggered = True
            if _within(order, order.stop):
                self._fill(order, order.stop, "range")

    def _fill(self, order: OrderEntry, reference: float, moment: str) -> None:
        quantity = self._available(order)
        if quantity <= 0:
            return
        price = self._price(order, reference, quantity)
        day = self._market.dates[self._row]
        charge = price.charge(quantity)
        worth = value(quantity, price.paid)
        commission = self._desk.commission(quantity, worth, day)
        short_of_cash = (
            self._settings.account == "cash"
            and order.side is Side.BUY
            and worth + charge + commission > self._account.cash
        )
        if short_of_cash:
            money = self._account.cash - charge - commission
            quantity = truncated(money / price.paid, self._lot)
            if quantity <= 0 or order.time is TimeInForce.FOK:
                order.end(OrderStatus.CANCELLED, "insufficient_cash")
                return
            charge = price.charge(quantity)
            commission = self._desk.commission(quantity, value(quantity, price.paid), day)
        self._book(order, quantity, price.paid, charge, commission, moment)
        if order.remaining == 0:
            order.end(OrderStatus.FILLED)
        elif short_of_cash:
            order.end(OrderStatus.CANCELLED, "insufficient_cash")
        elif self._nothing_to_sell(order):
            order.end(OrderStatus.CANCELLED, "no_position")
        else:
            order.status = OrderStatus.PARTIALLY_FILLED

    def _available(self, order: OrderEntry) -> int:
        """How much may fill by volume, position and FOK; ends an order that cannot."""
        if self._nothing_to_sell(order):
            order.end(OrderStatus.CANCELLED, "no_position")
            return 0
        quantity = order.remaining
        share = self._settings.max_volume_share
        if share is not None:
            most = truncated(share * (self._bar(order).volume or 0.0) * 1e6, self._lot)
            quantity = min(quantity, most - self._taken.get(order.column, 0))
        if self._settings.account == "cash" and order.side is Side.SELL:
            quantity = min(quantity, self._account.positions[order.column].quantity)
        if order.time is TimeInForce.FOK and quantity < order.remaining:
            order.end(OrderStatus.CANCELLED, "fill_or_kill")
            return 0
        return quantity

    def _nothing_to_sell(self, order: OrderEntry) -> bool:
        return (
            self._settings.account == "cash"
            and order.side is Side.SELL
            and self._account.positions[order.column].quantity <= 0
        )

    def _price(self, order: OrderEntry, reference: float, quantity: int) -> Price:
        if order.type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
            return Price(reference, reference)
        bar = self._bar(order)
        rate = slippage_rate(
            self._settings.slippage,
            quantity,
            reference,
            bar.volume or 0.0,
            order.volatility,
            order.dollar_volume,
        )
        if order.side is Side.BUY:
            slipped = reference * (1.0 + rate)
            return Price(slipped, min(slipped, bar.high))
        slipped = reference * (1.0 - rate)
        return Price(slipped, max(slipped, bar.low))

    def _book(
        self,
        order: OrderEntry,
        quantity: int,
        price: float,
        charge: int,
        commission: int,
        moment: str,
    ) -> None:
        self._desk.count(quantity, self._market.dates[self._row])
        self._taken[order.column] = self._taken.get(order.column, 0) + quantity
        order.remaining -= quantity
        order.filled += quantity
        realized = self._account.trade(
            order.column, order.sign * quantity, price, charge + commission
        )
        self._ledger.commissions += commission
        self._ledger.slippage += charge
        self._ledger.fills.append(
            FillEntry(
                order.number,
                self._row,
                order.column,
                order.side,
                quantity,
                price,
                commission,
                charge,
                realized,
                moment,
            )
        )

    def split(self, column: int, ratio: float) -> None:
        """Restate the working orders of a symbol that splits."""
        for order in self._working():
            if order.column == column:
                order.remaining = floor_lot(round(order.remaining * ratio), self._lot)
                order.filled = round(order.filled * ratio)
                order.quantity = order.filled + order.remaining
                order.limit /= ratio
                order.stop /= ratio
                if order.remaining == 0:
                    order.end(OrderStatus.CANCELLED, "split")


def _reaches(order: OrderEntry, price: float) -> bool:
    """Whether a stop triggers at `price`."""
    return price >= order.stop if order.side is Side.BUY else price <= order.stop


def _within(order: OrderEntry, price: float) -> bool:
    """Whether a limit allows `price`."""
    return price <= order.limit if order.side is Side.BUY else price >= order.limit
