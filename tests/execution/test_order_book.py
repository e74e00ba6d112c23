"""The order book: priority, changes, splits, and equality with sorting anew."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_broker import START, an_order

from trading.errors import NotFoundError, OrderError
from trading.execution.lifecycle import OrderEventKind, OrderRecord
from trading.execution.order_book import OrderBook, PriceLevel, split_event
from trading.execution.orders import Order, OrderStatus, Side

D = Decimal


def working(order: Order) -> OrderRecord:
    return replace(OrderRecord(order), status=OrderStatus.ACCEPTED)


def booked(*orders: Order) -> OrderBook:
    book = OrderBook()
    for order in orders:
        book.add(working(order))
    return book


def names(records: tuple[OrderRecord, ...]) -> list[str]:
    return [record.client_order_id for record in records]


def test_best_price_then_time() -> None:
    buys = booked(
        an_order("a", limit="10"),
        an_order("b", limit="11"),
        an_order("c", limit="10"),
        an_order("m"),
        an_order("d", limit="11"),
    )
    assert names(buys.executable("AAA", Side.BUY)) == ["m", "b", "d", "a", "c"]
    best = buys.best("AAA", Side.BUY)
    assert best is not None
    assert best.client_order_id == "m"
    sells = booked(*(an_order(n, Side.SELL, limit=p) for n, p in (("a", "12"), ("b", "11"))))
    assert names(sells.executable("AAA", Side.SELL)) == ["b", "a"]
    assert sells.best("AAA", Side.BUY) is None
    assert sells.executable("ZZZ", Side.BUY) == ()


def test_stops_wait_and_are_triggered() -> None:
    book = booked(
        an_order("high", stop="12"),
        an_order("low", stop="11"),
        an_order("both", stop="11.5", limit="11.8"),
        an_order("rest", limit="11.9"),
    )
    assert names(book.waiting("AAA", Side.BUY)) == ["low", "both", "high"]
    book.trigger("both")
    book.trigger("low")
    assert names(book.waiting("AAA", Side.BUY)) == ["high"]
    assert names(book.executable("AAA", Side.BUY)) == ["low", "rest", "both"]
    with pytest.raises(OrderError, match="does not wait"):
        book.trigger("both")
    sells = booked(*(an_order(n, Side.SELL, stop=p) for n, p in (("a", "8"), ("b", "9"))))
    assert names(sells.waiting("AAA", Side.SELL)) == ["b", "a"]


def test_depth_adds_up_what_remains() -> None:
    book = booked(an_order("a", limit="10"), an_order("b", limit="11"), an_order("c", limit="10"))
    book.update(replace(book.get("a"), remaining_quantity=D(30), filled_quantity=D(70)))
    assert book.depth("AAA", Side.BUY) == (
        PriceLevel(D(11), D(100), 1),
        PriceLevel(D(10), D(130), 2),
    )
    assert names(book.executable("AAA", Side.BUY)) == ["b", "a", "c"], "a fill keeps the place"
    assert book.quantity("AAA", Side.BUY) == 230


def test_replace_loses_the_place_and_removal_is_final() -> None:
    book = booked(an_order("a", limit="10"), an_order("b", limit="10"))
    book.replace("a", working(an_order("a2", limit="10")))
    assert names(book.executable("AAA", Side.BUY)) == ["b", "a2"]
    book.update(replace(book.get("b"), status=OrderStatus.FILLED))
    assert "b" not in book
    assert len(book) == 1
    with pytest.raises(NotFoundError, match="'b' is not among the 1 working orders"):
        book.remove("b")
    with pytest.raises(OrderError, match="is in the book already"):
        book.add(book.get("a2"))
    with pytest.raises(OrderError, match="only open orders"):
        book.add(OrderRecord(an_order("new")))
    with pytest.raises(OrderError, match="cannot replace"):
        book.replace("a2", OrderRecord(an_order("new")))


def test_a_split_adjusts_prices_and_quantities() -> None:
    book = booked(
        an_order("a", limit="10", quantity="3"),
        an_order("b", Side.SELL, stop="9", quantity="1"),
        an_order("c", limit="10", symbol="BBB"),
    )
    events = book.split("AAA", D("0.5"), START)
    assert [(e.client_order_id, e.kind) for e in events] == [
        ("b", OrderEventKind.CANCEL),
        ("a", OrderEventKind.RESTATE),
    ]
    order = book.get("a").order
    assert (order.quantity, order.limit_price) == (D(1), D(20))
    assert book.get("c").order.limit_price == 10
    assert "b" not in book


def test_a_split_of_a_partly_filled_order_rounds_each_part() -> None:
    record = replace(working(an_order(quantity="7")), filled_quantity=D(2), remaining_quantity=D(5))
    event = split_event(record, D("1.5"), START)
    assert event.restated is not None
    assert (event.restated.quantity, event.remaining_quantity, event.filled_quantity) == (
        D(10),
        D(7),
        D(3),
    )
    finer = split_event(record, D("1.5"), START, whole_shares=False)
    assert finer.remaining_quantity == D("7.5")
    for ratio in ("0", "-1", "NaN", "Infinity"):
        with pytest.raises(OrderError, match="a split needs a finite ratio"):
            split_event(record, D(ratio), START)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Side),
            st.none() | st.integers(1, 5),
            st.none() | st.integers(1, 5),
            st.sampled_from(["keep", "keep", "remove", "trigger"]),
        ),
        max_size=60,
    )
)
def test_the_ladders_equal_sorting_anew(
    drawn: list[tuple[Side, int | None, int | None, str]],
) -> None:
    book, arrival = OrderBook(), {}
    triggered = set()
    for number, (side, limit, stop, fate) in enumerate(drawn):
        name = f"o{number:03}"
        order = an_order(
            name,
            side,
            limit=None if limit is None else str(limit),
            stop=None if stop is None else str(stop),
        )
        book.add(working(order))
        arrival[name] = number
        if fate == "remove":
            book.remove(name)
        elif fate == "trigger" and stop is not None:
            book.trigger(name)
            triggered.add(name)

    def price(record: OrderRecord) -> Decimal:
        limit = record.order.limit_price
        sign = -1 if record.order.side is Side.BUY else 1
        return D("-Infinity") if limit is None else sign * limit

    def by_time(record: OrderRecord) -> int:
        return arrival[record.client_order_id]

    def trigger(record: OrderRecord) -> Decimal:
        stop = record.order.stop_price
        assert stop is not None
        return stop if record.order.side is Side.BUY else -stop

    for side in Side:
        records = [r for r in book if r.order.side is side]
        stops = [
            r
            for r in records
            if r.order.stop_price is not None and r.client_order_id not in triggered
        ]
        free = [r for r in records if r not in stops]
        assert list(book.waiting("AAA", side)) == sorted(
            stops, key=lambda r: (trigger(r), by_time(r))
        )
        assert list(book.executable("AAA", side)) == sorted(
            free, key=lambda r: (price(r), by_time(r))
        )
