"""The account of the paper broker: every change is one transaction of its file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np

from trading.errors import BrokerStopped, TradingError
from trading.execution.account import Account, replay_fills
from trading.execution.activities import Activity
from trading.execution.book import ACCOUNT, SYMBOL, Book, Records, new_book
from trading.execution.brokers.paper_exchange import Happenings, PaperExchange, order_record
from trading.execution.brokers.paper_market import MarketRow
from trading.execution.brokers.paper_store import OrderRow, PaperStore
from trading.execution.costs import Rules
from trading.execution.lifecycle import OrderEvent, OrderEventKind
from trading.execution.money import from_micros, to_micros
from trading.execution.orders import STATUS_CODES, Fill, Order, OrderStatus, Side
from trading.execution.settings import ExecutionSettings

Events = list[OrderEvent | Activity]

_COUNTS = ("orders", "fills", "closings", "events", "active")
_FIXED = ("initial_cash", "account", "fractional")


class PaperDesk:
    """The orders, positions and money of one paper account.

    Parameters
    ----------
    path : the account's file; made where it does not exist
    symbols : N names that the bars' columns stand for
    execution : cash, account and fractions are fixed when the file is made
    power_safe : flush every change to the disk itself

    Raises
    ------
    BrokerStopped
        The file cannot be used, was made with other cash, account or fractions, holds a symbol
        that is not among `symbols`, or does not follow from its own entries.
    """

    def __init__(
        self, path: Path, symbols: Sequence[str], execution: ExecutionSettings, *, power_safe: bool
    ) -> None:
        self._path = path
        self.store = PaperStore(path, power_safe=power_safe)
        self.failed = False
        self._now: datetime | None = None
        self._auctioned: datetime | None = None
        self._open_session = False
        try:
            self._load(tuple(symbols), execution)
        except BaseException:
            self.store.close()
            raise

    @property
    def now(self) -> datetime | None:
        """When the last bar closed; None before the first."""
        return self._now

    @property
    def columns(self) -> dict[str, int]:
        """The column of each symbol."""
        return self._exchange.columns

    def prices(self) -> dict[str, float]:
        """Return the last known close of every symbol that has one, USD."""
        last = self._exchange.book.symbols["last"]
        return {
            symbol: float(price)
            for symbol, price in zip(self._exchange.symbols, last, strict=True)
            if np.isfinite(price)
        }

    def is_dead(self, symbol: str) -> bool:
        """Tell whether a symbol is delisted."""
        return bool(self._exchange.book.symbols["dead"][self.columns[symbol]])

    def working(self, client_order_id: str) -> Order | None:
        """Return an order as it works; None where it does not."""
        at = self._places.get(client_order_id)
        return None if at is None else self._exchange.order_row(at).order

    def take(
        self,
        order: Order,
        now: datetime,
        *,
        arrives_at: datetime | None = None,
        costs: tuple[float, float] = (np.nan, np.nan),
        rejected: str = "",
    ) -> tuple[OrderRow, Events]:
        """Write an order down, working or `rejected` for a reason."""
        with self._changing():
            if rejected:
                row = self._refuse(order, now, rejected)
                kind = OrderEventKind.REJECT
            else:
                row = self._place(order, now, arrives_at, costs)
                kind = OrderEventKind.ACCEPT
            self.store.keep_orders([row])
        name = f"P{row.number:08d}"
        event = OrderEvent(
            order.client_order_id, kind, now, broker_order_id=name, reason=row.reason
        )
        return row, [event]

    def cancel(self, client_order_id: str, now: datetime) -> Events:
        """Cancel a working order."""
        with self._changing():
            found = self._exchange.cancel(self._places[client_order_id], now)
            self._keep(found)
        return found.events

    def replace(
        self,
        client_order_id: str,
        replacement: Order,
        now: datetime,
        *,
        arrives_at: datetime | None,
        costs: tuple[float, float],
    ) -> tuple[OrderRow, Events]:
        """End a working order as REPLACED and take its replacement, in one change."""
        with self._changing():
            at = self._places.pop(client_order_id)
            self._exchange.cancel(at, now)
            ended = replace(
                self._exchange.order_row(at),
                status=OrderStatus.REPLACED,
                reason="",
                replaced_by=replacement.client_order_id,
            )
            row = self._place(replacement, now, arrives_at, costs)
            self.store.keep_orders([ended, row])
        return row, [
            OrderEvent(
                client_order_id,
                OrderEventKind.REPLACE,
                now,
                replaced_by=replacement.client_order_id,
            ),
            OrderEvent(
                replacement.client_order_id,
                OrderEventKind.ACCEPT,
                now,
                broker_order_id=f"P{row.number:08d}",
            ),
        ]

    def advance(self, row: MarketRow) -> Events:
        """Run a bar; one that was run before changes nothing.

        Raises
        ------
        BrokerStopped
            The bar is older than one that was run.
        """
        if self._now is not None and row.timestamp <= self._now:
            if row.timestamp == self._now:
                return []
            raise BrokerStopped(
                f"the bar of {row.timestamp.isoformat()} is older than the account, which has seen "
                f"{self._now.isoformat()}; feed bars in order"
            )
        with self._changing():
            found = Happenings()
            new = row.session != self._exchange.session
            if new and self._open_session and self._now is not None:
                found = self._exchange.close_session(self._now)
            bar = self._exchange.advance(row)
            found.events += bar.events
            found.entries += bar.entries
            found.changed |= bar.changed
            self._now, self._open_session = row.timestamp, not row.last
            self._keep(found)
        return found.events

    def auction(self, row: MarketRow) -> Events:
        """Fill fresh market orders at the close of the last bar; a second time changes nothing."""
        if row.timestamp != self._now or self._auctioned == row.timestamp:
            return []
        with self._changing():
            found = self._exchange.auction(row)
            self._auctioned = row.timestamp
            self._keep(found)
        return found.events

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Make the block one transaction; if it fails, memory is ahead and nothing more is done."""
        try:
            with self.store.change():
                yield
        except BaseException:
            self.failed = True
            raise

    def _place(
        self,
        order: Order,
        now: datetime,
        arrives_at: datetime | None,
        costs: tuple[float, float],
    ) -> OrderRow:
        at = self._exchange.take(order, self._numbers, now, arrives_at)
        self._exchange.know_costs(at, *costs)
        self._numbers += 1
        self._places[order.client_order_id] = at
        return self._exchange.order_row(at)

    def _refuse(self, order: Order, now: datetime, reason: str) -> OrderRow:
        row = OrderRow(
            number=self._numbers,
            submitted=order,
            order=order,
            status=OrderStatus.REJECTED,
            filled_micros=0,
            remaining_micros=to_micros(order.quantity),
            reason=reason,
            replaced_by="",
            updated_at=now,
            triggered=0,
            looked_at=-1,
            arrives_at=None,
            row=self._exchange.row - 1,
            volatility=np.nan,
            dollar_volume=np.nan,
        )
        self._numbers += 1
        return row

    def _keep(self, found: Happenings) -> None:
        """Write the state after a change, and hold the two accounts equal."""
        rows = [self._exchange.order_row(at) for at in sorted(found.changed)]
        self.store.keep_orders(rows)
        for row in rows:
            if not row.working:
                self._places.pop(row.submitted.client_order_id, None)
        self.store.keep_entries(found.entries)
        for entry in found.entries:
            if isinstance(entry, Fill):
                self.account.apply(entry)
            else:
                self.account.book(entry)
        book = self._exchange.book
        _require_equal(book, self._exchange.symbols, self.account, self._path)
        self.store.keep_book(book.account, book.symbols)
        self.store.keep_facts(
            row=self._exchange.row,
            sessions=self._exchange.sessions,
            session=None if self._exchange.session is None else self._exchange.session.isoformat(),
            now=None if self._now is None else self._now.isoformat(),
            auctioned=None if self._auctioned is None else self._auctioned.isoformat(),
            open_session=self._open_session,
        )

    def _load(self, symbols: tuple[str, ...], execution: ExecutionSettings) -> None:
        facts, kept = self.store.facts(), self.store.book(ACCOUNT, SYMBOL)
        fixed = {name: str(getattr(execution, name)) for name in _FIXED}
        self._require_same(facts.get("fixed", fixed), fixed)
        rules = Rules.of(execution)
        rows = self.store.working_orders()
        book = new_book(len(symbols), 1, to_micros(execution.initial_cash), 1024 + 2 * len(rows))
        if kept is not None:
            self._restore(book, kept, facts["symbols"], symbols)
        _enter_orders(book, rows, {symbol: column for column, symbol in enumerate(symbols)})
        session = facts.get("session")
        self._exchange = PaperExchange(
            symbols,
            rules,
            book,
            rows,
            row=facts.get("row", 0),
            sessions=facts.get("sessions", 0),
            session=None if session is None else date.fromisoformat(session),
        )
        self._places = {row.submitted.client_order_id: at for at, row in enumerate(rows)}
        self._numbers = self.store.order_count()
        self._now = _moment(facts.get("now"))
        self._auctioned = _moment(facts.get("auctioned"))
        self._open_session = bool(facts.get("open_session", False))
        self.account = self._replayed(execution.initial_cash)
        _require_equal(book, symbols, self.account, self._path)
        with self.store.change():
            self.store.keep_facts(version=self.store.version, fixed=fixed, symbols=list(symbols))
            self.store.keep_book(book.account, book.symbols)

    def _require_same(self, before: dict[str, str], now: dict[str, str]) -> None:
        changed = [name for name in _FIXED if before[name] != now[name]]
        if changed:
            name = changed[0]
            raise BrokerStopped(
                f"the paper account {self._path} was opened with {name} {before[name]}, the "
                f"settings say {now[name]}; set it back, or start a new account in another home"
            )

    def _restore(
        self,
        book: Book,
        kept: tuple[Records, Records],
        before: Sequence[str],
        symbols: tuple[str, ...],
    ) -> None:
        """Take the stored records over, by the names of their symbols."""
        columns = {symbol: column for column, symbol in enumerate(symbols)}
        gone = [
            symbol
            for symbol, held in zip(before, kept[1]["position"], strict=True)
            if held and symbol not in columns
        ]
        if gone:
            raise BrokerStopped(
                f"the paper account {self._path} holds {', '.join(gone[:5])}, for which there are "
                "no bars; add them to the source, or close the position first"
            )
        old = [at for at, symbol in enumerate(before) if symbol in columns]
        new = [columns[before[at]] for at in old]
        book.symbols[new] = kept[1][old]
        book.symbols["working_buys"] = book.symbols["working_sells"] = 0
        book.account[:] = kept[0]
        for name in _COUNTS:
            book.account[name] = 0

    def _replayed(self, cash: Decimal) -> Account:
        try:
            return replay_fills(cash, self.store.entries())
        except BrokerStopped:
            raise
        except TradingError as error:
            raise BrokerStopped(
                f"the entries of the paper account {self._path} cannot be added up ({error}); "
                "restore the file from a copy, or start a new account in another home"
            ) from error


