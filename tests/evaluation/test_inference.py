import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from trading.errors import DataError
from trading.evaluation.inference import (
    MIN_OBSERVATIONS,
    family_p_value,
    mean_test,
    student_survival,
)


@pytest.mark.parametrize("degrees", [1, 2, 5, 17, 34, 400])
def test_the_tail_is_students(degrees):
    for t in np.linspace(-9, 9, 37):
        assert student_survival(float(t), degrees) == pytest.approx(
            stats.t.sf(t, degrees), rel=1e-10, abs=1e-14
        )


def test_the_classical_test_is_scipys_where_dependence_adds_nothing():
    # Alternating values: every lag takes away, so the classical error is the larger.
    series = 0.1 + np.tile([1.0, -1.0], 12)
    found = mean_test(series)
    expected = stats.ttest_1samp(series, 0.0, alternative="greater")
    assert found is not None
    assert found.t == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.degrees == 23


def test_dependence_widens_the_error_to_neweys_and_wests():
    rng = np.random.default_rng(3)
    shocks = rng.standard_normal(61)
    series = shocks[1:] + 0.9 * shocks[:-1]
    market = rng.standard_normal(60) + 0.4
    found = mean_test(series, market)
    lags = int(4 * (60 / 100) ** (2 / 9))
    fitted = sm.OLS(series, sm.add_constant(market)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}
    )
    plain = sm.OLS(series, sm.add_constant(market)).fit()
    assert found is not None
    assert found.mean == pytest.approx(fitted.params[0])
    assert found.error == pytest.approx(max(fitted.bse[0], plain.bse[0]))
    assert found.error > plain.bse[0]


def test_the_test_holds_its_level_without_a_mean():
    rng = np.random.default_rng(5)
    draws = [mean_test(rng.normal(size=24), rng.normal(0.5, 1, 24)) for _ in range(2000)]
    share = np.mean([draw.p_value <= 0.05 for draw in draws if draw is not None])
    assert 0.025 < share < 0.065


def test_what_is_explained_is_no_mean():
    rng = np.random.default_rng(7)
    market = rng.normal(0.02, 0.04, 48)
    found = mean_test(0.8 * market + rng.normal(0, 0.002, 48), market)
    assert found is not None
    assert found.p_value > 0.02
    assert abs(found.mean) < 0.001


def test_months_without_a_value_are_left_out():
    rng = np.random.default_rng(1)
    series = rng.normal(size=20)
    gaps = np.insert(series, [3, 9], np.nan)
    assert mean_test(gaps) == mean_test(series)


@pytest.mark.parametrize(
    "series", [[], [0.1] * (MIN_OBSERVATIONS - 1), [0.3] * 30, [0.0] * 30, [np.nan] * 30]
)
def test_too_few_or_constant_values_say_nothing(series):
    assert mean_test(series) is None


def test_a_constant_regressor_takes_no_degree_of_freedom():
    series = np.random.default_rng(2).normal(size=12)
    assert mean_test(series, np.ones(12)) == mean_test(series)


def test_impossible_input_is_refused():
    with pytest.raises(DataError, match="infinite"):
        mean_test([1.0] * 9 + [np.inf])
    with pytest.raises(DataError, match="expected"):
        mean_test(np.ones(9), np.ones(8))
    with pytest.raises(DataError, match="degree"):
        student_survival(1.0, 0)


def test_the_family_p_value_is_sidaks():
    assert family_p_value(0.01, 1) == pytest.approx(0.01)
    assert family_p_value(0.01, 20) == pytest.approx(1 - 0.99**20)
    assert family_p_value(1.0, 3) == pytest.approx(1.0)
    with pytest.raises(DataError, match="at least one trial"):
        family_p_value(0.5, 0)
