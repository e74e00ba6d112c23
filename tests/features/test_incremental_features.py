"""A new session's features from what was kept equal those of the whole history, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.features.random_panels import random_panel, with_columns, without_bars
from trading.errors import DataError
from trading.features.compute import MEMORY, compute_features
from trading.features.incremental import FeatureHistory
from trading.features.specification import FEATURE_NAMES
from trading.market.bars import FIELDS
from trading.universe.liquidity import NEVER


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    begun=st.integers(0, 500),
    steps=st.lists(st.integers(0, 40), min_size=1, max_size=5),
)
def test_appended_sessions_equal_the_whole_computation(
    seed: int, begun: int, steps: list[int]
) -> None:
    panel = random_panel(begun + sum(steps) + 1, 7, seed)
    panel = without_bars(panel, slice(begun // 4, begun // 4 + 80), 0)
    expected = compute_features(panel, np.arange(len(panel.sessions)))
    history = FeatureHistory.of(panel.rows(slice(0, begun)))
    for step in [*steps, 1]:
        history, features = history.append(panel.rows(slice(begun, begun + step)))
        assert features.tobytes() == np.ascontiguousarray(expected[begun : begun + step]).tobytes()
        assert len(history.panel.sessions) <= MEMORY
        begun += step


def test_names_gone_for_longer_than_the_memory_are_remembered() -> None:
    panel = without_bars(
        random_panel(800, 3, seed=1, missing=0.0, dirty=False), slice(150, None), 1
    )
    panel = without_bars(panel, slice(100, 300), 2)
    removed = np.array([350, NEVER, NEVER])
    expected = compute_features(panel, np.array([799]), removed=removed)
    history = FeatureHistory.of(panel.rows(slice(0, 790)), removed=removed)
    features = history.append(panel.rows(slice(790, None)))[1]
    np.testing.assert_array_equal(features[-1], expected[0])
    tenure = features[-1, :, FEATURE_NAMES.index("tenure")]
    np.testing.assert_allclose(tenure, [-1.0, -1.0, 499 / 252], rtol=1e-6)


def test_new_names_join_and_absent_ones_have_no_bar() -> None:
    panel = random_panel(420, 4, seed=2, missing=0.0, dirty=False)
    listed_later = without_bars(panel, slice(0, 400), 3)
    expected = compute_features(without_bars(listed_later, slice(410, None), 0), np.arange(420))
    history = FeatureHistory.of(with_columns(panel.rows(slice(0, 400)), np.arange(3)))
    history, early = history.append(panel.rows(slice(400, 410)))
    assert history.panel.symbols == panel.symbols
    late = history.append(with_columns(panel.rows(slice(410, None)), np.array([2, 1, 3])))[1]
    np.testing.assert_array_equal(np.concatenate([early, late]), expected[400:])


def test_a_history_is_not_changed_by_what_is_appended() -> None:
    panel = random_panel(400, 3, seed=3)
    history = FeatureHistory.of(panel.rows(slice(0, 398)))
    first = history.append(panel.rows(slice(398, 399)))[1]
    again = history.append(panel.rows(slice(398, 399)))[1]
    np.testing.assert_array_equal(first, again)


def test_sessions_that_were_seen_are_refused() -> None:
    panel = random_panel(30, 2)
    history = FeatureHistory.of(panel)
    with pytest.raises(DataError, match="append later sessions"):
        history.append(panel.rows(slice(29, None)))
    assert history.append(panel.rows(slice(30, None)))[1].shape == (0, 2, 17)


def test_no_feature_looks_further_back_than_the_memory() -> None:
    panel = random_panel(MEMORY + 300, 8, seed=4)
    restated = {name: getattr(panel, name).copy() for name in FIELDS}
    for array in restated.values():
        array[: 300 - 1] *= 1.7
    last = np.array([MEMORY + 299])
    exponential = [FEATURE_NAMES.index(name) for name in ("rsi_14", "macd_histogram")]
    windows = np.delete(np.arange(17), exponential)
    found = compute_features(replace(panel, **restated), last)
    np.testing.assert_array_equal(
        found[:, :, windows], compute_features(panel, last)[:, :, windows]
    )
