"""The table of transitions, one cell at a time, and what fills do to a record."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from scripted_broker import START, an_order

from trading.errors import OrderError, TransitionError
from trading.execution.lifecycle import (
    FINAL,
    OPEN,
    TRANSITIONS,
    WORKING,
    OrderEvent,
    OrderEventKind,
    OrderRecord,
)
from trading.execution.orders import Fill, OrderStatus, Side

E = OrderEventKind
S = OrderStatus


def a_fill(name: str = "f1", quantity: str = "40", price: str = "10") -> Fill:
    return Fill(name, "o1", "AAA", Side.BUY, Decimal(quantity), Decimal(price), Decimal(0), START)


def happened(kind: OrderEventKind, fill: Fill | None = None) -> OrderEvent:
    if kind is E.RESTATE:
        return OrderEvent(
            "o1",
            kind,
            START,
            restated=an_order(quantity="200"),
            remaining_quantity=Decimal(200),
            filled_quantity=Decimal(0),
        )
    return OrderEvent("o1", kind, START, fill=a_fill() if kind is E.FILL and not fill else fill)


def in_status(status: OrderStatus) -> OrderRecord:
    return replace(OrderRecord(an_order()), status=status)


@pytest.mark.parametrize("status", S)
@pytest.mark.parametrize("kind", E)
def test_every_cell_of_the_table(status: OrderStatus, kind: OrderEventKind) -> None:
    record = in_status(status)
    if kind in TRANSITIONS[status]:
        assert record.apply(happened(kind)).status in TRANSITIONS[status][kind]
    else:
        with pytest.raises(TransitionError, match=f"order o1 is {status}: {kind} is not possible"):
            record.apply(happened(kind))


def test_the_states_are_divided() -> None:
    assert set(TRANSITIONS) == set(S)
    assert not FINAL & OPEN
    assert FINAL | OPEN | {S.NEW} == set(S)
    assert WORKING < OPEN


def test_the_documented_table_is_the_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "execution.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([A-Z_]+) \| (.*) \|$", text, flags=re.MULTILINE))
    assert set(rows) == {status.value for status in S}
    for status, row in TRANSITIONS.items():
        documented = {}
        for cell in rows[status.value].split("; "):
            kind, _, targets = cell.partition(" → ")
            documented[kind] = tuple(targets.split(" or ")) if targets else (status.value,)
        assert documented == {kind.value: tuple(t.value for t in to) for kind, to in row.items()}


def test_a_final_order_never_works_again() -> None:
    for status in FINAL:
        for targets in TRANSITIONS[status].values():
            assert set(targets) <= FINAL


def test_only_the_brokers_certainty_makes_an_order_new_again() -> None:
    back = {
        (status, kind)
        for status, row in TRANSITIONS.items()
        for kind, targets in row.items()
        if S.NEW in targets
    }
    assert back == {(S.SUBMITTED, E.ABSENT), (S.UNKNOWN, E.ABSENT)}


def test_partial_fills_add_up() -> None:
    record = in_status(S.ACCEPTED)
    record = record.apply(happened(E.FILL, a_fill("f1", "40", "10")))
    assert (record.status, record.remaining_quantity) == (S.PARTIALLY_FILLED, Decimal(60))
    record = record.apply(happened(E.FILL, a_fill("f2", "60", "12.5")))
    assert (record.status, record.remaining_quantity) == (S.FILLED, Decimal(0))
    assert record.average_price == Decimal("11.5")
    assert [fill.fill_id for fill in record.fills] == ["f1", "f2"]
    assert in_status(S.NEW).average_price is None


def test_a_repeated_fill_is_the_same_record() -> None:
    record = in_status(S.ACCEPTED).apply(happened(E.FILL))
    assert record.apply(happened(E.FILL)) is record
    with pytest.raises(OrderError, match="came twice with different content"):
        record.apply(happened(E.FILL, a_fill("f1", "41")))


@pytest.mark.parametrize(
    ("fill", "sentence"),
    [
        (a_fill(quantity="100.000001"), "overfills order o1: 100 of 100 remain"),
        (a_fill(quantity="0"), "has the quantity 0, not > 0"),
        (a_fill(quantity="NaN"), "has the quantity NaN, not > 0"),
        (a_fill(quantity="Infinity"), "has the quantity Infinity"),
        (replace(a_fill(), side=Side.SELL), "is a SELL of AAA"),
        (replace(a_fill(), symbol="BBB"), "is a BUY of BBB"),
        (replace(a_fill(), client_order_id="o2"), "for order 'o2'"),
    ],
)
def test_a_fill_that_contradicts_the_order(fill: Fill, sentence: str) -> None:
    with pytest.raises(OrderError, match=sentence):
        in_status(S.ACCEPTED).apply(happened(E.FILL, fill))


def test_fills_while_a_cancel_is_pending() -> None:
    record = in_status(S.PENDING_CANCEL).apply(happened(E.FILL))
    assert record.status is S.PENDING_CANCEL
    assert record.apply(happened(E.CANCEL)).status is S.CANCELLED
    assert record.apply(happened(E.CANCEL_REJECT)).status is S.PARTIALLY_FILLED
    done = record.apply(happened(E.FILL, a_fill("f2", "60")))
    assert done.status is S.FILLED
    assert done.apply(happened(E.CANCEL_REJECT)).status is S.FILLED


def test_late_fills_after_the_end_are_counted() -> None:
    for status, whole in ((S.CANCELLED, S.FILLED), (S.EXPIRED, S.FILLED), (S.REPLACED, S.REPLACED)):
        record = in_status(status).apply(happened(E.FILL))
        assert (record.status, record.filled_quantity) == (status, Decimal(40))
        assert record.apply(happened(E.FILL, a_fill("f2", "60"))).status is whole
    with pytest.raises(TransitionError):
        in_status(S.REJECTED).apply(happened(E.FILL))


def test_what_has_filled_cannot_be_rejected_or_absent() -> None:
    unknown = in_status(S.UNKNOWN).apply(happened(E.FILL))
    assert unknown.status is S.UNKNOWN
    with pytest.raises(TransitionError, match="cannot be rejected any more"):
        unknown.apply(happened(E.REJECT))
    with pytest.raises(TransitionError, match="cannot be without it"):
        unknown.apply(happened(E.ABSENT))
    assert unknown.apply(happened(E.ACCEPT)).status is S.PARTIALLY_FILLED


def test_events_that_are_malformed() -> None:
    record = in_status(S.ACCEPTED)
    with pytest.raises(OrderError, match="an event of order 'o2' was applied to 'o1'"):
        record.apply(OrderEvent("o2", E.CANCEL, START))
    with pytest.raises(OrderError, match="naive timestamp"):
        record.apply(OrderEvent("o1", E.CANCEL, datetime(2024, 1, 1)))
    with pytest.raises(OrderError, match="carries a fill"):
        record.apply(OrderEvent("o1", E.FILL, START))
    with pytest.raises(OrderError, match="carries a fill"):
        record.apply(OrderEvent("o1", E.CANCEL, START, fill=a_fill()))
    with pytest.raises(OrderError, match="needs the restated order"):
        record.apply(OrderEvent("o1", E.RESTATE, START))


def test_a_restatement_changes_what_remains() -> None:
    record = in_status(S.ACCEPTED).apply(happened(E.RESTATE))
    assert (record.order.quantity, record.remaining_quantity) == (Decimal(200), Decimal(200))
    assert record.apply(happened(E.RESTATE)) is record, "a repeated split is one split"
    later = START + timedelta(days=1)
    other = replace(happened(E.RESTATE), restated=an_order(symbol="BBB"), timestamp=later)
    with pytest.raises(OrderError, match="holds another order"):
        record.apply(other)


def test_the_record_keeps_its_history() -> None:
    record = OrderRecord(an_order())
    for kind in (E.SUBMIT, E.ACCEPT, E.CANCEL_REQUEST, E.CANCEL):
        record = record.apply(OrderEvent("o1", kind, START, broker_order_id="b1", reason="risk"))
    assert [event.kind for event in record.history] == [
        E.SUBMIT,
        E.ACCEPT,
        E.CANCEL_REQUEST,
        E.CANCEL,
    ]
    assert (record.broker_order_id, record.reason, record.is_final) == ("b1", "risk", True)
