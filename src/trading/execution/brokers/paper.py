"""The paper broker: a full broker whose market is a stream of bars.

It fills orders by the compiled functions of the backtest, keeps its account in one SQLite file, and
changes that file in whole transactions: a process that is killed at any moment finds it as it was
before or after the change, and a bar or an order that comes again changes nothing.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from trading.errors import BrokerRefused, BrokerStopped, BrokerUnavailable, UnknownOutcome
from trading.execution.account import Account
from trading.execution.activities import Activity
from trading.execution.brokers.base import (
    Broker,
    BrokerAccount,
    BrokerEvent,
    BrokerOrder,
    BrokerPosition,
    Capabilities,
    Health,
    MarketHours,
)
from trading.execution.brokers.paper_desk import PaperDesk
from trading.execution.brokers.paper_market import MarketRow
from trading.execution.brokers.paper_settings import PaperSettings
from trading.execution.brokers.paper_store import OrderRow
from trading.execution.lifecycle import OrderEvent, OrderEventKind
from trading.execution.money import MICRO, from_micros, to_micros
from trading.execution.orders import Fill, Order
from trading.execution.settings import ExecutionSettings
from trading.market.calendar import DEFAULT_EXCHANGE, is_session, session_close, session_open


class PaperBroker(Broker):
    """A broker on a stream of bars.

    Parameters
    ----------
    path : the account's file; made where it does not exist
    symbols : N names that can be traded; the bars' columns
    execution : the account and the market that fills; cash, account and fractions are fixed at the
        first start
    paper : delays and faults
    exchange : calendar of the market hours
    power_safe : flush every change to the disk itself; without it a killed process loses nothing,
        a power cut may lose the last changes

    A session feeds it bars: `on_row` each bar, and with `same_close` `on_auction` after the orders
    of that bar. Between bars time stands still: `now` is the close of the last one.
    """

    name = "paper"

    def __init__(
        self,
        path: Path,
        symbols: Sequence[str],
        execution: ExecutionSettings,
        paper: PaperSettings | None = None,
        *,
        exchange: str = DEFAULT_EXCHANGE,
        power_safe: bool = True,
    ) -> None:
        self._path = path
        self._symbols = tuple(symbols)
        self._execution = execution
        self._paper = paper or PaperSettings()
        self._exchange = exchange
        self._power_safe = power_safe
        self._desk: PaperDesk | None = None
        self._queue: asyncio.Queue[BrokerEvent | None] = asyncio.Queue()
        self._row: MarketRow | None = None
        self._requests = 0

    @property
    def capabilities(self) -> Capabilities:
        """What the broker takes, and what it costs."""
        return Capabilities(
            fractional=self._execution.fractional,
            short=self._execution.account == "margin",
            symbols=frozenset(self._symbols),
            commission=self._execution.commission,
            slippage=self._execution.slippage,
        )

    @property
    def now(self) -> datetime | None:
        """When the last bar closed, aware, UTC; None before the first."""
        return self._connected().now

    async def connect(self) -> None:
        """Open the account and check it against its own entries.

        Raises
        ------
        BrokerStopped
            The file cannot be used; see `PaperDesk`.
        """
        if self._desk is None:
            self._desk = PaperDesk(
                self._path, self._symbols, self._execution, power_safe=self._power_safe
            )

    async def close(self) -> None:
        """Close the account's file; orders go on working when it is opened again."""
        if self._desk is not None:
            self._desk.store.close()
            self._desk = None
            self._queue.put_nowait(None)

    async def on_row(self, row: MarketRow) -> None:
        """Let a bar trade; one that was traded before changes nothing."""
        self._tell(self._connected().advance(row))
        self._row = row

    async def on_auction(self, row: MarketRow) -> None:
        """Fill the market orders that came after this bar at its close (`same_close`)."""
        self._tell(self._connected().auction(row))

    async def submit(self, order: Order) -> BrokerOrder:
        """Take an order in; the same order again returns what became of it.

        Raises
        ------
        BrokerRefused
            The id belongs to another order, or the account cannot take such an order.
        UnknownOutcome
            The answer is lost (`timeout_probability`).
        """
        desk = self._connected()
        known = desk.store.order(order.client_order_id)
        if known is not None:
            if known.submitted != order:
                raise BrokerRefused(
                    f"{order.client_order_id} is the id of another order ({known.submitted}); "
                    "give every order an id of its own"
                )
            return _as_seen(known)
        self._require_takeable(order)
        lost = self._lost(order.client_order_id)
        if lost == "request":
            raise UnknownOutcome(f"no answer to order {order.client_order_id}")
        row, events = desk.take(
            order,
            self._time(order),
            arrives_at=self._arrival(order),
            costs=self._costs(order),
            rejected=self._reason_to_reject(order),
        )
        self._tell(events)
        if lost == "answer":
            raise UnknownOutcome(f"no answer to order {order.client_order_id}")
        return _as_seen(row)

    async def cancel(self, client_order_id: str) -> None:
        """Cancel an order; CANCEL or CANCEL_REJECT comes as an event."""
        desk = self._connected()
        lost = self._lost(f"cancel {client_order_id}")
        if lost == "request":
            raise UnknownOutcome(f"no answer to the cancel of {client_order_id}")
        working = desk.working(client_order_id)
        if working is not None:
            self._tell(desk.cancel(client_order_id, self._time(working)))
        else:
            reason = self._why_not_working(client_order_id)
            now = desk.now or datetime.now(UTC)
            kind = OrderEventKind.CANCEL_REJECT
            self._tell([OrderEvent(client_order_id, kind, now, reason=reason)])
        if lost == "answer":
            raise UnknownOutcome(f"no answer to the cancel of {client_order_id}")

    async def replace(self, client_order_id: str, replacement: Order) -> BrokerOrder:
        """Replace a working order in one step; see `Broker.replace`."""
        desk = self._connected()
        known = desk.store.order(replacement.client_order_id)
        if known is not None and known.submitted == replacement:
            return _as_seen(known)
        original = desk.working(client_order_id)
        if original is None:
            raise BrokerRefused(self._why_not_working(client_order_id))
        if known is not None or (original.symbol, original.side) != (
            replacement.symbol,
            replacement.side,
        ):
            raise BrokerRefused(
                f"{replacement.client_order_id} ({replacement.side} {replacement.symbol}) cannot "
                f"replace a {original.side} of {original.symbol}: it needs the same symbol and "
                "side, and an id of its own"
            )
        self._require_takeable(replacement)
        row, events = desk.replace(
            client_order_id,
            replacement,
            self._time(replacement),
            arrives_at=self._arrival(replacement),
            costs=self._costs(replacement),
        )
        self._tell(events)
        return _as_seen(row)

    async def orders(self) -> tuple[BrokerOrder, ...]:
        """Return the orders that work, in the order in which they came."""
        return tuple(map(_as_seen, self._connected().store.working_orders()))

    async def order(self, client_order_id: str) -> BrokerOrder | None:
        """Return one order, None where it never came."""
        row = self._connected().store.order(client_order_id)
        return None if row is None else _as_seen(row)

    async def fills(self, since: datetime | None = None) -> tuple[Fill, ...]:
        """Return the fills at or after `since`, in their order."""
        entries = self._connected().store.entries(since)
        return tuple(entry for entry in entries if isinstance(entry, Fill))

    async def activities(self, since: datetime | None = None) -> tuple[Activity, ...]:
        """Return what else changed the account at or after `since`, in order."""
        entries = self._connected().store.entries(since)
        return tuple(entry for entry in entries if not isinstance(entry, Fill))

    async def account(self) -> BrokerAccount:
        """Return cash, equity and positions at the last known closes."""
        desk = self._connected()
        held = desk.account.positions
        return BrokerAccount(
            account_id=f"paper:{self._path.name}",
            as_of=desk.now or datetime.now(UTC),
            cash=desk.account.cash,
            equity=desk.account.equity(desk.prices()),
            positions={
                symbol: BrokerPosition(symbol, one.quantity, one.average_cost)
                for symbol, one in held.items()
            },
        )

    def ledger(self) -> Account:
        """Return a copy of the account, exact to a millionth."""
        return Account.from_json(self._connected().account.to_json())

    async def health(self) -> Health:
        """Return whether the account is open."""
        return Health(connected=self._desk is not None and not self._desk.failed)

    async def hours(self, day: date) -> MarketHours | None:
        """Return the regular session of `day`, None where the exchange stays closed."""
        if not is_session(day, self._exchange):
            return None
        return MarketHours(session_open(day, self._exchange), session_close(day, self._exchange))

    async def events(self) -> AsyncIterator[BrokerEvent]:
        """Return everything that happens from now on, until the broker is closed."""
        while (event := await self._queue.get()) is not None:
            yield event

    def pending_events(self) -> list[BrokerEvent]:
        """Return, and forget, the events that nobody has taken yet."""
        found: list[BrokerEvent] = []
        while not self._queue.empty():
            event = self._queue.get_nowait()
            if event is not None:
                found.append(event)
        return found

    def _connected(self) -> PaperDesk:
        if self._desk is None:
            raise BrokerUnavailable("the paper broker is not connected; connect it first")
        if self._desk.failed:
            raise BrokerStopped(
                f"the last change of the paper account {self._path} failed; close the broker and "
                "connect it again to go on from what was written"
            )
        return self._desk

    def _tell(self, events: Iterable[BrokerEvent]) -> None:
        for event in events:
            self._queue.put_nowait(event)

    def _time(self, order: Order) -> datetime:
        """Return the market's time: the close of the last bar."""
        return self._connected().now or order.submitted_at

    def _arrival(self, order: Order) -> datetime | None:
        if self._paper.latency_seconds == 0.0:
            return None
        return self._time(order) + timedelta(seconds=self._paper.latency_seconds)

    def _costs(self, order: Order) -> tuple[float, float]:
        """Return what is known of a symbol's daily volatility and dollar volume."""
        row, column = self._row, self._connected().columns[order.symbol]
        if row is None or not len(row.volatility):
            return np.nan, np.nan
        return float(row.volatility[column]), float(row.dollar_volume[column])

    def _require_takeable(self, order: Order) -> None:
        if order.symbol not in self._connected().columns:
            raise BrokerRefused(
                f"order {order.client_order_id}: {order.symbol!r} is not traded here"
            )
        lot = 1 if self._execution.fractional else MICRO
        if order.quantity <= 0 or to_micros(order.quantity) % lot:
            raise BrokerRefused(
                f"order {order.client_order_id}: {order.quantity} is not a positive number of "
                f"{'millionths of a share' if lot == 1 else 'whole shares'}"
            )

    def _reason_to_reject(self, order: Order) -> str:
        """Return why an order is rejected; empty: it is not."""
        if self._connected().is_dead(order.symbol):
            return "delisted"
        if order.symbol in self._paper.reject_symbols:
            return "rejected_by_symbol"
        if self._chance("reject", order.client_order_id) < self._paper.reject_probability:
            return "rejected_by_chance"
        if self._paper.market_hours and not self._is_open(self._time(order)):
            return "market_closed"
        return ""

    def _is_open(self, moment: datetime) -> bool:
        day = moment.astimezone(UTC).date()
        if not is_session(day, self._exchange):
            return False
        return session_open(day, self._exchange) <= moment < session_close(day, self._exchange)

    def _lost(self, request: str) -> str:
        """Return which part of a request is lost: `request`, `answer`, or nothing."""
        self._requests += 1
        draw = self._chance("timeout", f"{request} {self._requests}")
        if draw >= self._paper.timeout_probability:
            return ""
        return "request" if draw < self._paper.timeout_probability / 2.0 else "answer"

    def _chance(self, kind: str, name: str) -> float:
        """Return a number in 0..1 that only seed, kind and name decide."""
        digest = hashlib.sha256(f"{self._paper.seed} {kind} {name}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2.0**64

    def _why_not_working(self, client_order_id: str) -> str:
        row = self._connected().store.order(client_order_id)
        if row is None:
            return f"there is no order {client_order_id} at the paper broker"
        return f"order {client_order_id} is {row.status} and works no more"


def _as_seen(row: OrderRow) -> BrokerOrder:
    return BrokerOrder(
        order=row.order,
        broker_order_id=f"P{row.number:08d}",
        status=row.status,
        filled_quantity=from_micros(row.filled_micros),
        remaining_quantity=from_micros(row.remaining_micros),
        updated_at=row.updated_at,
        reason=row.reason,
        replaced_by=row.replaced_by,
    )
