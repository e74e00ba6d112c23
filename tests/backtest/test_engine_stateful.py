"""A life of an account, one bar and one wish at a time: the past must never change.

The machine adds a daily bar, an instruction, a corporate action or a reset at a time. After every
bar the engine runs over everything so far: what it said of the rows before must stay as it was,
the books must balance, and at the end the whole life must equal the reference's.
"""

from datetime import date, timedelta
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.backtest.reference.ledger_comparison import (
    difference,
    engine_result,
    reference_tables,
    tables_of_result,
)
from tests.backtest.reference.random_runs import Run
from tests.backtest.reference.random_settings import random_execution, random_risk
from tests.backtest.reference.reference_instructions import (
    Cancel,
    Instruction,
    OrderRequest,
    Target,
)
from tests.backtest.reference.small_markets import market_data
from trading.backtest.feed import BarFeed
from trading.execution.orders import OrderType, Side, TimeInForce
from trading.execution.settings import ExecutionSettings
from trading.market.bars import CorporateAction, CorporateActionType
from trading.risk.settings import RiskSettings

SYMBOLS = ("AAA", "Ünï")
LEAST_STEPS = 10_000
NAN = float("nan")
COLUMN = st.integers(0, len(SYMBOLS) - 1)
MOVE = st.sampled_from([-0.2, -0.04, -0.01, 0.0, 0.003, 0.02, 0.15])
NEAR = st.sampled_from([0.9, 0.97, 0.99, 1.0, 1.01, 1.03, 1.1])
BAR = st.none() | st.tuples(MOVE, MOVE, st.sampled_from([0.0, 0.01, 0.05]), st.booleans())
ACTIONS = [
    (CorporateActionType.SPLIT, 3.0),
    (CorporateActionType.SPLIT, 0.3),
    (CorporateActionType.DIVIDEND, 0.25),
    (CorporateActionType.DELISTING, -0.5),
]


class Life(RuleBasedStateMachine):
    """An account that lives from bar to bar."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.execution = ExecutionSettings()
        self.risk = RiskSettings()
        self.days: list[date] = []
        self.bars: list[list[tuple[float, ...]]] = []
        self.closes = [50.0, 8.0]
        self.instructions: list[Instruction] = []
        self.actions: list[CorporateAction] = []
        self.resets: list[int] = []
        self.curve: list[list[int]] = []

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        random = Random(seed)
        self.execution, self.risk = random_execution(random), random_risk(random)

    @property
    def row(self) -> int:
        return len(self.bars) - 1

    @rule(bars=st.tuples(BAR, BAR), days=st.sampled_from([1, 1, 3]))
    def close_a_session(self, bars: tuple[Any, Any], days: int) -> None:
        self.count()
        before = self.days[-1] if self.days else date(2024, 1, 29)
        self.days.append(before + timedelta(days=days))
        self.bars.append([self.bar(column, bar) for column, bar in enumerate(bars)])
        self.look()

    @precondition(lambda self: self.bars)
    @rule(column=COLUMN, weight=st.sampled_from([0.0, 0.2, 0.5, 1.0, -0.3]))
    def aim(self, column: int, weight: float) -> None:
        self.count()
        self.instructions.append(Target(self.row, column, weight))

    @precondition(lambda self: self.bars)
    @rule(
        column=COLUMN,
        side=st.sampled_from(Side),
        size=st.sampled_from([0.05, 0.3, 1.2]),
        kind=st.sampled_from(OrderType),
        time=st.sampled_from(TimeInForce),
        limit=NEAR,
        stop=NEAR,
    )
    def order(
        self,
        column: int,
        side: Side,
        size: float,
        kind: OrderType,
        time: TimeInForce,
        limit: float,
        stop: float,
    ) -> None:
        self.count()
        price = self.closes[column]
        quantity = int(float(self.execution.initial_cash) * size / price) * 1_000_000 or 1
        self.instructions.append(
            OrderRequest(
                self.row,
                column,
                side,
                quantity,
                kind,
                time,
                price * limit if "LIMIT" in kind.value else NAN,
                price * stop if "STOP" in kind.value else NAN,
            )
        )

    @precondition(lambda self: self.bars)
    @rule(column=COLUMN)
    def cancel(self, column: int) -> None:
        self.count()
        self.instructions.append(Cancel(self.row, column))

    @precondition(lambda self: self.bars and len(self.actions) < 4)
    @rule(column=COLUMN, action=st.sampled_from(ACTIONS), days=st.integers(1, 4))
    def announce(self, column: int, action: tuple[CorporateActionType, float], days: int) -> None:
        self.count()
        day = self.days[-1] + timedelta(days=days)
        self.actions.append(CorporateAction(SYMBOLS[column], day, *action))

    @precondition(lambda self: self.bars)
    @rule()
    def reset(self) -> None:
        self.count()
        self.resets.append(self.row)

    @invariant()
    def the_books_balance(self) -> None:
        for equity, cash, gross, net in self.curve:
            assert equity == cash + net
            assert gross >= abs(net)

    def teardown(self) -> None:
        if self.bars:
            found = difference(
                reference_tables(self.life()), tables_of_result(engine_result(self.life()))
            )
            assert not found, found

    def count(self) -> None:
        type(self).steps += 1

    def bar(self, column: int, drawn: Any) -> tuple[float, ...]:
        if drawn is None:
            return (NAN, NAN, NAN, NAN, 100.0)
        gap, move, reach, thin = drawn
        opened = max(round(self.closes[column] * (1.0 + gap), 2), 0.01)
        close = max(round(opened * (1.0 + move), 2), 0.01)
        self.closes[column] = close
        high, low = max(opened, close) * (1.0 + reach), min(opened, close) * (1.0 - reach)
        return (opened, high, low, close, 40.0 if thin else 1e6)

    def life(self) -> Run:
        data = market_data(self.days, SYMBOLS, self.bars)
        feed = BarFeed(data, tuple(self.actions), {"AAA": "Tech"})
        return Run(feed, tuple(self.instructions), self.execution, self.risk, tuple(self.resets))

    def look(self) -> None:
        """Run over everything so far, and hold it against what was said before."""
        curve = np.column_stack(engine_result(self.life()).curve).tolist()
        # The last row that was seen before had no instructions yet.
        known = max(len(self.curve) - 1, 0)
        assert curve[:known] == self.curve[:known]
        self.curve = curve


@pytest.mark.slow
def test_a_life_of_ten_thousand_steps() -> None:
    Life.steps = 0
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=300,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Life.steps >= LEAST_STEPS
