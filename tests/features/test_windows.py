"""Windows folded by doubling against pandas, with and without gaps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.features.median import MONTH, month_median
from trading.features.windows import (
    Known,
    highest,
    last_known,
    trailing_deviation,
    trailing_mean,
)


def block(seed: int, rows: int, missing: float) -> tuple[np.ndarray, Known, pd.DataFrame]:
    random = np.random.default_rng(seed)
    values = np.round(random.normal(5.0, 2.0, (rows, 4)), 1)
    cells = random.random(values.shape) >= missing
    values[~cells] = np.nan
    return values, Known(cells, 0 if cells.all() else None), pd.DataFrame(values)


CASES = {
    "seed": st.integers(0, 10_000),
    "rows": st.integers(1, 90),
    "missing": st.sampled_from([0.0, 0.05, 0.5]),
}


@settings(max_examples=25, deadline=None)
@given(**CASES, window=st.integers(2, 70), share=st.floats(0.1, 1.0))
def test_means_and_deviations_are_pandas(
    seed: int, rows: int, missing: float, window: int, share: float
) -> None:
    values, known, frame = block(seed, rows, missing)
    least = max(int(window * share), 2)
    rolling = frame.rolling(window, min_periods=least)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = trailing_mean(values, known, window, least)
        centre, deviation = trailing_deviation(values, known, window, least, ddof=1)
    np.testing.assert_allclose(mean, rolling.mean(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(centre, rolling.mean(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(deviation, rolling.std(), rtol=1e-7, atol=1e-7)


@settings(max_examples=25, deadline=None)
@given(**CASES, least=st.integers(1, 21))
def test_the_median_is_numpys(seed: int, rows: int, missing: float, least: int) -> None:
    values, known, frame = block(seed, rows, missing)
    expected = frame.rolling(MONTH, min_periods=least).median()
    np.testing.assert_allclose(month_median(values, known, least), expected, rtol=1e-14)


@pytest.mark.parametrize("window", [1, 2, 5, 21, 64, 252])
def test_the_highest_is_pandas(window: int) -> None:
    values, _, frame = block(3, 300, 0.0)
    expected = frame.rolling(window, min_periods=1).max()
    np.testing.assert_array_equal(highest(values, window), expected)


@pytest.mark.parametrize("limit", [1, 2, 5, 63])
def test_the_last_known_is_pandas(limit: int) -> None:
    values, _, frame = block(4, 300, 0.5)
    values[100:200, 1] = np.nan
    frame = pd.DataFrame(values)
    np.testing.assert_array_equal(last_known(values, limit), frame.ffill(limit=limit))


def test_blocks_with_and_without_gaps_give_the_same_bits() -> None:
    values, known, _ = block(5, 120, 0.0)
    assert known.since == 0
    general = Known(known.cells)
    for one, other in (
        (trailing_mean(values, known, 21, 14), trailing_mean(values, general, 21, 14)),
        (month_median(values, known, 14), month_median(values, general, 14)),
        *zip(
            trailing_deviation(values, known, 20, 14, 0),
            trailing_deviation(values, general, 20, 14, 0),
            strict=True,
        ),
    ):
        assert one.tobytes() == other.tobytes()


def test_a_series_that_stands_still_has_no_deviation() -> None:
    values = np.full((60, 3), 12.37)
    for known in (Known.from_row(0, values.shape), Known(np.ones(values.shape, dtype=bool))):
        deviation = trailing_deviation(values, known, 20, 14, 0)[1]
        assert (deviation[19:] == 0.0).all()
        assert (deviation[13:19] < 1e-9 * 12.37).all()
