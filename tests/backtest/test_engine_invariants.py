"""What must hold in every run, whatever it is given."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from math import isnan

import pytest
from hypothesis import HealthCheck, given, settings

from tests.backtest.reference.audit import bar_exists, cash_at_the_end, holdings
from tests.backtest.reference.ledger_comparison import (
    Tables,
    engine_result,
    engine_tables,
    tables_of_result,
)
from tests.backtest.reference.random_runs import Run, runs
from tests.backtest.reference.reference_units import MICRO, truncated, value
from trading.execution.lifecycle import OrderEvent, OrderEventKind, OrderRecord
from trading.execution.orders import Fill, Order, OrderStatus, OrderType, Side, TimeInForce
from trading.execution.settings import CommissionSettings, SlippageSettings
from trading.market.bars import CorporateActionType

EXAMPLES = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LEAST_STEPS = 10_000
STEPS: Counter[str] = Counter()


def played(one: Run, test: str) -> Tables:
    """The engine's tables; counts rows and instructions as steps."""
    STEPS[test] += one.steps
    return engine_tables(one)


@EXAMPLES
@given(runs(least_rows=20))
def test_cash_and_positions_are_equity_at_every_row(one: Run) -> None:
    tables = played(one, "equity")
    for (equity, cash, gross, net), holding in zip(
        tables["curve"], holdings(one, tables), strict=True
    ):
        values = holding.values()
        assert equity == cash + sum(values)
        assert (gross, net) == (sum(map(abs, values)), sum(values))
    held = {symbol: q for symbol, q in holding.quantities.items() if q}
    assert held == {symbol: quantity for symbol, quantity, _ in tables["positions"]}
    assert cash == cash_at_the_end(one, tables)


@EXAMPLES
@given(runs(least_rows=20))
def test_no_fill_leaves_its_bar_comes_before_its_decision_or_takes_too_much(one: Run) -> None:
    tables = played(one, "fills")
    data, same_close = one.feed.data, one.execution.fill == "same_close"
    taken: Counter[tuple[int, str]] = Counter()
    for number, row, symbol, _, quantity, price, commission, charge, _, moment in tables["fills"]:
        column = data.columns[symbol]
        assert bar_exists(one, row, column)
        assert data.low[row, column] <= price <= data.high[row, column]
        decided, kind = tables["orders"][number][1], tables["orders"][number][5]
        at_its_close = same_close and moment == "close" and kind == "MARKET"
        assert decided < row or (at_its_close and decided == row)
        assert quantity > 0
        assert commission >= 0
        assert charge >= 0
        taken[row, symbol] += quantity
    share = one.execution.max_volume_share
    lot = 1 if one.execution.fractional else MICRO
    for (row, symbol), quantity in taken.items():
        volume = float(data.volume[row, data.columns[symbol]])
        if share is not None:
            assert quantity <= truncated(share * (0.0 if isnan(volume) else volume) * 1e6, lot)


@pytest.mark.slow
@EXAMPLES
@given(runs(least_rows=20))
def test_limit_orders_fill_at_their_limit_or_better(one: Run) -> None:
    tables = played(one, "limits")
    splits = {action.symbol for action in one.feed.actions if action.type == "split"}
    for number, _, symbol, side, _, price, _, charge, *_ in tables["fills"]:
        kind, limit = tables["orders"][number][5], tables["orders"][number][7]
        if "LIMIT" in kind and symbol not in splits:
            assert charge == 0
            assert price <= limit if side == "BUY" else price >= limit


def without_splits(one: Run) -> Run:
    kept = tuple(a for a in one.feed.actions if a.type is not CorporateActionType.SPLIT)
    return replace(one, feed=replace(one.feed, actions=kept))


@pytest.mark.slow
@EXAMPLES
@given(runs(least_rows=20).map(without_splits))
def test_orders_follow_the_table_of_transitions(one: Run) -> None:
    tables = played(one, "orders")
    by_order: dict[int, list[tuple[int, int, float]]] = {}
    for number, row, _, _, quantity, price, *_ in tables["fills"]:
        by_order.setdefault(number, []).append((row, quantity, price))
    for entry in tables["orders"]:
        number, status, filled = entry[0], OrderStatus(entry[9]), entry[10]
        fills = by_order.get(number, [])
        assert filled == sum(quantity for _, quantity, _ in fills)
        assert filled <= entry[4]
        assert (status is OrderStatus.FILLED) == (0 < filled == entry[4])
        if entry[4] == 0:  # a target that could not be sized was rejected before it was an order
            assert status is OrderStatus.REJECTED
            continue
        assert final_record(entry, fills).status is status


