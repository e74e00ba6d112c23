import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.backtest import distribution as shape
from trading.errors import DataError

ALL = (
    shape.omega,
    shape.tail_ratio,
    shape.skewness,
    shape.excess_kurtosis,
    shape.best,
    shape.worst,
    shape.average_gain,
    shape.average_loss,
    shape.payoff_ratio,
    shape.expectancy,
)


@pytest.mark.parametrize("figure", ALL)
def test_no_returns_are_no_data(figure):
    assert np.isnan(float(figure([])))
    assert np.isnan(figure(np.empty((3, 0)))).all()


@pytest.mark.parametrize("figure", ALL)
def test_a_missing_return_is_not_left_out_silently(figure):
    assert np.isnan(float(figure([0.01, np.nan, -0.02, 0.03, 0.01]))) or figure in (
        shape.average_gain,
        shape.average_loss,
        shape.payoff_ratio,
    )


@pytest.mark.parametrize("figure", ALL)
def test_a_single_number_is_refused(figure):
    with pytest.raises(DataError, match="single number"):
        figure(0.1)


@given(st.integers(0, 10_000), st.integers(4, 30), st.integers(1, 4))
def test_a_batch_gives_the_figures_of_each_series(seed, n, batch):
    table = np.random.default_rng(seed).normal(0, 0.02, (batch, n))
    for figure in ALL:
        one_by_one = [float(figure(row)) for row in table]
        np.testing.assert_allclose(figure(table), one_by_one, rtol=1e-10)


def test_known_answers():
    returns = [0.10, -0.05, 0.0, 0.02, -0.01]
    assert float(shape.omega(returns)) == pytest.approx(0.12 / 0.06)
    assert float(shape.omega(returns, threshold=0.01)) == pytest.approx(0.10 / 0.09)
    assert float(shape.average_gain(returns)) == pytest.approx(0.06)
    assert float(shape.average_loss(returns)) == pytest.approx(0.03)
    assert float(shape.payoff_ratio(returns)) == pytest.approx(2.0)
    assert float(shape.expectancy(returns)) == pytest.approx(0.015)
    assert (float(shape.best(returns)), float(shape.worst(returns))) == (0.10, -0.05)


def test_shape_of_a_symmetric_and_of_a_skewed_sample():
    assert float(shape.skewness([-0.02, 0.0, 0.02])) == pytest.approx(0.0, abs=1e-12)
    # Joanes and Gill's G1 by hand: n = 3, m2 = 2/9, m3 = 2/27, G1 = sqrt(6) m3 / m2^1.5.
    assert float(shape.skewness([0.0, 0.0, 1.0])) == pytest.approx(
        6**0.5 * (2 / 27) / (2 / 9) ** 1.5
    )
    rng = np.random.default_rng(1)
    assert float(shape.excess_kurtosis(rng.normal(size=200_000))) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("figure", [shape.skewness, shape.excess_kurtosis])
def test_no_variation_has_no_shape(figure):
    assert np.isnan(float(figure([0.1] * 7)))


def test_tail_ratio_without_a_lower_tail_is_no_data():
    assert np.isnan(float(shape.tail_ratio(np.r_[np.zeros(50), 0.1])))


def test_months_are_compounded_and_empty_ones_absent():
    dates = np.array(["2020-01-30", "2020-01-31", "2020-03-02", "2020-04-01"], dtype="M8[D]")
    months, found = shape.monthly_returns([0.1, 0.1, -0.5, np.nan], dates)
    assert months.tolist() == [
        np.datetime64("2020-01").item(),
        np.datetime64("2020-03").item(),
    ]
    assert found == pytest.approx([0.21, -0.5])
    months, found = shape.monthly_returns([], [])
    assert len(months) == len(found) == 0


def test_impossible_months_are_refused():
    dates = np.array(["2020-01-31", "2020-01-30"], dtype="M8[D]")
    with pytest.raises(DataError, match="backwards"):
        shape.monthly_returns([0.1, 0.1], dates)
    with pytest.raises(DataError, match="a date per return"):
        shape.monthly_returns([0.1], dates)
    with pytest.raises(DataError, match="below -100 %"):
        shape.monthly_returns([0.1, -2.0], dates[::-1])
