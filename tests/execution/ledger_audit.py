"""A backtest's ledger as the entries of an account, row by row."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from trading.backtest.result import BacktestResult
from trading.execution.account import Account
from trading.execution.activities import Activity, BorrowFee, Closing, Dividend, Split
from trading.execution.money import from_micros, to_price
from trading.execution.orders import Fill, Side

SPLIT, DIVIDEND = 0, 1


def amount(number: float) -> Decimal:
    return from_micros(round(number * 1e6))


def replayed(result: BacktestResult) -> Iterator[tuple[int, Account, dict[str, float]]]:
    """Yield each row with the account after it and the last known closes."""
    feed, rules = result.feed, result.settings.execution
    data = feed.data
    account = Account(rules.initial_cash)
    last: dict[str, float] = {}
    rows = {stamp: row for row, stamp in enumerate(data.timestamps.tolist())}
    fills, closings = by_row(result, rows)
    actions = list(zip(*(column.tolist() for column in feed.action_columns), strict=True))
    for row, stamp in enumerate(data.timestamps.tolist()):
        now = stamp.replace(tzinfo=UTC)
        if feed.sessions.first[row]:
            days = int(feed.sessions.day[row] - feed.sessions.day[row - 1]) if row else 0
            for symbol, price in last.items():
                if account.quantity(symbol) < 0:
                    rate = Decimal(repr(float(rules.borrow_rate)))
                    book(
                        account,
                        BorrowFee(f"b{row}{symbol}", symbol, now, to_price(price), rate, days),
                    )
            for number, (at, column, kind, value) in enumerate(actions):
                if at == row and kind in (SPLIT, DIVIDEND):
                    symbol, name = data.symbols[column], f"{row}-{number}"
                    act(account, last, kind, name, symbol, now, value, not rules.fractional)
            close(account, closings.get(row, []), "delisted", now)
        for fill in fills.get(row, []):
            account.apply(fill)
        close(account, closings.get(row, []), "stale", now)
        exists = np.isfinite(data.open[row] + data.high[row] + data.low[row] + data.close[row])
        for column in np.flatnonzero(exists):
            last[data.symbols[column]] = float(data.close[row, column])
        yield row, account, last


def book(account: Account, activity: Activity) -> None:
    assert account.book(activity)
    assert not account.book(activity), "once only"


def act(
    account: Account,
    last: dict[str, float],
    kind: int,
    name: str,
    symbol: str,
    now: datetime,
    value: float,
    whole_shares: bool,
) -> None:
    if kind == DIVIDEND:
        book(account, Dividend(name, symbol, now, to_price(value)))
        return
    known = to_price(last[symbol]) if symbol in last else None
    book(account, Split(name, symbol, now, to_price(value), known, whole_shares))
    if symbol in last:
        last[symbol] /= value


def close(
    account: Account, closings: list[tuple[str, float, str]], reason: str, now: datetime
) -> None:
    for symbol, price, why in closings:
        if why == reason:
            name = f"{reason}-{symbol}-{now}"
            book(account, Closing(name, symbol, now, to_price(price), reason))


def by_row(
    result: BacktestResult, rows: dict[datetime, int]
) -> tuple[dict[int, list[Fill]], dict[int, list[tuple[str, float, str]]]]:
    fills: dict[int, list[Fill]] = {}
    for number, record in enumerate(result.fills.to_dict("records")):
        stamp = record["timestamp"].to_pydatetime().replace(tzinfo=None)
        fills.setdefault(rows[stamp], []).append(
            Fill(
                f"f{number}",
                str(record["order_number"]),
                record["symbol"],
                Side(record["side"]),
                amount(record["quantity"]),
                to_price(record["price"]),
                amount(record["commission"]),
                stamp.replace(tzinfo=UTC),
                amount(record["slippage_charge"]),
            )
        )
    closings: dict[int, list[tuple[str, float, str]]] = {}
    for record in result.closings.to_dict("records"):
        stamp = record["timestamp"].to_pydatetime().replace(tzinfo=None)
        closings.setdefault(rows[stamp], []).append(
            (record["symbol"], record["price"], record["reason"])
        )
    return fills, closings