ENDINGS = {
    OrderStatus.CANCELLED: OrderEventKind.CANCEL,
    OrderStatus.EXPIRED: OrderEventKind.EXPIRE,
    OrderStatus.REJECTED: OrderEventKind.REJECT,
}


def final_record(entry: tuple, fills: list[tuple[int, int, float]]) -> OrderRecord:  # type: ignore[type-arg]
    """Lead an order through the life that the ledger tells of it."""
    number, _, symbol, side, quantity, kind, time, limit, stop, status, _, _ = entry
    stamp = datetime(2024, 1, 1, tzinfo=UTC)
    order = Order(
        f"order-{number}",
        "test",
        symbol,
        Side(side),
        Decimal(quantity) / MICRO,
        OrderType(kind),
        TimeInForce(time),
        stamp,
        None if isnan(limit) else Decimal(repr(limit)),
        None if isnan(stop) else Decimal(repr(stop)),
    )
    record = OrderRecord(order)
    kinds = [OrderEventKind.SUBMIT]
    if status != OrderStatus.REJECTED:
        kinds.append(OrderEventKind.ACCEPT)
    for event in kinds:
        record = record.apply(OrderEvent(order.client_order_id, event, stamp))
    for index, (_, size, price) in enumerate(fills):
        fill = Fill(
            f"{number}-{index}",
            order.client_order_id,
            symbol,
            order.side,
            Decimal(size) / MICRO,
            Decimal(repr(price)),
            Decimal(0),
            stamp,
        )
        record = record.apply(OrderEvent(order.client_order_id, OrderEventKind.FILL, stamp, fill))
    ending = ENDINGS.get(OrderStatus(status))
    if ending is not None:
        record = record.apply(OrderEvent(order.client_order_id, ending, stamp))
    return record


def with_a_tight_breaker(one: Run) -> Run:
    return replace(one, risk=one.risk.model_copy(update={"max_drawdown": 0.01}))


@pytest.mark.slow
@EXAMPLES
@given(runs(least_rows=30).map(with_a_tight_breaker))
def test_after_a_halt_no_position_opens_or_grows_until_the_reset(one: Run) -> None:
    tables = played(one, "halts")
    halts = [event[0] for event in tables["risk_events"] if event[3] == "halted"]
    before = dict.fromkeys(one.feed.data.symbols, 0)
    fills_of: dict[int, list[tuple[str, int, bool]]] = {}
    for number, row, symbol, side, quantity, *_ in tables["fills"]:
        late = tables["orders"][number][1] == row
        fills_of.setdefault(row, []).append(
            (symbol, quantity if side == "BUY" else -quantity, late)
        )
    for row, holding in enumerate(holdings(one, tables)):
        # A halt ends in step 5 of a reset's row: until then it holds for the fills of that row.
        last_halt = max((halt for halt in halts if halt < row), default=-1)
        halted = last_halt >= 0 and not any(last_halt < reset < row for reset in one.resets)
        grows = {
            s for s, q, _ in fills_of.get(row, []) if abs(holding.quantities[s]) > abs(before[s])
        }
        if halted and row not in one.resets and not splits_at(one, row):
            assert not grows, f"row {row}: {grows} grew after the halt of row {last_halt}"
        before = holding.quantities


def splits_at(one: Run, row: int) -> bool:
    rows, _, kinds, _ = one.feed.action_columns
    return bool(((rows == row) & (kinds == 0)).any())


