"""Numbers in text: what a comma means is told by the whole column."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.data.parsing import parse_numbers


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["12,5", "13,25", "1.234,5"], [12.5, 13.25, 1234.5]),
        (["12,345", "13,012", "9,5"], [12.345, 13.012, 9.5]),
        (["12,345", "0,345"], [12.345, 0.345]),
        (["1.234", "12,34"], [1234.0, 12.34]),
        (["1,234.5", "12,345", "987"], [1234.5, 12345.0, 987.0]),
        (["1,234,567", "12,345"], [1234567.0, 12345.0]),
        (["12.50", "12,345"], [12.5, 12345.0]),
        (["$1,234.50", "-$5"], [1234.5, -5.0]),
        (["12,5", "12.5"], [np.nan, 12.5]),
        (["12,345", "13,012"], [np.nan, np.nan]),
        (["12,345", "987"], [np.nan, 987.0]),
        (["1,2,3", "12,34,567", "1,23.4", ",", "12,", ""], [np.nan] * 4 + [12.0, np.nan]),
        (["1e3", "nan", "None", None], [1e3, np.nan, np.nan, np.nan]),
    ],
)
def test_a_comma_means_what_the_column_says(texts: list[str], numbers: list[float]) -> None:
    read = parse_numbers(pd.Series(texts, dtype=object))
    np.testing.assert_array_equal(read, numbers)


def test_a_lone_group_of_a_whole_number_is_thousands() -> None:
    volumes = pd.Series(["12,345", "987", "1,000"])
    np.testing.assert_array_equal(parse_numbers(volumes, whole=True), [12345.0, 987.0, 1000.0])


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=8), st.sampled_from([2, 3, 4]))
def test_numbers_written_either_way_are_read_or_unknown_never_wrong(
    values: list[float], places: int
) -> None:
    point = pd.Series([f"{value:,.{places}f}" for value in values])
    swapped = point.str.translate(str.maketrans(",.", ".,"))
    right = np.array([float(text.replace(",", "")) for text in point])
    for column in (point, swapped):
        read = parse_numbers(column)
        assert (
            np.isnan(read) | np.isclose(read, right) | (column is swapped) & unsure(column)
        ).all()


def unsure(column: pd.Series) -> bool:
    """Nothing but `1.234`-like texts is a plain number everywhere."""
    return not column.str.contains(",", regex=False).any()
