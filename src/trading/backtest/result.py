"""What a run leaves: the curve, the ledger as tables, and with what it was run."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.backtest.events import event_log
from trading.backtest.feed import BarFeed
from trading.backtest.kernel import Curve
from trading.backtest.round_trips import round_trips
from trading.backtest.settings import BacktestSettings
from trading.execution.book import MICRO, OUTCOMES, REASONS, Book, ledger
from trading.execution.orders import OrderType, Side, TimeInForce, client_order_id
from trading.execution.settings import FillTiming
from trading.strategy.base import BaseStrategy

FloatArray = npt.NDArray[np.float64]
TimeArray = npt.NDArray[np.datetime64]

STATUSES = ("ACCEPTED", "PARTIALLY_FILLED", "FILLED", "CANCELLED", "EXPIRED", "REJECTED")
MOMENTS = ("open", "range", "close")
TYPES = tuple(kind.value for kind in OrderType)
TIMES = tuple(time.value for time in TimeInForce)


@dataclass(frozen=True, slots=True)
class StrategyRecord:
    """A strategy as it was run."""

    strategy_id: str
    name: str
    version: str
    parameters: dict[str, Any]
    fraction: float

    @classmethod
    def of(cls, strategy: BaseStrategy, fraction: float) -> "StrategyRecord":
        """Return the record of a strategy with its share of the capital."""
        return cls(
            strategy.strategy_id,
            strategy.name,
            strategy.version,
            strategy.get_parameters(),
            fraction,
        )


@dataclass(frozen=True, eq=False, repr=False)
class BacktestResult:
    """The outcome of a run.

    Attributes
    ----------
    feed : what was replayed
    settings : with which rules and limits
    strategies : what decided; empty where instructions were given directly
    book : the account at the end and its ledger, in micro-units
    curve : (T,) equity, cash, gross and net exposure in micro-dollars
    failures : by strategy id, what went wrong with a strategy while the others went on
    """

    feed: BarFeed
    settings: BacktestSettings
    strategies: tuple[StrategyRecord, ...]
    book: Book
    curve: Curve
    failures: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        bars, symbols = self.feed.data.shape
        final = f", {self.equity[-1]:,.2f} USD" if bars else ""
        return f"<BacktestResult {self.strategy_id}: {bars} bars, {symbols} symbols{final}>"

    @property
    def fill(self) -> FillTiming:
        """When market orders fill."""
        return self.settings.execution.fill

    @property
    def timestamps(self) -> TimeArray:
        """When each bar closed, `(T,)` UTC."""
        return self.feed.data.timestamps

    @property
    def symbols(self) -> tuple[str, ...]:
        """The N symbols."""
        return self.feed.data.symbols

    @property
    def strategy_id(self) -> str:
        """The strategy's id, or `portfolio` for several; `instructions` for none."""
        if not self.strategies:
            return "instructions"
        return self.strategies[0].strategy_id if len(self.strategies) == 1 else "portfolio"

    @property
    def initial_cash(self) -> float:
        """USD at the start."""
        return float(self.settings.execution.initial_cash)

    @cached_property
    def equity(self) -> FloatArray:
        """Cash plus positions `(T,)`, USD."""
        return self.curve.equity / MICRO

    @cached_property
    def cash(self) -> FloatArray:
        """Cash `(T,)`, USD."""
        return self.curve.cash / MICRO

    @cached_property
    def gross_exposure(self) -> FloatArray:
        """Long plus short values `(T,)`, USD."""
        return self.curve.gross / MICRO

    @cached_property
    def net_exposure(self) -> FloatArray:
        """Long minus short values `(T,)`, USD."""
        return self.curve.net / MICRO

    @property
    def dividends(self) -> float:
        """USD received less paid."""
        return self._total("dividends")

    @property
    def borrow_cost(self) -> float:
        """USD paid for borrowed shares."""
        return self._total("borrow")

    @property
    def commissions(self) -> float:
        """USD paid to the broker."""
        return self._total("commission")

    @property
    def slippage_charges(self) -> float:
        """USD of slippage beyond the bars' ranges, paid in cash; the rest is in the prices."""
        return self._total("slippage")

    @cached_property
    def session_rows(self) -> npt.NDArray[np.int64]:
        """The last row of each session, `(S,)`."""
        return np.flatnonzero(self.feed.sessions.last)

    @property
    def session_dates(self) -> TimeArray:
        """The date of each session, `(S,)`."""
        return self.feed.data.sessions[self.session_rows]

    @cached_property
    def session_returns(self) -> FloatArray:
        """Simple net returns `(S,)` by session, the first against the initial cash.

        NaN from the first session on that begins without equity.
        """
        after = self.equity[self.session_rows]
        before = np.concatenate([[self.initial_cash], after[:-1]])
        alive = np.minimum.accumulate(before > 0.0)
        return np.where(alive, after / np.where(alive, before, 1.0) - 1.0, np.nan)

    @cached_property
    def turnover(self) -> FloatArray:
        """One-way turnover `(S,)`: the larger of purchases and sales over the equity before."""
        fills = ledger(self.book, "fills")
        session = self.feed.sessions.index[fills["row"]]
        values = fills["quantity"] * fills["price"] / MICRO
        bought = self.book.orders["side"][fills["order"]] > 0
        size = len(self.session_rows)
        sums = [np.bincount(session[w], values[w], size) for w in (bought, ~bought)]
        after = self.equity[self.session_rows]
        before = np.concatenate([[self.initial_cash], after[:-1]])
        larger = np.maximum(*sums)
        return np.where(before > 0.0, larger / np.where(before > 0.0, before, 1.0), np.nan)

    @cached_property
    def orders(self) -> pd.DataFrame:
        """Every order, in the order of acceptance or rejection; `ended` is NaT while it works."""
        orders = ledger(self.book, "orders")
        stamps, symbols = self._utc(orders["row"]), self._symbols(orders["column"])
        ids = [
            client_order_id(self.strategy_id, stamp, symbol, number)
            for number, (stamp, symbol) in enumerate(
                zip(stamps.to_pydatetime(), symbols, strict=True)
            )
        ]
        return pd.DataFrame(
            {
                "order_number": np.arange(len(orders)),
                "client_order_id": pd.Series(ids, dtype="str"),
                "timestamp": stamps,
                "symbol": symbols,
                "strategy_id": pd.Series([self.strategy_id] * len(orders), dtype="str"),
                "side": _sides(orders["side"]),
                "quantity": orders["quantity"] / MICRO,
                "type": _named(orders["type"], TYPES),
                "time_in_force": _named(orders["time"], TIMES),
                "limit_price": orders["limit"],
                "stop_price": orders["stop"],
                "status": _named(orders["status"], STATUSES),
                "filled_quantity": orders["filled"] / MICRO,
                "reason": _named(orders["reason"], REASONS),
                "ended": self._utc(orders["ended"]).where(orders["ended"] >= 0),
            }
        )

    @cached_property
    def fills(self) -> pd.DataFrame:
        """Every fill, in time."""
        fills, orders = ledger(self.book, "fills"), self.book.orders
        return pd.DataFrame(
            {
                "order_number": fills["order"],
                "timestamp": self._utc(fills["row"]),
                "symbol": self._symbols(orders["column"][fills["order"]]),
                "side": _named(
                    np.where(orders["side"][fills["order"]] > 0, 0, 1), (Side.BUY, Side.SELL)
                ),
                "quantity": fills["quantity"] / MICRO,
                "price": fills["price"],
                "commission": fills["commission"] / MICRO,
                "slippage_charge": fills["charge"] / MICRO,
                "realized_pnl": fills["realized"] / MICRO,
                "moment": _named(fills["moment"], MOMENTS),
            }
        )

    @cached_property
    def closings(self) -> pd.DataFrame:
        """Positions that ended without an order: splits' fractions, delistings, stale names."""
        closings = ledger(self.book, "closings")
        return pd.DataFrame(
            {
                "timestamp": self._utc(closings["row"]),
                "symbol": self._symbols(closings["column"]),
                "quantity": closings["quantity"] / MICRO,
                "price": closings["price"],
                "realized_pnl": closings["realized"] / MICRO,
                "reason": _named(closings["reason"], REASONS),
            }
        )

    @cached_property
    def risk_events(self) -> pd.DataFrame:
        """Every limit that tripped; an empty symbol is the whole portfolio."""
        events = ledger(self.book, "events")
        return pd.DataFrame(
            {
                "timestamp": self._utc(events["row"]),
                "symbol": self._symbols(events["column"]),
                "limit": _named(events["reason"], REASONS),
                "outcome": _named(events["outcome"], OUTCOMES),
                "value": events["value"],
                "limit_value": events["limit"],
                "quantity_before": events["before"] / MICRO,
                "quantity_after": events["after"] / MICRO,
            }
        )

    @cached_property
    def trades(self) -> pd.DataFrame:
        """Round trips: from flat to flat at average cost; those still open are left out."""
        fills, ends = ledger(self.book, "fills"), ledger(self.book, "closings")
        rows, columns, kinds, ratios = self.feed.action_columns
        split = kinds == 0
        asked = self.book.orders[fills["order"]]
        parts = (
            (rows[split], columns[split], np.zeros(split.sum()), ratios[split]),
            (ends["row"], ends["column"], -ends["quantity"], ends["price"]),
            (fills["row"], asked["column"], fills["quantity"] * asked["side"], fills["price"]),
        )
        row, column, signed, price = map(np.concatenate, zip(*parts, strict=True))
        free = np.zeros(len(row) - len(fills["row"]))
        costs = np.concatenate([free, (fills["commission"] + fills["charge"]) / MICRO])
        # Within a bar: splits, then closings, then fills.
        order = np.argsort(row, kind="stable")
        return round_trips(
            np.array(self.symbols, dtype=object),
            self.timestamps,
            column[order],
            row[order],
            signed[order].astype(np.int64),
            price[order],
            costs[order],
        )

    @cached_property
    def events(self) -> pd.DataFrame:
        """The run as a log of events, in the order in which they happened."""
        return event_log(self)

    @cached_property
    def positions(self) -> pd.DataFrame:
        """What is held at the end."""
        book = self.book
        held = np.flatnonzero(book.symbols["position"])
        each = book.symbols[held]
        quantity, basis = each["position"] / MICRO, each["basis"] / MICRO
        value = np.rint(each["position"] * each["last"]) / MICRO
        return pd.DataFrame(
            {
                "symbol": self._symbols(held),
                "quantity": quantity,
                "average_cost": basis / quantity,
                "last_price": each["last"],
                "value": value,
                "unrealized_pnl": value - basis,
            }
        )

    def _total(self, name: str) -> float:
        return float(self.book.account[name][0] / MICRO)

    def _utc(self, rows: npt.NDArray[np.int64]) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.timestamps[rows]).tz_localize("UTC")

    def _symbols(self, columns: npt.NDArray[np.int64]) -> pd.Series:
        names = np.array([*self.symbols, ""], dtype=object)
        return pd.Series(names[columns], dtype="str")


def _named(codes: npt.NDArray[Any], names: tuple[str, ...]) -> pd.Series:
    """Return codes as their names."""
    return pd.Series(np.array(names, dtype=object)[codes.astype(np.int64)], dtype="str")


def _sides(signs: npt.NDArray[np.int8]) -> pd.Series:
    return _named(signs < 0, (Side.BUY, Side.SELL))
