"""From bars to scores: what later bars, the order of names, splits and strange series change."""

from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.features.random_panels import random_panel, with_columns, with_rows, without_bars
from trading.agents.ensemble import Ensemble, Scores
from trading.agents.gates import Gates
from trading.agents.policy import SlotPolicy
from trading.config import Settings
from trading.features.dataset import Dataset, build_dataset
from trading.features.specification import CONTEXT, FEATURES
from trading.market.bars import FIELDS
from trading.market.panel import Panel
from trading.signals.portfolio import BUY, select
from trading.universe.slots import SlotMap, allocate

SETTINGS = Settings.model_validate(
    {
        "universe": {"active": 30, "archive": 6, "padding": 4, "batch": 10},
        "portfolio": {"min_dollar_volume_usd": 1.0, "min_names": 5, "max_names": 10},
        "training": {"phases": 1},
    }
)
AS_OF = date(2022, 4, 1)
NAMES = 30


def policy(seed: int) -> SlotPolicy:
    random = np.random.default_rng(seed)
    sizes = [len(FEATURES) + 1 + len(CONTEXT), 16, 16, 1]
    pairs = list(pairwise(sizes))
    shapes = ((len(FEATURES), 4), (len(CONTEXT), 4), (4,), (4,))
    return SlotPolicy(
        tuple((random.normal(size=p) / np.sqrt(p[0])).astype(np.float32) for p in pairs),
        tuple(random.normal(size=p[1]).astype(np.float32) * np.float32(0.1) for p in pairs),
        len(CONTEXT),
        Gates(
            *(random.normal(size=shape).astype(np.float32) * np.float32(0.1) for shape in shapes)
        ),
    )


ENSEMBLE = Ensemble(tuple(policy(seed) for seed in range(3)))


def slot_map(panel: Panel) -> SlotMap:
    return allocate(None, sorted(s for s in panel.symbols if s), AS_OF, SETTINGS.universe)[0]


def dataset_of(panel: Panel, slots: SlotMap | None = None) -> Dataset:
    return build_dataset(panel, slots or slot_map(panel), SETTINGS, data_hash="d")


def scored(dataset: Dataset) -> tuple[np.ndarray, Scores]:
    held = np.zeros(len(dataset.symbols), dtype=np.float32)
    raw = ENSEMBLE.raw(dataset.features[-1], held, dataset.context[-1])
    eligible = dataset.eligible[-1] & dataset.active
    return raw, ENSEMBLE.score(dataset.features[-1], held, dataset.context[-1], eligible)


def scores_by_symbol(panel: Panel, slots: SlotMap | None = None) -> dict[str, np.ndarray]:
    dataset = dataset_of(panel, slots)
    raw, scores = scored(dataset)
    everything = np.vstack([raw, scores.score, scores.confidence])
    return {s: everything[:, i] for i, s in enumerate(dataset.symbols) if s}


def changed(panel: Panel, column: int, **values: np.ndarray | float) -> Panel:
    fields = {name: getattr(panel, name).copy() for name in FIELDS}
    for name, value in values.items():
        fields[name][:, column] = value
    return replace(panel, **fields)


def assert_same_scores(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for symbol, values in expected.items():
        np.testing.assert_allclose(found[symbol], values, rtol=0, atol=1e-6, err_msg=symbol)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return random_panel(330, NAMES, seed=8, missing=0.01, dirty=False)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.sampled_from([0.0, 3.0, -1.0]))
def test_later_bars_change_no_score(seed: int, factor: float) -> None:
    panel = random_panel(330, 12, seed)
    row = int(np.searchsorted(panel.sessions, np.datetime64(AS_OF, "D")))
    slots = slot_map(panel)
    expected = scores_by_symbol(panel.rows(slice(0, row)), slots)
    later = with_rows(panel, slice(row, None), factor)
    for symbol, values in scores_by_symbol(later, slots).items():
        np.testing.assert_array_equal(values, expected[symbol])


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_names_changes_no_score(seed: int) -> None:
    panel = random_panel(330, 14, seed)
    order = np.random.default_rng(seed).permutation(14)
    assert_same_scores(
        scores_by_symbol(with_columns(panel, order)), scores_by_symbol(panel, slot_map(panel))
    )


