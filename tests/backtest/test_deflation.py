from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest

from trading.agents.trials import TrialCount, TrialRecord
from trading.backtest.deflation import MIN_RETURNS, Trials, deflated_sharpe, expected_best
from trading.errors import DataError


def test_the_example_of_the_paper():
    # Bailey and Lopez de Prado (2014), section "A numerical example": 100 trials whose annualised
    # ratios have a variance of 1/2, daily returns: SR0 = 0.1132 a day.
    assert expected_best(100, sqrt(0.5 / 250)) == pytest.approx(0.1132, abs=2e-4)


def test_the_probability_is_the_papers_formula():
    rng = np.random.default_rng(4)
    returns = rng.standard_t(5, 600) * 0.01 + 0.001
    found = deflated_sharpe(returns, Trials(40, 0.6))
    single = returns.mean() / returns.std(ddof=1)
    skew = ((returns - returns.mean()) ** 3).mean() / returns.std() ** 3
    kurtosis = ((returns - returns.mean()) ** 4).mean() / returns.std() ** 4
    threshold = expected_best(40, 0.6 / sqrt(252))
    score = (single - threshold) * sqrt(599)
    score /= sqrt(1 - skew * single + (kurtosis - 1) / 4 * single**2)
    assert found is not None
    assert found.probability == pytest.approx(NormalDist().cdf(score), abs=2e-3)
    assert found.threshold == pytest.approx(threshold * sqrt(252))
    assert found.trials == 40


def test_the_best_of_trials_without_skill_is_expected():
    rng = np.random.default_rng(6)
    best = rng.standard_normal((4000, 50)).max(axis=1).mean()
    assert expected_best(50, 1.0) == pytest.approx(best, rel=0.02)
    assert expected_best(1, 1.0) == 0.0


def test_more_trials_leave_less():
    returns = np.random.default_rng(0).normal(0.0008, 0.01, 500)
    left = [deflated_sharpe(returns, Trials(count)) for count in (1, 2, 10, 100, 1000)]
    values = [found.probability for found in left if found is not None]
    assert len(values) == 5
    assert values == sorted(values, reverse=True)


def test_missing_returns_are_left_out_and_too_few_say_nothing():
    returns = np.random.default_rng(0).normal(0.0, 0.01, 100)
    assert deflated_sharpe(np.append(returns, np.nan), Trials()) == deflated_sharpe(
        returns, Trials()
    )
    assert deflated_sharpe(returns[: MIN_RETURNS - 1], Trials()) is None
    assert deflated_sharpe(np.zeros(200), Trials()) is None
    with pytest.raises(DataError, match="infinite"):
        deflated_sharpe([np.inf] * 50, Trials())


def test_trials_are_at_least_one():
    with pytest.raises(DataError, match="at least one trial"):
        Trials(0)
    with pytest.raises(DataError, match="deviation"):
        Trials(3, float("nan"))
    with pytest.raises(DataError, match="at least one trial"):
        expected_best(0, 1.0)


def test_recorded_trials_are_counted_and_none_is_one():
    kept = TrialCount()
    assert Trials.recorded(kept.count, kept.sharpe_deviation) == Trials(1, None)
    kept = TrialCount(tuple(TrialRecord("s", k, "ppo", {}, float(k), 12) for k in range(3)))
    assert Trials.recorded(kept.count, kept.sharpe_deviation) == Trials(3, 1.0)
