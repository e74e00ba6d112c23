"""The compiled engine equals the slow reference on random markets, orders and settings.

Quantities, money, statuses, reasons and numbers must be the same; prices and the figures of risk
events to 1e-9.
"""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backtest.reference.ledger_comparison import (
    difference,
    engine_result,
    engine_tables,
    reference_tables,
)
from tests.backtest.reference.random_runs import Run, random_run, runs
from tests.backtest.reference.reference_instructions import Instruction, OrderRequest, Target
from tests.backtest.reference.small_markets import flat, market, run
from trading.backtest.feed import BarFeed
from trading.errors import DataError, OrderError
from trading.execution.orders import OrderType, Side
from trading.risk.settings import RiskSettings


def assert_equal(one: Run) -> None:
    found = difference(reference_tables(one), engine_tables(one))
    assert not found, f"{found}\n{one.execution!r}\n{one.risk!r}\n{one.feed.actions}\n{one.resets}"


@settings(max_examples=250, deadline=None)
@given(runs())
def test_the_engine_does_what_the_reference_does(one: Run) -> None:
    assert_equal(one)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(runs(least_rows=30, most_rows=120))
def test_so_it_does_on_longer_runs(one: Run) -> None:
    assert_equal(one)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("block", range(20))
def test_so_it_does_many_thousand_times(block: int) -> None:
    for seed in range(block * 2_500, (block + 1) * 2_500):
        shape = np.random.default_rng(seed)
        one = random_run(
            seed,
            rows=int(shape.integers(1, 90)),
            columns=int(shape.integers(1, 5)),
            per_session=int(shape.choice([1, 1, 2, 7])),
            density=float(shape.choice([0.3, 1.0, 4.0])),
        )
        found = difference(reference_tables(one), engine_tables(one))
        assert not found, f"seed {seed}: {found}"


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(runs(most_rows=25))
def test_a_second_run_is_the_same_to_the_last_digit(one: Run) -> None:
    # NaN is not equal to itself, but is written as itself.
    assert repr(engine_tables(one)) == repr(engine_tables(one))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(runs(most_rows=30), st.randoms(use_true_random=False))
def test_the_order_of_instructions_matters_only_within_a_row_and_symbol(
    one: Run, random: Random
) -> None:
    places: dict[tuple[int, int], list[Instruction]] = {}
    for each in one.instructions:
        places.setdefault((each.row, each.column), []).append(each)
    keys = list(places)
    random.shuffle(keys)
    shuffled = replace(one, instructions=tuple(i for key in keys for i in places[key]))
    assert repr(engine_tables(shuffled)) == repr(engine_tables(one))


def test_no_instructions_leave_the_cash_alone() -> None:
    tables = engine_tables(run(market([flat(10)] * 3)))
    assert tables["curve"] == [(10_000_000_000, 10_000_000_000, 0, 0)] * 3
    assert tables["orders"] == []


def test_one_bar_decides_but_fills_nothing() -> None:
    assert_equal(run(market([flat(10)]), Target(0, 0, 1.0)))
    assert engine_tables(run(market([flat(10)]), Target(0, 0, 1.0)))["fills"] == []


def test_the_smallest_and_the_largest_order() -> None:
    feed = market([flat(0.0001)] * 3, [flat(99_999.99)] * 3)
    for quantity in (1, 10**15):
        order = OrderRequest(0, 0, Side.BUY, quantity, OrderType.MARKET)
        other = OrderRequest(0, 1, Side.BUY, quantity // 10**6 or 1, OrderType.MARKET)
        assert_equal(run(feed, order, other, fractional=True, account="margin"))


def test_more_than_micro_dollars_can_count_is_an_error() -> None:
    feed = market([flat(100_000)] * 3)
    order = OrderRequest(0, 0, Side.BUY, 10**15)
    with pytest.raises(OrderError, match=r"2024-01-02 .* passed 1,000,000,000,000 USD"):
        engine_result(run(feed, order, account="margin"))


@pytest.mark.parametrize("row", [-1, 3])
def test_a_reset_outside_the_run_is_an_error(row: int) -> None:
    with pytest.raises(DataError, match=f"row {row} lies outside the 3 bars"):
        engine_result(run(market([flat(10)] * 3), resets=[row]))


def test_no_bars_and_no_symbols_are_runs_too() -> None:
    feed = market([flat(10)] * 3)
    for data in (feed.data.upto(-1), feed.data.select([])):
        assert_equal(replace(run(feed), feed=BarFeed(data)))


def test_the_result_keeps_the_feed_as_it_was() -> None:
    one = random_run(7, rows=40, columns=3)
    before = {name: getattr(one.feed.data, name).copy() for name in ("open", "close", "volume")}
    result = engine_result(one)
    assert result.feed is one.feed
    for name, values in before.items():
        assert np.array_equal(getattr(one.feed.data, name), values, equal_nan=True)


def test_the_comparison_sees_a_difference() -> None:
    one = run(market([flat(10), flat(10), flat(12)]), Target(0, 0, 0.5))
    other = replace(one, instructions=(Target(0, 0, 0.51),))
    assert difference(reference_tables(one), engine_tables(one)) == ""
    assert "orders[0]" in difference(reference_tables(one), engine_tables(other))
    halted = replace(one, risk=RiskSettings(max_drawdown=0.0))
    assert "orders[0]" in difference(reference_tables(one), engine_tables(halted))
