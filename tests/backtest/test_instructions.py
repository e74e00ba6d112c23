"""Instructions: sorted columns, and named errors for malformed orders."""

import numpy as np
import pytest

from trading.backtest.instructions import CANCEL, TARGET, Instructions
from trading.errors import DataError, OrderError

GOOD = {
    "rows": [1],
    "columns": [0],
    "sides": [1],
    "quantities": [1_000_000],
    "types": [1],
    "limits": [10.0],
    "stops": [np.nan],
    "times": [0],
}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("sides", 0, "neither 1"),
        ("quantities", 0, "not positive"),
        ("quantities", -1, "not positive"),
        ("types", 7, "type is unknown"),
        ("times", 9, "time in force"),
        ("limits", np.nan, "limit price is missing"),
        ("limits", -1.0, "limit price is missing"),
        ("limits", np.inf, "infinite"),
    ],
)
def test_a_malformed_order_is_named(field: str, value: float, message: str) -> None:
    with pytest.raises(OrderError, match=message):
        Instructions.orders(**{**GOOD, field: [value]})


def test_a_stop_needs_its_price() -> None:
    with pytest.raises(OrderError, match="stop price"):
        Instructions.orders(**{**GOOD, "types": [3]})


@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_a_weight_must_be_finite(weight: float) -> None:
    with pytest.raises(DataError, match="finite"):
        Instructions.targets([0], [0], [weight])


def test_lengths_must_agree() -> None:
    with pytest.raises(DataError, match="expected 2 values"):
        Instructions.targets([0, 1], [0, 1], [0.5])


def test_rows_come_in_order_and_cancels_first() -> None:
    merged = Instructions.merge(
        Instructions.targets([3, 1, 1], [0, 2, 0], [0.1, 0.2, 0.3]), Instructions.cancels([1], [1])
    )
    assert merged.rows.tolist() == [1, 1, 1, 3]
    assert merged.kinds.tolist() == [CANCEL, TARGET, TARGET, TARGET]
    assert merged.columns.tolist() == [1, 0, 2, 0]
    assert merged.offsets(5).tolist() == [0, 0, 3, 3, 4, 4]


@pytest.mark.parametrize("row", [-1, 4])
def test_a_row_outside_the_run_is_refused(row: int) -> None:
    with pytest.raises(DataError, match="outside the 4 bars"):
        Instructions.targets([row], [0], [0.1]).offsets(4)


@pytest.mark.parametrize("weight", [1e7, -1e20, 1e300])
def test_a_weight_that_cannot_be_meant_is_refused(weight: float) -> None:
    with pytest.raises(DataError, match="beyond 1,000,000 times the capital"):
        Instructions.targets([0], [0], [weight])
