"""Two ledgers side by side: the reference's and the engine's, entry by entry."""

from collections.abc import Sequence
from math import isclose, isnan
from typing import Any

from tests.backtest.reference.random_runs import Run
from tests.backtest.reference.reference_engine import reference_replay
from tests.backtest.reference.reference_ledger import ReferenceLedger
from trading.backtest.replay import replay
from trading.backtest.result import BacktestResult

MICRO = 1_000_000
Entry = tuple[Any, ...]
Tables = dict[str, list[Entry]]


def reference_tables(run: Run) -> Tables:
    """What the reference says of a run."""
    ledger = reference_replay(run.feed, run.instructions, run.execution, run.risk, run.resets)
    return tables_of_reference(ledger, run.feed.data.symbols)


def engine_tables(run: Run) -> Tables:
    """What the engine says of it."""
    return tables_of_result(engine_result(run))


def engine_result(run: Run) -> BacktestResult:
    """The engine's result of a run."""
    return replay(run.feed, run.columnar, run.execution, run.risk, resets=run.resets)


def tables_of_reference(ledger: ReferenceLedger, symbols: Sequence[str]) -> Tables:
    """The ledger as plain tuples; micro-units stay integers."""
    names = [*symbols, ""]
    return {
        "curve": list(zip(ledger.equity, ledger.cash, ledger.gross, ledger.net, strict=True)),
        "orders": [
            (
                order.number,
                order.row,
                names[order.column],
                order.side.value,
                order.quantity,
                order.type.value,
                order.time.value,
                order.limit,
                order.stop,
                order.status.value,
                order.filled,
                order.reason,
            )
            for order in ledger.orders
        ],
        "fills": [
            (
                fill.number,
                fill.row,
                names[fill.column],
                fill.side.value,
                fill.quantity,
                fill.price,
                fill.commission,
                fill.charge,
                fill.realized,
                fill.moment,
            )
            for fill in ledger.fills
        ],
        "closings": [
            (one.row, names[one.column], one.quantity, one.price, one.realized, one.reason)
            for one in ledger.closings
        ],
        "risk_events": [
            (
                one.row,
                names[one.column],
                one.limit,
                one.outcome,
                one.value,
                one.limit_value,
                one.before,
                one.after,
            )
            for one in ledger.risk_events
        ],
        "positions": [
            (names[column], quantity, basis)
            for column, (quantity, basis) in enumerate(
                zip(ledger.positions, ledger.bases, strict=True)
            )
            if quantity
        ],
        "totals": [(ledger.dividends, ledger.borrow_cost, ledger.commissions, ledger.slippage)],
    }


def tables_of_result(result: BacktestResult) -> Tables:
    """The engine's public tables as the same plain tuples."""
    row_of = {stamp: row for row, stamp in enumerate(result.timestamps.tolist())}
    tables: Tables = {
        "curve": list(
            zip(
                _micros(result.equity),
                _micros(result.cash),
                _micros(result.gross_exposure),
                _micros(result.net_exposure),
                strict=True,
            )
        )
    }
    for name, (columns, micro) in COLUMNS.items():
        frame = getattr(result, name)
        parts: list[list[Any]] = []
        for column in columns:
            values = frame[column]
            if column == "timestamp":
                naive = values.dt.tz_localize(None).to_numpy().astype("datetime64[s]")
                parts.append([row_of[stamp] for stamp in naive.tolist()])
            elif column in micro:
                parts.append(_micros(values))
            else:
                parts.append(values.tolist())
        tables[name] = list(zip(*parts, strict=True))
    tables["positions"] = [
        (symbol, quantity, round(quantity * cost))
        for symbol, quantity, cost in zip(
            result.positions["symbol"].tolist(),
            _micros(result.positions["quantity"]),
            result.positions["average_cost"].tolist(),
            strict=True,
        )
    ]
    totals = (result.dividends, result.borrow_cost, result.commissions, result.slippage_charges)
    tables["totals"] = [tuple(round(total * MICRO) for total in totals)]
    return tables


COLUMNS: dict[str, tuple[tuple[str, ...], frozenset[str]]] = {
    "orders": (
        (
            "order_number",
            "timestamp",
            "symbol",
            "side",
            "quantity",
            "type",
            "time_in_force",
            "limit_price",
            "stop_price",
            "status",
            "filled_quantity",
            "reason",
        ),
        frozenset({"quantity", "filled_quantity"}),
    ),
    "fills": (
        (
            "order_number",
            "timestamp",
            "symbol",
            "side",
            "quantity",
            "price",
            "commission",
            "slippage_charge",
            "realized_pnl",
            "moment",
        ),
        frozenset({"quantity", "commission", "slippage_charge", "realized_pnl"}),
    ),
    "closings": (
        ("timestamp", "symbol", "quantity", "price", "realized_pnl", "reason"),
        frozenset({"quantity", "realized_pnl"}),
    ),
    "risk_events": (
        (
            "timestamp",
            "symbol",
            "limit",
            "outcome",
            "value",
            "limit_value",
            "quantity_before",
            "quantity_after",
        ),
        frozenset({"quantity_before", "quantity_after"}),
    ),
}


def difference(left: Tables, right: Tables) -> str:
    """The first entries that differ, table by table; empty where the ledgers are equal."""
    found = []
    for name in left:
        a, b = left[name], right[name]
        for index in range(max(len(a), len(b))):
            one = a[index] if index < len(a) else None
            other = b[index] if index < len(b) else None
            if one is None or other is None or not _same(one, other):
                found.append(f"{name}[{index}]\n   reference {one}\n   engine    {other}")
                break
    return "\n".join(found)


def _same(one: Entry, other: Entry) -> bool:
    return len(one) == len(other) and all(map(_same_value, one, other))


def _same_value(one: Any, other: Any) -> bool:
    if isinstance(one, float):
        return (isnan(one) and isnan(other)) or isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)


def _micros(values: Any) -> list[int]:
    """Whole micro-units of values that were divided by a million."""
    return [round(value * MICRO) for value in values.tolist()]
