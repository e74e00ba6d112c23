"""Reconciliation as a pure function: each state of ours against each state of the broker's."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from scripted_broker import START, an_order

from trading.errors import OrderError
from trading.execution.account import Account
from trading.execution.activities import Dividend
from trading.execution.brokers.base import BrokerAccount, BrokerOrder, BrokerPosition
from trading.execution.lifecycle import FINAL, OrderEvent, OrderEventKind, OrderRecord
from trading.execution.orders import Fill, OrderStatus, Side
from trading.execution.reconciliation import BrokerState, catch_up, reconcile

S = OrderStatus
E = OrderEventKind
D = Decimal
LATER = START + timedelta(hours=1)


def held(status: OrderStatus, filled: int = 0) -> OrderRecord:
    return replace(
        OrderRecord(an_order()),
        status=status,
        filled_quantity=D(filled),
        remaining_quantity=D(100 - filled),
    )


def view_of(status: OrderStatus, filled: int = 0) -> BrokerOrder:
    return BrokerOrder(an_order(), "b1", status, D(filled), D(100 - filled), LATER, "because", "o2")


def a_fill(name: str, quantity: int, order: str = "o1", minutes: int = 0) -> Fill:
    at = START + timedelta(minutes=minutes)
    return Fill(name, order, "AAA", Side.BUY, D(quantity), D(10), D(0), at)


@pytest.mark.parametrize(
    "status",
    [S.SUBMITTED, S.ACCEPTED, S.PENDING_CANCEL, S.PENDING_REPLACE, S.UNKNOWN],
)
@pytest.mark.parametrize(
    ("theirs", "at_start", "becomes"),
    [
        (S.ACCEPTED, True, S.ACCEPTED),
        (S.CANCELLED, False, S.CANCELLED),
        (S.EXPIRED, False, S.EXPIRED),
        (S.REJECTED, False, S.REJECTED),
        (S.REPLACED, False, S.REPLACED),
    ],
)
def test_the_brokers_state_becomes_ours(
    status: OrderStatus, theirs: OrderStatus, at_start: bool, becomes: OrderStatus
) -> None:
    record = held(status)
    for event in catch_up(record, view_of(theirs), LATER, at_start=at_start):
        record = record.apply(event)
    assert record.status is becomes
    if becomes in FINAL:
        assert record.reason == "because"


def test_a_pending_request_is_left_alone_while_somebody_waits_for_it() -> None:
    for status in (S.PENDING_CANCEL, S.PENDING_REPLACE):
        assert catch_up(held(status), view_of(S.ACCEPTED), LATER, at_start=False) == ()
    pending = held(S.UNKNOWN)
    for event in catch_up(pending, view_of(S.PENDING_CANCEL), LATER, at_start=True):
        pending = pending.apply(event)
    assert pending.status is S.PENDING_CANCEL


def test_an_order_that_the_broker_does_not_have() -> None:
    for status in (S.SUBMITTED, S.UNKNOWN):
        (event,) = catch_up(held(status), None, LATER, at_start=True)
        assert event.kind is E.ABSENT
    for record in (held(S.ACCEPTED), held(S.UNKNOWN, filled=40)):
        with pytest.raises(OrderError, match="the broker does not know order o1"):
            catch_up(record, None, LATER, at_start=True)


def test_counts_of_fills_that_differ() -> None:
    with pytest.raises(OrderError, match="counts 40 filled"):
        catch_up(held(S.ACCEPTED), view_of(S.PARTIALLY_FILLED, 40), LATER, at_start=True)
    with pytest.raises(OrderError, match="counts 40 filled shares"):
        catch_up(held(S.ACCEPTED), view_of(S.CANCELLED, 40), LATER, at_start=True)
    with pytest.raises(OrderError, match="holds order o1 as FILLED, but its fills add up to 0"):
        catch_up(held(S.ACCEPTED), view_of(S.FILLED, 100), LATER, at_start=True)


def state(
    account: Account,
    *,
    fills: tuple[Fill, ...] = (),
    activities: tuple[Dividend, ...] = (),
    working: tuple[BrokerOrder, ...] = (),
    looked_up: dict[str, BrokerOrder | None] | None = None,
) -> BrokerState:
    positions = {
        symbol: BrokerPosition(symbol, p.quantity, p.average_cost)
        for symbol, p in account.positions.items()
    }
    theirs = BrokerAccount("a", LATER, account.cash, account.cash, positions)
    return BrokerState(LATER, working, looked_up or {}, fills, activities, theirs)


def test_missed_money_is_counted_in_its_order() -> None:
    theirs = Account(D(10_000))
    first, second = a_fill("f1", 40), a_fill("f2", 60, minutes=10)
    dividend = Dividend("d1", "AAA", START + timedelta(minutes=5), D(1))
    for entry in (first, dividend, second):
        if isinstance(entry, Fill):
            theirs.apply(entry)
        else:
            theirs.book(entry)
    found = reconcile(
        {"o1": held(S.ACCEPTED)},
        Account(D(10_000)),
        state(
            theirs,
            fills=(second, first),
            activities=(dividend,),
            looked_up={"o1": view_of(S.FILLED, 100)},
        ),
    )
    assert found.problems == ()
    happened = [e.fill.fill_id if isinstance(e, OrderEvent) and e.fill else e for e in found.missed]
    assert happened == ["f1", dividend, "f2"]


def test_it_changes_nothing() -> None:
    ours, records = Account(D(10_000)), {"o1": held(S.ACCEPTED)}
    before = ours.to_json(), dict(records)
    theirs = Account(D(10_000))
    theirs.apply(a_fill("f1", 40))
    found = reconcile(
        records,
        ours,
        state(theirs, fills=(a_fill("f1", 40),), working=(view_of(S.PARTIALLY_FILLED, 40),)),
    )
    assert found.problems == ()
    assert len(found.missed) == 1
    assert (ours.to_json(), records) == before


def test_every_disagreement_has_a_sentence() -> None:
    theirs = Account(D(9_000))
    theirs.apply(a_fill("x", 5))
    found = reconcile(
        {"o1": held(S.CANCELLED)},
        Account(D(10_000)),
        state(
            theirs,
            fills=(a_fill("x", 5, order="stranger"),),
            working=(view_of(S.ACCEPTED), replace(view_of(S.ACCEPTED), order=an_order("hand"))),
        ),
    )
    assert found.problems == (
        "the broker reports fill 'x' of 5 AAA for order 'stranger', which is not ours",
        "the broker works order o1, which we hold as CANCELLED",
        "the broker works order 'hand', which is not ours; cancel it there",
        "we hold 0 AAA by our books, 5 by the broker's",
        "cash is 10000 USD by our books, 8950 by the broker's",
    )


def test_less_than_a_cent_is_no_disagreement() -> None:
    assert reconcile({}, Account(D("1.009999")), state(Account(D(1)))).problems == ()
    assert len(reconcile({}, Account(D("1.01")), state(Account(D(1)))).problems) == 1
