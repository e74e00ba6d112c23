import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.backtest import relative
from trading.backtest.relative import compare
from trading.errors import DataError

FIGURES = (
    relative.alpha,
    relative.beta,
    relative.correlation,
    relative.tracking_error,
    relative.information_ratio,
    relative.up_capture,
    relative.down_capture,
)
MARKET = np.random.default_rng(5).normal(0.0004, 0.01, 300)


def test_a_levered_benchmark_has_that_beta_and_no_alpha():
    found = compare(1.5 * MARKET, MARKET)
    assert found.beta == pytest.approx(1.5)
    assert found.alpha == pytest.approx(0.0, abs=1e-12)
    assert found.correlation == pytest.approx(1.0)


def test_the_benchmark_against_itself():
    found = compare(MARKET, MARKET)
    assert (found.beta, found.up_capture, found.down_capture) == pytest.approx((1.0, 1.0, 1.0))
    assert (found.tracking_error, found.excess_return) == (0.0, 0.0)
    assert found.information_ratio is None


def test_a_constant_lead_is_alpha_a_year():
    found = compare(MARKET + 0.0001, MARKET)
    assert found.alpha == pytest.approx(0.0252)
    assert found.beta == pytest.approx(1.0)


def test_a_constant_benchmark_has_no_beta():
    found = compare(MARKET, np.full(300, 0.001))
    assert (found.alpha, found.beta, found.correlation) == (None, None, None)
    assert found.down_capture is None
    assert found.up_capture is not None


def test_cash_against_a_benchmark():
    found = compare(np.zeros(300), MARKET)
    assert (found.beta, found.alpha, found.correlation) == (0.0, 0.0, None)
    assert (found.up_capture, found.down_capture) == (0.0, 0.0)


def test_periods_that_one_lacks_are_left_out_and_counted():
    own, market = MARKET * 0.5, MARKET.copy()
    own[3], market[7] = np.nan, np.nan
    found = compare(own, market)
    assert (found.observations, found.missing) == (298, 2)
    kept = np.delete(np.arange(300), [3, 7])
    again = compare(own[kept], market[kept])
    assert found.to_dict() | {"missing": 0} == again.to_dict()


def test_no_periods_are_no_data():
    found = compare([], []).to_dict()
    assert (found.pop("observations"), found.pop("missing")) == (0, 0)
    assert set(found.values()) == {None}


@given(st.integers(0, 10_000), st.integers(2, 30))
def test_a_batch_gives_the_figures_of_each_series(seed, n):
    rng = np.random.default_rng(seed)
    table, market = rng.normal(0, 0.02, (3, n)), rng.normal(0, 0.02, n)
    for figure in FIGURES:
        one_by_one = [float(figure(row, market)) for row in table]
        np.testing.assert_allclose(figure(table, market), one_by_one, rtol=1e-9)


@pytest.mark.parametrize("figure", FIGURES)
def test_series_of_different_lengths_are_refused(figure):
    with pytest.raises(DataError, match="same periods"):
        figure(MARKET, MARKET[1:])
    with pytest.raises(DataError, match="-100 %"):
        compare([0.1, -3.0], [0.1, 0.1])