@pytest.mark.slow
@EXAMPLES
@given(runs(least_rows=20))
def test_a_shorter_run_is_the_beginning_of_a_longer_one(one: Run) -> None:
    whole = played(one, "truncation")
    rows = len(one.feed.data.timestamps)
    first = one.feed.sessions.first
    for cut in sorted({rows // 3, rows // 2, rows - 1} & {t for t in range(1, rows) if first[t]}):
        part = played(one.until(cut), "truncation")
        assert part["curve"] == whole["curve"][:cut]
        for name, row in (("fills", 1), ("closings", 0), ("risk_events", 0)):
            known = [entry for entry in whole[name] if entry[row] < cut]
            assert repr(part[name]) == repr(known), name
        orders = [entry for entry in whole["orders"] if entry[1] < cut]
        assert len(orders) == len(part["orders"])
        for short, long in zip(part["orders"], orders, strict=True):
            working = short[9] in ("ACCEPTED", "PARTIALLY_FILLED")
            # What still works may fill, end or split later; what has ended never changes.
            same = slice(0, 4) if working else slice(None)
            assert repr(short[same]) == repr(long[same])


@EXAMPLES
@given(runs(least_rows=20))
def test_profit_is_realised_and_unrealised_less_costs(one: Run) -> None:
    tables = played(one, "profit")
    *_, holding = holdings(one, tables)
    bases = {symbol: basis for symbol, _, basis in tables["positions"]}
    unrealised = sum(holding.values()) - sum(bases.values())
    realised = sum(fill[8] for fill in tables["fills"]) + sum(c[4] for c in tables["closings"])
    dividends, borrow, commissions, slippage = tables["totals"][0]
    profit = tables["curve"][-1][0] - int(one.execution.initial_cash * MICRO)
    accounted = realised + unrealised + dividends - borrow - commissions - slippage
    # A fill through zero is booked in two parts, each rounded to a micro-dollar.
    assert abs(profit - accounted) <= len(tables["fills"])
    assert commissions == sum(fill[6] for fill in tables["fills"])
    assert slippage == sum(fill[7] for fill in tables["fills"])


@pytest.mark.slow
@EXAMPLES
@given(runs(least_rows=20).map(without_splits))
def test_round_trips_add_up_to_what_was_realised(one: Run) -> None:
    STEPS["trips"] += one.steps
    result = engine_result(one)
    tables, trips = tables_of_result(result), result.trades
    open_at_the_end = {symbol for symbol, _, _ in tables["positions"]}
    for symbol in set(one.feed.data.symbols) - open_at_the_end:
        fills = [fill for fill in tables["fills"] if fill[2] == symbol]
        ends = [closing for closing in tables["closings"] if closing[1] == symbol]
        realised = sum(fill[8] for fill in fills) + sum(closing[4] for closing in ends)
        costs = sum(fill[6] + fill[7] for fill in fills)
        mine = trips[trips["symbol"] == symbol]
        rounding = 1e-6 * (len(fills) + 1)
        scale = sum(value(fill[4], fill[5]) for fill in fills) / MICRO
        assert mine["costs"].sum() == pytest.approx(costs / MICRO, rel=1e-9, abs=rounding)
        assert mine["pnl"].sum() == pytest.approx(
            (realised - costs) / MICRO, abs=rounding + 1e-9 * scale
        )
        assert len(mine) == flat_or_turned(fills, ends)


def flat_or_turned(fills: list[tuple], closings: list[tuple]) -> int:  # type: ignore[type-arg]
    """How often the position came to zero or went through it."""
    signed = [(c[0], 0, -c[2]) for c in closings]
    signed += [(f[1], 1, f[4] if f[3] == "BUY" else -f[4]) for f in fills]
    held = count = 0
    for _, _, quantity in sorted(signed, key=lambda event: event[:2]):
        after = held + quantity
        count += held != 0 and (after == 0 or (after > 0) != (held > 0))
        held = after
    return count


@EXAMPLES
@given(runs(least_rows=20))
def test_a_cash_account_neither_borrows_nor_shorts(one: Run) -> None:
    # Costs that eat up the proceeds of a sale are left out: they do make debts.
    changed = {
        "account": "cash",
        "slippage": SlippageSettings(),
        "commission": CommissionSettings(),
    }
    one = replace(one, execution=one.execution.model_copy(update=changed))
    tables = played(one, "cash")
    for _, cash, gross, net in tables["curve"]:
        # A quantity may be a billionth of a lot too large for its cash.
        assert cash > -MICRO // 100
        assert gross == net


def test_enough_steps_were_taken() -> None:
    """Last in the file: the runs above went through thousands of rows and instructions."""
    if len(STEPS) < 9:
        pytest.skip("not every property of this file was selected")
    assert sum(STEPS.values()) >= LEAST_STEPS