def test_permuting_slots_permutes_scores(panel: Panel) -> None:
    dataset = dataset_of(panel)
    order = np.random.default_rng(0).permutation(len(dataset.symbols))
    raw, scores = scored(dataset)
    moved = replace(
        dataset,
        features=dataset.features[:, order],
        eligible=dataset.eligible[:, order],
        active=dataset.active[order],
    )
    raw_moved, scores_moved = scored(moved)
    np.testing.assert_allclose(raw_moved, raw[:, order], rtol=0, atol=1e-6)
    np.testing.assert_allclose(scores_moved.score, scores.score[order], rtol=0, atol=1e-6)


@settings(max_examples=6, deadline=None)
@given(
    factor=st.floats(1e-4, 1e4),
    columns=st.lists(st.integers(0, NAMES - 1), min_size=1, max_size=6, unique=True),
)
def test_a_split_changes_no_score(factor: float, columns: list[int]) -> None:
    """Prices times c and volume over c, of the whole history, is another count of shares."""
    panel = random_panel(330, NAMES, seed=8, missing=0.01, dirty=False)
    fields = {name: getattr(panel, name).copy() for name in FIELDS}
    for name, array in fields.items():
        array[:, columns] *= 1.0 / factor if name == "volume" else factor
    split = replace(panel, **fields)
    assert_same_scores(scores_by_symbol(split), scores_by_symbol(panel))


def strange_panel(panel: Panel) -> Panel:
    """Each of the first names is strange in its own way."""
    rows = len(panel.sessions)
    one = {name: 12.37 for name in FIELDS if name != "volume"}
    strange = changed(panel, 0, **one)  # constant, with volume
    strange = changed(strange, 1, **one, volume=0.0)  # constant, never traded
    strange = changed(strange, 2, volume=0.0)
    strange = without_bars(strange, slice(0, rows - 1), 3)  # one bar
    strange = without_bars(strange, slice(0, None), 4)  # no bar
    strange = without_bars(strange, slice(rows - 30, None), 5)  # gone
    jump = np.where(np.arange(rows) >= rows - 3, 258.0, 1.0)
    for name in FIELDS:
        if name != "volume":
            strange = changed(strange, 6, **{name: getattr(panel, name)[:, 6] * jump})
            strange = changed(strange, 7, **{name: getattr(panel, name)[:, 7] / jump})
    strange = changed(strange, 8, volume=np.where(np.arange(rows) < rows - 8, 1e6, 0.0))  # halted
    strange = changed(strange, 9, close=np.nan, adjusted_close=np.nan)
    strange = changed(strange, 10, adjusted_close=-1.0)
    return changed(strange, 11, open=0.0, high=np.inf)


NOT_TRADABLE = (1, 2, 3, 4, 5, 8, 9)


def test_strange_series_have_finite_scores_and_are_never_bought_without_trades(
    panel: Panel,
) -> None:
    strange = strange_panel(panel.before(AS_OF))
    dataset = dataset_of(strange, slot_map(panel))
    assert np.isfinite(dataset.features).all()
    assert np.isfinite(dataset.context).all()
    raw, scores = scored(dataset)
    eligible = dataset.eligible[-1] & dataset.active
    assert np.isfinite(raw).all()
    assert np.isfinite(scores.score[eligible]).all()
    assert np.isfinite(scores.confidence).all()
    position = {symbol: i for i, symbol in enumerate(dataset.symbols)}
    dead = [position[panel.symbols[i]] for i in NOT_TRADABLE]
    alive = [position[panel.symbols[i]] for i in (0, 6, 7)]
    assert not eligible[dead].any()
    assert eligible[alive].all()
    wished = np.where(np.isin(np.arange(len(eligible)), dead), 10.0, scores.score)
    held = np.zeros(len(eligible))
    selection = select(wished, None, eligible, held, SETTINGS.portfolio, dataset.symbols)
    assert (selection.actions[dead] != BUY).all()
    assert (selection.actions == BUY).sum() >= 5


@settings(max_examples=8, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_random_garbage_gives_finite_scores(data: st.DataObject, seed: int) -> None:
    panel = random_panel(310, 10, seed, missing=0.05)
    random = np.random.default_rng(seed)
    bad = data.draw(st.sampled_from([0.0, -5.0, 1e-300, 1e300, np.inf, np.nan, 258.0]))
    for field in data.draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=6)):
        getattr(panel, field)[random.integers(0, 310, 50), random.integers(0, 10, 50)] = bad
    dataset = dataset_of(panel)
    raw, scores = scored(dataset)
    assert np.isfinite(dataset.features).all()
    assert np.isfinite(raw).all()
    assert np.isfinite(scores.score[dataset.eligible[-1] & dataset.active]).all()
