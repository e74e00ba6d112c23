"""Several sleeves on one account, against a slow forward fill."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import RiskError
from trading.risk.allocation import SleeveTargets, combine, contributions
from trading.risk.sizing import Targets

ROWS, COLUMNS = 7, 4


def targets(events: dict[tuple[int, int], float]) -> Targets:
    places = sorted(events)
    return Targets(
        np.array([row for row, _ in places], dtype=np.int64),
        np.array([column for _, column in places], dtype=np.int64),
        np.array([events[place] for place in places], dtype=np.float64),
    )


EVENTS = st.dictionaries(
    st.tuples(st.integers(0, ROWS - 1), st.integers(0, COLUMNS - 1)), st.floats(-1, 1), max_size=12
)
HELD = st.none() | st.lists(st.floats(-1, 1), min_size=COLUMNS, max_size=COLUMNS).map(np.array)


@given(st.lists(st.tuples(EVENTS, HELD, st.floats(0.01, 0.33)), max_size=3))
def test_the_account_holds_the_sum_of_what_the_sleeves_last_asked_for(given_sleeves):
    sleeves = [
        SleeveTargets(str(i), targets(events), fraction, held)
        for i, (events, held, fraction) in enumerate(given_sleeves)
    ]
    filled = np.zeros((ROWS, COLUMNS))
    for events, held, fraction in given_sleeves:
        now = np.zeros(COLUMNS) if held is None else held.copy()
        for row in range(ROWS):
            for column in range(COLUMNS):
                now[column] = events.get((row, column), now[column])
            filled[row] += fraction * now
    places = sorted({place for events, _, _ in given_sleeves for place in events})
    found = combine(sleeves)
    assert list(zip(found.rows.tolist(), found.columns.tolist(), strict=True)) == places
    expected = [filled[place] for place in places]
    np.testing.assert_allclose(found.weights, expected, atol=1e-15)
    parts = contributions(sleeves, found.rows, found.columns)
    assert parts.shape == (len(sleeves), len(found))
    np.testing.assert_allclose(parts.sum(axis=0), expected, atol=1e-15)


def test_an_exit_of_every_sleeve_is_exactly_zero():
    one = targets({(0, 0): 0.1, (3, 0): 0.0})
    two = targets({(1, 0): 0.7, (5, 0): 0.0})
    found = combine([SleeveTargets("a", one, 0.3), SleeveTargets("b", two, 0.7)])
    np.testing.assert_array_equal(found.rows, [0, 1, 3, 5])
    assert found.weights[-1] == 0.0


def test_opposite_wishes_are_netted_and_attributed():
    long, short = targets({(0, 1): 0.4}), targets({(0, 1): -0.2})
    sleeves = [SleeveTargets("long", long, 0.5), SleeveTargets("short", short, 0.5)]
    assert combine(sleeves).weights == pytest.approx([0.1])
    np.testing.assert_allclose(contributions(sleeves, [0, 4], [1, 1]), [[0.2, 0.2], [-0.1, -0.1]])
    np.testing.assert_array_equal(contributions(sleeves, [4], [0]), [[0.0], [0.0]])


def test_bad_allocations_are_refused():
    some = targets({(0, 1): 0.4})
    for fraction in (0.0, -0.5, 1.5, float("nan")):
        with pytest.raises(RiskError, match="fraction of the capital"):
            SleeveTargets("a", some, fraction)
    with pytest.raises(RiskError, match=r"120.00%"):
        combine([SleeveTargets("a", some, 0.6), SleeveTargets("b", some, 0.6)])
    with pytest.raises(RiskError, match="targets for 2 or more symbols"):
        combine([SleeveTargets("a", some, 0.5, held=np.zeros(1)), SleeveTargets("b", some, 0.5)])
    with pytest.raises(RiskError, match="not a finite"):
        SleeveTargets("a", some, 0.5, held=np.array([0.0, np.nan]))


def test_no_sleeves_and_no_targets_ask_for_nothing():
    assert len(combine([])) == 0
    assert len(combine([SleeveTargets("a", Targets.none())])) == 0
    none = SleeveTargets("a", Targets.none(), 0.5, held=np.array([0.3]))
    assert len(combine([none, none])) == 0
