"""The audit: an account that hears of a backtest's fills and actions has its cash and equity."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, event, given, settings
from ledger_audit import replayed

from tests.backtest.reference.random_runs import Run, random_run, runs
from trading.backtest.replay import replay
from trading.backtest.result import BacktestResult
from trading.execution.money import from_micros


def result_of(run: Run) -> BacktestResult:
    return replay(run.feed, run.columnar, run.execution, run.risk, resets=run.resets)


def audit(result: BacktestResult) -> None:
    account = None
    for row, account, last in replayed(result):
        account.check()
        assert account.cash == from_micros(int(result.curve.cash[row])), row
        assert account.equity(last) == from_micros(int(result.curve.equity[row])), row
    assert account is not None
    total = {
        "dividends": account.dividends,
        "borrow_cost": account.borrow_cost,
        "commissions": account.commissions,
        "slippage_charges": account.slippage_charges,
    }
    for name, value in total.items():
        assert abs(value - Decimal(repr(getattr(result, name)))) < Decimal("0.000001"), name


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(runs())
def test_an_account_reproduces_a_backtest_to_the_last_digit(run: Run) -> None:
    result = result_of(run)
    event(f"fills: {min(len(result.fills), 10)}")
    event(f"closings: {sorted(set(result.closings['reason']))}")
    audit(result)


@pytest.mark.slow
def test_the_audited_runs_hold_what_they_are_meant_to_hold() -> None:
    seen: set[str] = set()
    for seed in range(40):
        result = result_of(random_run(seed, 60, 4, density=3.0))
        audit(result)
        seen |= set(result.closings["reason"])
        seen |= {"dividends"} if result.dividends else set()
        seen |= {"borrow"} if result.borrow_cost else set()
        seen |= {"charge"} if result.slippage_charges else set()
        seen |= {"short"} if result.positions["quantity"].lt(0).any() else set()
    assert {"split", "delisted", "stale", "dividends", "borrow", "charge", "short"} <= seen