def _enter_orders(book: Book, rows: Sequence[OrderRow], columns: dict[str, int]) -> None:
    waiting = 0
    for at, row in enumerate(rows):
        column = columns.get(row.order.symbol)
        if column is None:
            raise BrokerStopped(
                f"order {row.submitted.client_order_id} for {row.order.symbol} works, but there "
                "are no bars of it; add the symbol to the source"
            )
        record = order_record(row.order, column, row.row)
        record["status"] = STATUS_CODES[row.status]
        record["triggered"], record["looked_at"] = row.triggered, row.looked_at
        record["filled"] = row.filled_micros
        record["quantity"] = row.filled_micros + row.remaining_micros
        record["volatility"], record["dollar_volume"] = row.volatility, row.dollar_volume
        book.orders[at] = record
        place = "working_buys" if row.order.side is Side.BUY else "working_sells"
        book.symbols[place][column] += row.remaining_micros
        if row.arrives_at is not None:
            waiting += 1
            continue
        book.active[at - waiting] = at
    book.account["orders"] = len(rows)
    book.account["active"] = len(rows) - waiting


def _require_equal(book: Book, symbols: Sequence[str], account: Account, path: Path) -> None:
    """Hold the arrays that traded against the account that was told; raise `BrokerStopped`."""
    each, positions = book.symbols, account.positions
    held = {
        symbols[column]: (int(each["position"][column]), int(each["basis"][column]))
        for column in np.flatnonzero(each["position"]).tolist()
    }
    told = {
        symbol: (to_micros(one.quantity), to_micros(one.cost_basis))
        for symbol, one in positions.items()
    }
    if held != told or to_micros(account.cash) != int(book.account["cash"][0]):
        cash = from_micros(int(book.account["cash"][0]))
        raise BrokerStopped(
            f"the paper account {path} disagrees with its own entries: cash {cash} against "
            f"{account.cash}, positions {held} against {told} (micro-shares, micro-dollars); "
            "restore the file from a copy, or start a new account in another home"
        )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
