"""The run as a log of events, in the order in which they happened."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from trading.execution.book import FILLED, MICRO, REASONS, REJECTED, ledger

if TYPE_CHECKING:
    from trading.backtest.result import BacktestResult

EVENTS = (
    "market_open",
    "corporate_action",
    "closing",
    "fill",
    "order_ended",
    "close",
    "risk_event",
    "order",
)
ACTIONS = ("split", "dividend", "delisting")
COLUMNS = ("timestamp", "event", "symbol", "order_number", "quantity", "price", "detail")


def event_log(result: "BacktestResult") -> pd.DataFrame:
    """Return one line an event: `COLUMNS`, in time; bars without an event have no line.

    Within a bar: the session's open, corporate actions, closings, fills, orders that ended without
    one, the session's close (its `price` is the equity in USD), limits that tripped, new orders.
    """
    parts = [*_market_parts(result), *_order_parts(result)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((np.arange(len(joined["row"])), joined["event"], joined["row"]))
    names = np.array([*result.symbols, ""], dtype=object)
    return pd.DataFrame(
        {
            "timestamp": pd.DatetimeIndex(result.timestamps[joined["row"][order]]).tz_localize(
                "UTC"
            ),
            "event": pd.Series(_names(joined["event"][order], EVENTS), dtype="str"),
            "symbol": pd.Series(names[joined["column"][order]], dtype="str"),
            "order_number": pd.array(joined["number"][order], dtype="Int64"),
            "quantity": joined["quantity"][order],
            "price": joined["price"][order],
            "detail": pd.Series(joined["detail"][order], dtype="str"),
        }
    ).assign(order_number=lambda frame: frame["order_number"].mask(frame["order_number"] < 0))


def _market_parts(result: "BacktestResult") -> list[dict[str, Any]]:
    """Return what happens without an order: sessions, corporate actions, closings, limits."""
    sessions, book = result.feed.sessions, result.book
    closings, risks = ledger(book, "closings"), ledger(book, "events")
    rows, columns, kinds, values = result.feed.action_columns
    opens, closes = np.flatnonzero(sessions.first), np.flatnonzero(sessions.last)
    return [
        _part("market_open", opens),
        _part("corporate_action", rows, columns, price=values, detail=_names(kinds, ACTIONS)),
        _part(
            "closing",
            closings["row"],
            closings["column"],
            quantity=closings["quantity"] / MICRO,
            price=closings["price"],
            detail=_names(closings["reason"], REASONS),
        ),
        _part("close", closes, price=result.equity[closes]),
        _part(
            "risk_event",
            risks["row"],
            risks["column"],
            quantity=risks["after"] / MICRO,
            detail=_names(risks["reason"], REASONS),
        ),
    ]


def _order_parts(result: "BacktestResult") -> list[dict[str, Any]]:
    """Return what becomes of orders: accepted or rejected, filled, ended without a fill."""
    orders, fills = ledger(result.book, "orders"), ledger(result.book, "fills")
    rejected = orders["status"] == REJECTED
    ended = np.flatnonzero((orders["ended"] >= 0) & (orders["status"] != FILLED) & ~rejected)
    filled = orders[fills["order"]]
    return [
        _part(
            "fill",
            fills["row"],
            filled["column"],
            number=fills["order"],
            quantity=filled["side"] * fills["quantity"] / MICRO,
            price=fills["price"],
        ),
        _part(
            "order_ended",
            orders["ended"][ended],
            orders["column"][ended],
            number=ended,
            quantity=(orders["quantity"] - orders["filled"])[ended] / MICRO,
            detail=_names(orders["reason"][ended], REASONS),
        ),
        _part(
            "order",
            orders["row"],
            orders["column"],
            number=np.arange(len(orders)),
            quantity=orders["side"] * orders["quantity"] / MICRO,
            price=orders["limit"],
            detail=np.where(rejected, _names(orders["reason"], REASONS), "").astype(object),
        ),
    ]


def _part(event: str, rows: Any, columns: Any = None, **given: Any) -> dict[str, Any]:
    size = len(rows)
    nothing: dict[str, Any] = {
        "row": np.asarray(rows, dtype=np.int64),
        "event": np.full(size, EVENTS.index(event)),
        "column": np.full(size, -1) if columns is None else columns,
        "number": np.full(size, -1),
        "quantity": np.full(size, np.nan),
        "price": np.full(size, np.nan),
        "detail": np.full(size, "", dtype=object),
    }
    return nothing | given


def _names(codes: Any, names: tuple[str, ...]) -> Any:
    return np.array(names, dtype=object)[np.asarray(codes, dtype=np.int64)]
