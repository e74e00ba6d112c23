import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trading.errors import DataError
from trading.market.rolling import (
    TILE_COLUMNS,
    TILE_ROWS,
    rolling_max,
    rolling_mean,
    rolling_min,
    rolling_std,
    rolling_sum,
)

ALL = [rolling_sum, rolling_mean, rolling_std, rolling_min, rolling_max]
ORACLES = {
    rolling_sum: np.sum,
    rolling_mean: np.mean,
    rolling_std: np.std,
    rolling_min: np.min,
    rolling_max: np.max,
}
PANELS = hnp.arrays(
    float,
    st.tuples(st.integers(0, 40), st.integers(0, 5)),
    elements=st.one_of(st.just(np.nan), st.just(np.inf), st.floats(-1e6, 1e6, width=32)),
)


def by_window(values: np.ndarray, window: int, figure) -> np.ndarray:
    """Return the figure of each window on its own, NaN where the window is not all finite."""
    answer = np.full(values.shape, np.nan)
    for row in range(window - 1, len(values)):
        for column in range(values.shape[1]):
            cut = values[row - window + 1 : row + 1, column]
            if np.isfinite(cut).all():
                answer[row, column] = figure(cut)
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("rolling", ALL)
@settings(max_examples=60, deadline=None)
@given(values=PANELS, window=st.integers(1, 45))
def test_every_window_is_answered_as_if_alone(rolling, values, window):
    expected = by_window(values, window, ORACLES[rolling])
    np.testing.assert_allclose(rolling(values, window), expected, rtol=1e-12, atol=1e-6)


@pytest.mark.parametrize("rolling", ALL)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), window=st.integers(1, 60), start=st.integers(0, 80))
def test_where_the_data_begins_changes_no_bit(rolling, seed, window, start):
    rng = np.random.default_rng(seed)
    values = rng.normal(100, 5, (120, 3))
    values[rng.random(values.shape) < 0.02] = np.nan
    whole = rolling(values, window)

    later = rolling(values[start:], window)

    np.testing.assert_array_equal(later[window - 1 :], whole[start:][window - 1 :])


@pytest.mark.parametrize("rolling", ALL)
def test_panels_of_many_tiles_agree_with_pandas(rolling):
    rng = np.random.default_rng(3)
    values = rng.normal(100, 5, (2 * TILE_ROWS + 77, TILE_COLUMNS + 3))
    values[rng.random(values.shape) < 0.001] = np.nan
    for window in (1, 7, 100, TILE_ROWS // 2 + 9):
        rows = pd.DataFrame(values).rolling(window)
        figure = rolling.__name__.removeprefix("rolling_")
        expected = rows.std(ddof=0) if figure == "std" else getattr(rows, figure)()
        np.testing.assert_allclose(
            rolling(values, window), expected.to_numpy(), rtol=1e-9, atol=1e-6
        )


@pytest.mark.parametrize("value", [0.1, 1e-300, 123.456, -7.3])
@pytest.mark.parametrize("window", [1, 3, 20, 100, 255])
def test_equal_values_have_that_mean_and_no_deviation(value, window):
    values = np.full((300, 2), value)

    assert (rolling_mean(values, window)[window - 1 :] == value).all()
    assert (rolling_std(values, window)[window - 1 :] == 0.0).all()


def test_a_small_deviation_beside_a_large_mean_is_kept():
    values = 1e9 + np.tile([[0.0], [1.0]], (50, 1))

    np.testing.assert_allclose(rolling_std(values, 20)[19:], 0.5, rtol=1e-9)


def test_the_samples_deviation_divides_by_one_less():
    values = np.array([[1.0], [2.0], [4.0]])

    assert rolling_std(values, 3, ddof=1)[2, 0] == pytest.approx(np.std([1, 2, 4], ddof=1))


def test_a_window_longer_than_the_data_answers_nothing():
    for rolling in ALL:
        assert np.isnan(rolling(np.ones((4, 2)), 5)).all()


def test_whole_numbers_and_other_layouts_are_taken():
    values = np.arange(12).reshape(3, 4)

    np.testing.assert_array_equal(rolling_sum(values.T, 2), rolling_sum(values.T.astype(float), 2))


def test_the_input_is_left_as_it_was():
    values = np.arange(12.0).reshape(6, 2)
    before = values.copy()

    rolling_std(values, 3)

    np.testing.assert_array_equal(values, before)
    assert values.flags.writeable


@pytest.mark.parametrize("window", [0, -1, 2.0, True, "3", None])
def test_a_window_is_a_positive_whole_number(window):
    with pytest.raises(DataError, match="a window is a whole number"):
        rolling_mean(np.ones((3, 1)), window)


@pytest.mark.parametrize(
    "values", [np.ones(3), np.ones((2, 2, 2)), np.array([["a"]]), np.ones((2, 2), bool), [[1.0]]]
)
def test_a_panel_has_two_axes_of_real_numbers(values):
    with pytest.raises(DataError, match="a panel is an array"):
        rolling_sum(values, 1)


@pytest.mark.parametrize("ddof", [-1, 3, 4])
def test_the_divisor_of_a_deviation_is_positive(ddof):
    with pytest.raises(DataError, match="ddof must lie within"):
        rolling_std(np.ones((5, 1)), 3, ddof=ddof)
