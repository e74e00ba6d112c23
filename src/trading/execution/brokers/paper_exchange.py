"""The market of the paper broker: one bar at a time over the working orders.

Everything that moves shares or money here is a compiled function that the backtest calls too
(`execution.matching`); this module tells in events what those functions did to the arrays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from trading.execution.activities import Activity, BorrowFee, Closing, Dividend, Split
from trading.execution.book import (
    CANCEL_ASKED,
    CANCELLED,
    EXPIRED,
    MICRO,
    ORDER,
    PARTIALLY_FILLED,
    REASONS,
    STALE,
    Book,
    grown,
)
from trading.execution.brokers.paper_market import DELISTING, DIVIDEND, SPLIT, BarAction, MarketRow
from trading.execution.brokers.paper_store import OrderRow
from trading.execution.costs import SQUARE_ROOT, Rules
from trading.execution.lifecycle import OrderEvent, OrderEventKind
from trading.execution.matching import (
    apply_action,
    mark_row,
    match_row,
    match_same_close,
    open_session,
)
from trading.execution.money import from_micros, to_micros, to_price
from trading.execution.orders import (
    SIDE_CODES,
    STATUS_CODES,
    TIME_CODES,
    TYPE_CODES,
    Fill,
    Order,
    OrderStatus,
)
from trading.execution.working_orders import end_order, expire_day_orders, sweep_active

STATUSES = {code: status for status, code in STATUS_CODES.items()}
_ENDS = {CANCELLED: OrderEventKind.CANCEL, EXPIRED: OrderEventKind.EXPIRE}


@dataclass
class Happenings:
    """What a change of the market brought about, in order.

    Attributes
    ----------
    events : everything, as the broker reports it
    entries : the fills and activities among them: what moved money
    changed : the orders that are no longer as they were, by their place in the book
    """

    events: list[OrderEvent | Activity] = field(default_factory=list)
    entries: list[Fill | Activity] = field(default_factory=list)
    changed: set[int] = field(default_factory=set)

    def activity(self, one: Activity) -> None:
        """Note an activity."""
        self.events.append(one)
        self.entries.append(one)


class PaperExchange:
    """Working orders and the account's arrays, moved by bars.

    Parameters
    ----------
    book : the account; its ledger begins with the orders `rows`, in their order
    rows : the orders that the book begins with
    row, sessions : how many bars and sessions the account has seen
    session : the date of the last bar; None before the first
    """

    def __init__(
        self,
        symbols: Sequence[str],
        rules: Rules,
        book: Book,
        rows: Sequence[OrderRow],
        *,
        row: int = 0,
        sessions: int = 0,
        session: date | None = None,
    ) -> None:
        self.symbols = tuple(symbols)
        self.columns = {symbol: column for column, symbol in enumerate(self.symbols)}
        self.rules = rules
        self.book = book
        self.row = row
        self.sessions = sessions
        self.session = session
        self.orders = list(rows)
        self._waiting = [at for at, one in enumerate(rows) if one.arrives_at is not None]

    def take(self, order: Order, number: int, now: datetime, arrives_at: datetime | None) -> int:
        """Let an order work from the next bar on, or once it has arrived; return its place."""
        self._room(1)
        at = count_of(self.book, "orders")
        self.book.account["orders"] = at + 1
        column, side = self.columns[order.symbol], SIDE_CODES[order.side]
        quantity = to_micros(order.quantity)
        self.book.orders[at] = order_record(order, column, self.row - 1)
        place = "working_buys" if side > 0 else "working_sells"
        self.book.symbols[place][column] += quantity
        self.orders.append(
            OrderRow(
                number=number,
                submitted=order,
                order=order,
                status=OrderStatus.ACCEPTED,
                filled_micros=0,
                remaining_micros=quantity,
                reason="",
                replaced_by="",
                updated_at=now,
                triggered=0,
                looked_at=-1,
                arrives_at=arrives_at,
                row=self.row - 1,
                volatility=np.nan,
                dollar_volume=np.nan,
            )
        )
        if arrives_at is None:
            self._activate(at)
        else:
            self._waiting.append(at)
        return at

    def know_costs(self, at: int, volatility: float, dollar_volume: float) -> None:
        """Tell what was known of an order's symbol when it came; only market impact needs it."""
        if self.rules.slippage == SQUARE_ROOT:
            self.book.orders["volatility"][at] = volatility
            self.book.orders["dollar_volume"][at] = dollar_volume

    def cancel(self, at: int, now: datetime) -> Happenings:
        """Cancel a working order."""
        found = Happenings()
        self._waiting = [one for one in self._waiting if one != at]
        end_order(self.book, at, CANCELLED, CANCEL_ASKED)
        sweep_active(self.book)
        self._tell_end(at, now, found, reason="")
        return found

    def advance(self, row: MarketRow) -> Happenings:
        """Run a bar through the steps open, match, expire and mark of docs/backtesting.md."""
        found, book, rules = Happenings(), self.book, self.rules
        self._room(3 * (count_of(book, "active") + len(self.symbols)) + 16)
        book = self.book
        self._arrive(row)
        if row.session != self.session:
            self._open_session(row, found)
        for index, action in enumerate(row.actions):
            self._act(row, index, action, found)
        bar = (row.open, row.high, row.low, row.close)
        working = self._working()
        fills = count_of(book, "fills")
        match_row(book, rules, self.row, *bar, row.volume)
        self._tell_trades(working, fills, row, found)
        if row.last:
            working = self._working()
            expire_day_orders(book)
            self._tell_ends(working, row.timestamp, found)
        working = self._working()
        closings = count_of(book, "closings")
        mark_row(book, rules, self.row, self.sessions - 1, row.last, *bar)
        self._tell_closings(closings, row, found)
        self._tell_ends(working, row.timestamp, found)
        self.row += 1
        return found

    def close_session(self, now: datetime) -> Happenings:
        """End a session whose last bar never came: its DAY orders expire."""
        found = Happenings()
        working = self._working()
        expire_day_orders(self.book)
        self._tell_ends(working, now, found)
        return found

    def auction(self, row: MarketRow) -> Happenings:
        """Fill the market orders that came after this bar at its close (`same_close`)."""
        found = Happenings()
        self._room(2 * count_of(self.book, "active") + 16)
        working = self._working()
        fills = count_of(self.book, "fills")
        bar = (row.high, row.low, row.close, row.volume)
        match_same_close(self.book, self.rules, self.row - 1, *bar)
        self._tell_trades(working, fills, row, found)
        return found

    def order_row(self, at: int) -> OrderRow:
        """Return an order as it stands."""
        record, known = self.book.orders[at], self.orders[at]
        filled = int(record["filled"])
        return replace(
            known,
            status=STATUSES[int(record["status"])],
            filled_micros=filled,
            remaining_micros=int(record["quantity"]) - filled,
            # Why a cancel was asked for, those know who asked.
            reason="" if record["reason"] == CANCEL_ASKED else REASONS[int(record["reason"])],
            triggered=int(record["triggered"]),
            looked_at=int(record["looked_at"]),
            arrives_at=known.arrives_at if at in self._waiting else None,
            volatility=float(record["volatility"]),
            dollar_volume=float(record["dollar_volume"]),
        )

    def _room(self, needed: int) -> None:
        self.book = grown(self.book, needed)

    def _activate(self, at: int) -> None:
        active, count = self.book.active, count_of(self.book, "active")
        place = int(np.searchsorted(active[:count], at))
        active[place + 1 : count + 1] = active[place:count].copy()
        active[place] = at
        self.book.account["active"] = count + 1

    def _arrive(self, row: MarketRow) -> None:
        """Let the orders work that came before the bar began."""
        for at in list(self._waiting):
            arrives = self.orders[at].arrives_at
            if arrives is not None and arrives <= row.opened_at:
                self._waiting.remove(at)
                self._activate(at)

    def _working(self) -> list[int]:
        count = count_of(self.book, "active")
        return sorted([*self.book.active[:count].tolist(), *self._waiting])

    def _open_session(self, row: MarketRow, found: Happenings) -> None:
        days = 0 if self.session is None else (row.session - self.session).days
        book, rate = self.book, self.rules.borrow_rate
        shorts = np.flatnonzero(book.symbols["position"] < 0) if days > 0 and rate > 0.0 else ()
        for column in map(int, shorts):
            symbol = self.symbols[column]
            found.activity(
                BorrowFee(
                    f"borrow:{symbol}:{row.session}",
                    symbol,
                    row.timestamp,
                    to_price(book.symbols["last"][column]),
                    to_price(rate),
                    days,
                )
            )
        month = (row.session.year - 1970) * 12 + row.session.month - 1
        open_session(book, self.rules, days, month)
        self.session, self.sessions = row.session, self.sessions + 1

    def _act(self, row: MarketRow, index: int, action: BarAction, found: Happenings) -> None:
        book, column = self.book, action.column
        if book.symbols["dead"][column]:
            return
        symbol, held = self.symbols[column], int(book.symbols["position"][column])
        name = f"{symbol}:{row.session}:{index}"
        last = float(book.symbols["last"][column])
        working = self._working()
        ordered = any(book.orders["column"][at] == column for at in working)
        apply_action(book, self.rules, self.row, column, action.kind, action.value)
        if (held or ordered) and action.kind == SPLIT:
            found.activity(
                Split(
                    f"split:{name}",
                    symbol,
                    row.timestamp,
                    to_price(action.value),
                    to_price(last) if np.isfinite(last) else None,
                    whole_shares=self.rules.lot == MICRO,
                )
            )
        elif held and action.kind == DIVIDEND:
            per_share = to_price(action.value)
            found.activity(Dividend(f"dividend:{name}", symbol, row.timestamp, per_share))
        elif held and action.kind == DELISTING:
            price = to_price(last * (1.0 + action.value))
            found.activity(Closing(f"closing:{name}", symbol, row.timestamp, price))
        self._tell_ends(working, row.timestamp, found)
        if action.kind == SPLIT:
            for at in self._working():
                if book.orders["column"][at] == column:
                    self._restate(at, row.timestamp, found)

    def _restate(self, at: int, now: datetime, found: Happenings) -> None:
        record, known = self.book.orders[at], self.orders[at]
        filled, quantity = int(record["filled"]), int(record["quantity"])
        order = replace(
            known.order,
            quantity=from_micros(quantity),
            limit_price=_price_or_none(record["limit"]),
            stop_price=_price_or_none(record["stop"]),
        )
        self.orders[at] = replace(known, order=order, updated_at=now)
        found.changed.add(at)
        found.events.append(
            OrderEvent(
                order.client_order_id,
                OrderEventKind.RESTATE,
                now,
                restated=order,
                remaining_quantity=from_micros(quantity - filled),
                filled_quantity=from_micros(filled),
            )
        )

    def _tell_trades(
        self, working: list[int], first: int, row: MarketRow, found: Happenings
    ) -> None:
        for record in self.book.fills[first : count_of(self.book, "fills")]:
            at = int(record["order"])
            order = self.orders[at].order
            fill = Fill(
                # An order fills at most once in a bar.
                f"paper-{self.orders[at].number}-{int(record['row'])}",
                order.client_order_id,
                order.symbol,
                order.side,
                from_micros(int(record["quantity"])),
                to_price(record["price"]),
                from_micros(int(record["commission"])),
                row.timestamp,
                from_micros(int(record["charge"])),
            )
            self._touch(at, row.timestamp, found)
            found.entries.append(fill)
            found.events.append(
                OrderEvent(order.client_order_id, OrderEventKind.FILL, row.timestamp, fill=fill)
            )
        # An order that triggered without filling is another one after a restart, too.
        found.changed.update(working)
        self._tell_ends(working, row.timestamp, found)

    def _tell_closings(self, first: int, row: MarketRow, found: Happenings) -> None:
        for record in self.book.closings[first : count_of(self.book, "closings")]:
            if int(record["reason"]) != STALE:
                continue
            symbol = self.symbols[int(record["column"])]
            price = to_price(record["price"])
            name = f"closing:{symbol}:{row.session}:stale"
            found.activity(Closing(name, symbol, row.timestamp, price, "stale"))

    def _tell_ends(self, working: list[int], now: datetime, found: Happenings) -> None:
        for at in working:
            if int(self.book.orders["status"][at]) in _ENDS:
                reason = REASONS[int(self.book.orders["reason"][at])]
                self._tell_end(at, now, found, reason=reason)
        self._waiting = [
            at for at in self._waiting if self.book.orders["status"][at] <= PARTIALLY_FILLED
        ]

    def _tell_end(self, at: int, now: datetime, found: Happenings, *, reason: str) -> None:
        self._touch(at, now, found)
        name = self.orders[at].order.client_order_id
        kind = _ENDS[int(self.book.orders["status"][at])]
        found.events.append(OrderEvent(name, kind, now, reason=reason))

    def _touch(self, at: int, now: datetime, found: Happenings) -> None:
        self.orders[at] = replace(self.orders[at], updated_at=now)
        found.changed.add(at)


def count_of(book: Book, table: str) -> int:
    """Return how many records of a table of the book count."""
    return int(book.account[table][0])


def order_record(order: Order, column: int, row: int) -> npt.NDArray[np.void]:
    """Return the record `()` of an order that was accepted after bar `row`."""
    record = np.zeros((), dtype=ORDER)
    record["row"], record["column"], record["side"] = row, column, SIDE_CODES[order.side]
    record["type"], record["time"] = TYPE_CODES[order.type], TIME_CODES[order.time_in_force]
    record["status"] = STATUS_CODES[OrderStatus.ACCEPTED]
    record["quantity"], record["looked_at"] = to_micros(order.quantity), -1
    record["limit"] = np.nan if order.limit_price is None else float(order.limit_price)
    record["stop"] = np.nan if order.stop_price is None else float(order.stop_price)
    record["volatility"] = record["dollar_volume"] = np.nan
    return record


def _price_or_none(price: float) -> Decimal | None:
    return None if np.isnan(price) else to_price(float(price))
