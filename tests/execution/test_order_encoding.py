"""Orders, fills, events and activities survive JSON."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_broker import START, an_order

from trading.errors import (
    BrokerError,
    BrokerRefused,
    BrokerStopped,
    BrokerUnavailable,
    ReconciliationError,
    StoreError,
    UnknownOutcome,
)
from trading.execution.activities import BorrowFee, Closing, Dividend, Split, Transfer
from trading.execution.brokers.base import Recovery, recovery_of
from trading.execution.encoding import from_plain, to_plain
from trading.execution.lifecycle import OrderEvent, OrderEventKind
from trading.execution.money import from_micros, to_micros, to_price
from trading.execution.orders import Fill, Order, Side

amounts = st.decimals(-(10**12), 10**12, allow_nan=False, places=6)


def survives(value: object) -> None:
    again = from_plain(type(value), json.loads(json.dumps(to_plain(value))))
    assert again == value


@given(
    st.text(),
    amounts,
    st.floats(1e-6, 1e9).map(to_price),
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(Side),
)
def test_fills_and_events(
    text: str, quantity: Decimal, price: Decimal, at: datetime, side: Side
) -> None:
    fill = Fill(text, text, text, side, quantity, price, quantity, at, quantity)
    survives(fill)
    survives(OrderEvent(text, OrderEventKind.FILL, at, fill=fill, reason=text))
    assert float(price) == float(to_price(float(price)))


def test_the_others() -> None:
    for order in (an_order(), an_order(limit="10.10"), an_order(stop="9", limit="8")):
        survives(order)
        survives(OrderEvent("o1", OrderEventKind.RESTATE, START, restated=order))
    survives(Split("1", "AAA", START, Decimal("0.5"), None))
    survives(Dividend("1", "AAA", START, Decimal("0.01")))
    survives(BorrowFee("1", "AAA", START, Decimal(10), Decimal("0.03"), 3))
    survives(Closing("1", "Ünï", START, Decimal(0), "stale"))
    survives(Transfer("1", START, Decimal("-5.000001")))


def test_a_record_that_does_not_fit_names_the_field() -> None:
    plain = to_plain(an_order())
    with pytest.raises(StoreError, match="not the record of a Order: side"):
        from_plain(Order, plain | {"side": "HOLD"})
    with pytest.raises(StoreError, match="quantity"):
        from_plain(Order, plain | {"quantity": "NaN"})


@given(st.integers(-(2**62), 2**62))
def test_micros_are_exact(micros: int) -> None:
    assert to_micros(from_micros(micros)) == micros


@pytest.mark.parametrize(
    ("error", "recovery"),
    [
        (BrokerUnavailable(""), Recovery.RETRY),
        (BrokerRefused(""), Recovery.REFUSED),
        (BrokerStopped(""), Recovery.STOP),
        (UnknownOutcome(""), Recovery.RECONCILE),
        (ReconciliationError(""), Recovery.RECONCILE),
        (BrokerError(""), Recovery.RECONCILE),
        (TimeoutError(), Recovery.RECONCILE),
        (ConnectionResetError(), Recovery.RECONCILE),
        (KeyError(), Recovery.RECONCILE),
    ],
)
def test_what_to_do_after_each_failure(error: Exception, recovery: Recovery) -> None:
    assert recovery_of(error) is recovery


def test_every_broker_error_is_in_the_table_above() -> None:
    known = {BrokerUnavailable, BrokerRefused, BrokerStopped, UnknownOutcome, ReconciliationError}
    ours = {kind for kind in BrokerError.__subclasses__() if kind.__module__ == "trading.errors"}
    assert ours == known
