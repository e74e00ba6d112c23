"""Every mistake in an order has a sentence of its own."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_broker import START, an_order

from trading.errors import OrderError
from trading.execution.brokers.base import Capabilities
from trading.execution.orders import OrderType, TimeInForce, client_order_id
from trading.execution.validator import order_problems, validate

ANY = Capabilities()
FRACTIONAL = Capabilities(fractional=True)
LIMITED = an_order(limit="10")
BOTH = an_order(limit="10", stop="9")


@pytest.mark.parametrize(
    "order",
    [
        an_order(),
        LIMITED,
        BOTH,
        an_order(stop="9"),
        an_order(symbol="BRK.B"),
        an_order(symbol="BRK B"),
        an_order(symbol="Ünï"),
        an_order(symbol="7203.T"),
    ],
)
def test_well_formed_orders(order: Any) -> None:
    assert validate(order, ANY) is order


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"quantity": Decimal(0)}, "the quantity must be > 0, got 0"),
        ({"quantity": Decimal(-5)}, "the quantity must be > 0, got -5"),
        ({"quantity": Decimal("NaN")}, "the quantity must be finite, got NaN"),
        ({"quantity": Decimal("Infinity")}, "the quantity must be finite, got Infinity"),
        (
            {"quantity": Decimal("1.5")},
            "the quantity 1.5 is not on the lot; the broker trades whole",
        ),
        ({"quantity": Decimal("1e13")}, "is too large"),
        ({"quantity": 100}, "quantity must be a Decimal, got 100"),
        ({"quantity": 100.0}, "quantity must be a Decimal, got 100.0"),
        ({"quantity": None}, "quantity must be a Decimal, got None"),
        ({"limit_price": None}, "a LIMIT order needs a limit price"),
        ({"limit_price": Decimal(0)}, "the limit price must be finite and > 0, got 0"),
        ({"limit_price": Decimal("-1")}, "the limit price must be finite and > 0, got -1"),
        ({"limit_price": Decimal("NaN")}, "the limit price must be finite and > 0, got NaN"),
        ({"limit_price": Decimal("1e15")}, "the limit price 1E+15 is too large"),
        ({"limit_price": 10.0}, "the limit price must be a Decimal, got 10.0"),
        ({"stop_price": Decimal(9)}, "a LIMIT order takes no stop price, got 9"),
        ({"type": OrderType.MARKET}, "a MARKET order takes no limit price, got 10"),
        ({"type": OrderType.STOP_LIMIT}, "a STOP_LIMIT order needs a stop price"),
        ({"type": "LIMIT "}, "type must be a OrderType, got 'LIMIT '"),
        ({"side": "BUY"}, "side must be a Side, got 'BUY'"),
        ({"time_in_force": "DAY"}, "time_in_force must be a TimeInForce, got 'DAY'"),
        ({"submitted_at": datetime(2024, 1, 2)}, "is naive; give it a time zone"),
        ({"submitted_at": "2024-01-02"}, "submitted_at must be a datetime"),
        ({"symbol": ""}, "the symbol must be 1 to 32 printable characters"),
        ({"symbol": " AAA"}, "the symbol must be"),
        ({"symbol": "A\tA"}, "the symbol must be"),
        ({"symbol": "A\u202eA"}, "the symbol must be"),
        ({"symbol": "U\u0308"}, "composed form"),
        ({"symbol": "A" * 33}, "the symbol must be"),
        ({"symbol": None}, "the symbol must be"),
        ({"client_order_id": ""}, "the client order id must be made of"),
        ({"client_order_id": "späť"}, "the client order id must be made of"),
        ({"client_order_id": "a b"}, "the client order id must be made of"),
        ({"client_order_id": "a\n"}, "the client order id must be made of"),
        ({"client_order_id": "-a"}, "begin with a letter"),
        ({"client_order_id": None}, "the client order id must be made of"),
        ({"client_order_id": "x" * 49}, "has 49 characters; the broker takes at most 48"),
        ({"strategy_id": ""}, "the strategy id must be 1 to 64"),
        ({"strategy_id": "x" * 65}, "the strategy id must be 1 to 64"),
    ],
)
def test_each_mistake_is_named(changes: dict[str, Any], sentence: str) -> None:
    problems = order_problems(replace(LIMITED, **changes), ANY)
    assert len(problems) == 1, problems
    assert sentence in problems[0]
    with pytest.raises(OrderError):
        validate(replace(LIMITED, **changes), ANY)


def test_what_the_broker_cannot_do() -> None:
    narrow = Capabilities(
        order_types=frozenset({OrderType.MARKET}),
        times_in_force=frozenset({TimeInForce.DAY}),
        symbols=frozenset({"BBB"}),
    )
    problems = order_problems(LIMITED, narrow)
    assert problems == (
        "the broker does not trade 'AAA'",
        "the broker takes no LIMIT orders; it takes MARKET",
        "the broker knows no GTC orders; it knows DAY",
    )


def test_unknown_symbols_and_ids_that_are_taken() -> None:
    problems = order_problems(LIMITED, ANY, symbols={"BBB", "CCC"}, known_ids={"o1"})
    assert problems == (
        "the client order id is taken; an id stands for one order only",
        "unknown symbol 'AAA'; it is not among the 2 of this session",
    )


def test_fractions_of_a_share_to_a_millionth() -> None:
    assert not order_problems(an_order(quantity="0.000001"), FRACTIONAL)
    assert order_problems(an_order(quantity="0.0000001"), FRACTIONAL) == (
        "the quantity 1E-7 is not on the lot; the broker trades a millionth of a share",
    )


def test_all_mistakes_come_in_one_sentence() -> None:
    with pytest.raises(OrderError) as raised:
        validate(replace(LIMITED, quantity=Decimal(0), limit_price=None, symbol=""), ANY)
    assert str(raised.value).count(";") >= 2
    assert str(raised.value).startswith("order 'o1': ")


@given(
    st.text(max_size=80),
    st.datetimes(timezones=st.timezones()),
    st.text(max_size=40),
    st.integers(0, 10**6),
)
def test_every_generated_id_is_valid_and_deterministic(
    strategy: str, moment: datetime, symbol: str, sequence: int
) -> None:
    name = client_order_id(strategy, moment, symbol, sequence)
    assert name == client_order_id(strategy, moment.astimezone(START.tzinfo), symbol, sequence)
    assert not order_problems(an_order(name), ANY)
    others = {
        client_order_id(strategy + "x", moment, symbol, sequence),
        client_order_id(strategy, moment, symbol + "x", sequence),
        client_order_id(strategy, moment, symbol, sequence + 1),
    }
    assert len(others | {name}) == 4


def test_ids_need_an_aware_time_and_a_sequence() -> None:
    with pytest.raises(OrderError, match="needs an aware time"):
        client_order_id("s", datetime(2024, 1, 1), "AAA")
    with pytest.raises(OrderError, match="must be >= 0, got -1"):
        client_order_id("s", START, "AAA", -1)
    assert client_order_id("s", START, "BRK.B", 2).startswith("20240301T210000-BRKB-2-")
