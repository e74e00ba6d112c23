"""What operators, and the limits, can stop: the circuit breaker and the kill switch."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from trading.execution.account import Account
from trading.execution.brokers.paper_market import MarketRow
from trading.risk.circuit_breaker import BreakerState, CircuitBreaker
from trading.risk.sizing import Targets
from trading.session.clock import Clock
from trading.session.settings import SessionSettings
from trading.session.state import SessionState

COMMANDS = ("halt", "kill", "flatten", "reset")


def session_breaker(folder: Path, settings: SessionSettings, clock: Clock) -> CircuitBreaker:
    """Return the circuit breaker of a home; a session that was halted starts halted."""
    return CircuitBreaker(
        folder / "breaker.json",
        failure_limit=settings.broker_failures,
        cool_down=timedelta(seconds=settings.cool_down_seconds),
        clock=clock.now,
    )


def commanded(state: SessionState, command: str) -> SessionState:
    """Return the state after a command of the operator.

    halt: nothing increases a position. kill: and no strategy is followed, every order is cancelled.
    flatten: and every position is closed. reset: all of these end, the drawdown is measured from
    the present equity, and suspended strategies are asked again.
    """
    if command == "halt":
        return replace(state, breaker_due="halted by the operator")
    if command != "reset":
        return replace(state, killed=True, flatten=command == "flatten" or state.flatten)
    asked_again = {
        name: replace(one, failures=0, suspended=False) for name, one in state.sleeves.items()
    }
    return replace(
        state,
        killed=False,
        flatten=False,
        halted=False,
        reset_due=True,
        breaker_due="reset",
        sleeves=asked_again,
    )


def settle(breaker: CircuitBreaker, state: SessionState) -> SessionState:
    """Bring the circuit breaker to where the state says it is, and return the state after it.

    The state is on the disk first, so that a session that is killed in between does it again.
    """
    if state.breaker_due == "reset":
        breaker.reset()
    elif state.breaker_due:
        breaker.trip(state.breaker_due)
    return replace(state, breaker_due="")


def is_halted(breaker: CircuitBreaker, state: SessionState) -> bool:
    """Tell whether something else than the limits forbids to increase a position."""
    return breaker.state is BreakerState.OPEN or state.killed


def flat_targets(account: Account, columns: dict[str, int], row: MarketRow) -> Targets:
    """Return targets of 0 for every position that has a bar."""
    known = np.isfinite(row.open + row.high + row.low + row.close)
    held = sorted(columns[symbol] for symbol in account.positions)
    wanted = np.array([column for column in held if known[column]], dtype=np.int64)
    return Targets(np.zeros(len(wanted), dtype=np.int64), wanted, np.zeros(len(wanted)))
