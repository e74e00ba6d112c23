"""The dataset of a month: no look-ahead, no survivorship, the same bytes for the same content."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.features.random_panels import random_panel, with_columns, with_rows, without_bars
from trading.config import Settings, UniverseSettings
from trading.errors import DataError
from trading.features.dataset import FILE, Dataset, build_dataset
from trading.features.specification import CONTEXT, FEATURE_NAMES
from trading.market.bars import FIELDS
from trading.market.panel import Panel
from trading.universe.constituents import members_for
from trading.universe.slots import SlotMap, SlotState, allocate

SMALL = Settings.model_validate(
    {
        "universe": {"active": 30, "archive": 6, "padding": 4, "batch": 10},
        "portfolio": {"min_dollar_volume_usd": 1.0},
        "training": {"phases": 2},
    }
)
AS_OF = date(2022, 9, 1)


def slots_of(panel: Panel, as_of: date, setup: Settings = SMALL) -> SlotMap:
    members = members_for(panel, None, as_of, setup.universe)
    return allocate(None, members, as_of, setup.universe)[0]


@pytest.fixture(scope="module")
def panel() -> Panel:
    return random_panel(480, 45, seed=6)


@pytest.fixture(scope="module")
def slots(panel: Panel) -> SlotMap:
    return slots_of(panel, AS_OF)


@pytest.fixture(scope="module")
def dataset(panel: Panel, slots: SlotMap) -> Dataset:
    return build_dataset(panel, slots, SMALL, data_hash="d")


def test_shapes_types_and_what_is_finite(dataset: Dataset, slots: SlotMap) -> None:
    decisions, sessions, size = len(dataset.decisions), len(dataset.sessions), 40
    expected = {
        "sessions": ((sessions,), "datetime64[D]"),
        "active": ((size,), "bool"),
        "decisions": ((decisions,), "int64"),
        "phases": ((decisions,), "int8"),
        "features": ((decisions, size, 17), "float32"),
        "context": ((decisions, len(CONTEXT)), "float32"),
        "eligible": ((decisions, size), "bool"),
        "returns": ((sessions, size), "float32"),
        "dollar_volume": ((decisions, size), "float32"),
        "volatility": ((decisions, size), "float32"),
        "known": ((decisions, 17), "float32"),
    }
    for name, (shape, dtype) in expected.items():
        array = getattr(dataset, name)
        assert (array.shape, array.dtype) == (shape, np.dtype(dtype)), name
    assert np.isfinite(dataset.features).all()
    assert np.isfinite(dataset.context).all()
    assert (dataset.decisions[-1], dataset.phases[-1]) == (sessions - 1, 0)
    assert dataset.sessions[-1] < np.datetime64(AS_OF)
    assert dataset.slots_version == slots.version
    assert dataset.months[-1] == "2022-09"


def test_slots_keep_their_index_and_only_active_ones_may_be_bought(
    dataset: Dataset, slots: SlotMap
) -> None:
    for slot in slots.slots:
        if slot.symbol:
            assert dataset.symbols[slot.index] == slot.symbol
        assert dataset.active[slot.index] == (slot.state is SlotState.ACTIVE)
    empty = np.array(dataset.symbols) == ""
    assert not dataset.eligible[:, empty].any()
    assert (dataset.features[:, empty] == 0).all()
    assert np.isnan(dataset.returns[:, empty]).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.sampled_from([0.0, 3.0, -2.0]))
def test_bars_from_the_as_of_date_on_change_nothing(seed: int, factor: float) -> None:
    panel = random_panel(480, 40, seed)
    cut = panel.before(AS_OF)
    expected = build_dataset(cut, slots_of(cut, AS_OF), SMALL, data_hash="d").to_bytes()
    later = slice(len(cut.sessions), None)
    for other in (panel, with_rows(panel, later, factor)):
        found = build_dataset(other, slots_of(other, AS_OF), SMALL, data_hash="d")
        assert found.to_bytes() == expected


def test_a_past_decision_says_what_it_said_at_the_time(panel: Panel) -> None:
    then = date(2022, 4, 1)
    early = build_dataset(panel, slots_of(panel, then), SMALL, data_hash="d")
    late = build_dataset(panel, slots_of(panel, AS_OF), SMALL, data_hash="d")
    shared = sorted((set(early.symbols) & set(late.symbols)) - {""})
    was = [early.symbols.index(symbol) for symbol in shared]
    now = [late.symbols.index(symbol) for symbol in shared]
    rows = np.flatnonzero(np.isin(late.decisions, early.decisions))
    assert late.decisions[rows].tolist() == early.decisions.tolist()
    assert len(shared) > 20
    for name in ("features", "eligible", "dollar_volume", "volatility"):
        expected, found = getattr(early, name)[:, was], getattr(late, name)[rows][:, now]
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(late.context[rows], early.context)
    np.testing.assert_array_equal(late.known[rows], early.known)


def test_the_order_of_the_panels_columns_changes_nothing(panel: Panel, slots: SlotMap) -> None:
    moved = with_columns(panel, np.random.default_rng(0).permutation(45))
    found = build_dataset(moved, slots, SMALL, data_hash="d")
    expected = build_dataset(panel, slots, SMALL, data_hash="d")
    assert found.symbols == expected.symbols
    for name in ("features", "eligible", "returns", "dollar_volume", "volatility", "known"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    # Means over names are summed in the order of the columns.
    np.testing.assert_allclose(found.context, expected.context, rtol=1e-5, atol=1e-6)


def test_delisted_names_fill_the_empty_columns_the_latest_first() -> None:
    setup = SMALL.model_copy(
        update={"universe": UniverseSettings(active=30, archive=2, padding=4, batch=12)}
    )
    panel = random_panel(480, 40, seed=9, missing=0.0, dirty=False)
    panel.volume[:, :10] *= 100.0
    for column, end in enumerate(range(265, 405, 14)):
        panel = without_bars(panel, slice(end, None), column)
    slots = slots_of(panel, AS_OF, setup)
    dataset = build_dataset(panel, slots, setup, data_hash="d")
    past = [symbol for symbol in dataset.symbols if symbol and symbol not in slots.symbols]
    assert past == ["N0009", "N0008", "N0007", "N0006", "N0005", "N0004"]
    assert dataset.left_out == 4
    column = dataset.symbols.index("N0009")
    assert dataset.eligible[dataset.decisions < 391, column].all()
    assert not dataset.eligible[dataset.decisions > 396, column].any()
    assert not dataset.active[column]
    assert (~np.isnan(dataset.returns[:, column])).sum() == 390


def test_an_archived_name_has_a_negative_tenure_from_its_removal_on(panel: Panel) -> None:
    before = slots_of(panel, date(2022, 6, 1))
    gone = before.active[0]
    slots, report = allocate(before, before.active[1:], AS_OF, SMALL.universe)
    assert report.archived == (gone,)
    dataset = build_dataset(panel, slots, SMALL, data_hash="d")
    tenure = dataset.features[:, dataset.symbols.index(gone), FEATURE_NAMES.index("tenure")]
    assert tenure[-1] == pytest.approx(-1 / 252)
    assert (tenure[:-1] > 0).all()
    assert not dataset.active[dataset.symbols.index(gone)]


@pytest.fixture(scope="module")
def plain() -> Panel:
    return random_panel(480, 20, seed=11, missing=0.0, dirty=False).before(AS_OF)


class TestEligibility:
    def build(self, panel: Panel, **portfolio: float) -> tuple[Dataset, np.ndarray]:
        setup = SMALL.model_copy(update={"portfolio": SMALL.portfolio.model_copy(update=portfolio)})
        dataset = build_dataset(panel, slots_of(panel, AS_OF), setup, data_hash="d")
        last = dict(zip(dataset.symbols, dataset.eligible[-1], strict=True))
        return dataset, np.array([last.get(symbol, False) for symbol in panel.symbols])

    def test_every_plain_name_is_eligible(self, plain: Panel) -> None:
        assert self.build(plain)[1].all()

    def test_value_traded_has_a_minimum(self, plain: Panel) -> None:
        value = np.median((plain.close * plain.volume)[-21:], axis=0)
        least = float(np.sort(value)[10:12].mean())
        assert (self.build(plain, min_dollar_volume_usd=least)[1] == (value >= least)).all()

    def test_a_few_missing_sessions_are_forgiven(self, plain: Panel) -> None:
        last = len(plain.sessions)
        stale = without_bars(
            without_bars(plain, slice(last - 5, last), 0), slice(last - 6, last), 1
        )
        assert self.build(stale)[1][:3].tolist() == [True, False, True]

    def test_bars_without_a_trade_are_not_recent(self, plain: Panel) -> None:
        volume = plain.volume.copy()
        volume[-6:, 0] = volume[-5:, 1] = 0.0
        assert self.build(replace(plain, volume=volume))[1][:3].tolist() == [False, True, True]

    def test_a_split_of_the_past_changes_nothing(self, plain: Panel) -> None:
        fields = {name: getattr(plain, name).copy() for name in FIELDS}
        for name, array in fields.items():
            array[:, 3] *= 1000.0 if name == "volume" else 0.001
        assert (self.build(replace(plain, **fields))[1] == self.build(plain)[1]).all()

    def test_a_name_needs_21_bars(self, plain: Panel) -> None:
        last = len(plain.sessions)
        young = without_bars(plain, slice(0, last - 21), 0)
        young = without_bars(young, slice(0, last - 20), 1)
        assert self.build(young)[1][:3].tolist() == [True, False, True]

    def test_only_the_most_traded_are(self, panel: Panel) -> None:
        dataset, _ = self.build(panel)
        assert dataset.eligible.sum(axis=1).max() <= 30


@pytest.mark.parametrize("names", [20, 60])
def test_a_small_universe_in_3600_slots(names: int) -> None:
    panel = random_panel(400, names, seed=12, missing=0.0, dirty=False)
    setup = Settings()
    as_of = date(2022, 8, 1)
    dataset = build_dataset(panel, slots_of(panel, as_of, setup), setup, data_hash="d")
    assert dataset.features.shape[1:] == (3600, 17)
    assert dataset.active.sum() == names
    assert dataset.eligible[-1].sum() == names


def test_the_same_content_is_the_same_bytes(dataset: Dataset, panel: Panel, slots: SlotMap) -> None:
    again = build_dataset(panel, slots, SMALL, data_hash="d")
    assert again.to_bytes() == dataset.to_bytes()
    assert again.content_hash == dataset.content_hash
    assert replace(dataset, data_hash="e").content_hash != dataset.content_hash
    changed = dataset.features.copy()
    changed[0, 0, 0] += 1
    assert replace(dataset, features=changed).content_hash != dataset.content_hash


def test_a_saved_dataset_is_loaded_whole(dataset: Dataset, tmp_path: Path) -> None:
    dataset.save(tmp_path / "month")
    loaded = Dataset.load(tmp_path / "month")
    assert loaded.to_bytes() == dataset.to_bytes()
    assert (loaded.as_of, loaded.symbols) == (dataset.as_of, dataset.symbols)
    with np.load(tmp_path / "month" / FILE) as archive:
        np.testing.assert_array_equal(archive["features"], dataset.features)


def test_broken_datasets_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    content = dataset.to_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    for broken in (b"", b"nonsense", content[:-9], content[: len(content) // 3], flipped):
        with pytest.raises(DataError, match="prepare the month again"):
            Dataset.from_bytes(broken)
    with pytest.raises(DataError, match="there is no dataset"):
        Dataset.load(tmp_path)


def test_a_dataset_without_counts_travels_too(dataset: Dataset) -> None:
    plain = replace(dataset, known=None)
    assert Dataset.from_bytes(plain.to_bytes()).known is None


def test_an_active_name_without_bars_is_refused(panel: Panel) -> None:
    slots, _ = allocate(None, ["N0001", "GHOST"], AS_OF, SMALL.universe)
    with pytest.raises(DataError, match="lacks 1 active name.*'GHOST'"):
        build_dataset(panel, slots, SMALL, data_hash="d")


def test_outcomes_end_where_the_next_fill_is_not_seen(dataset: Dataset) -> None:
    known = dataset.has_outcome
    months = np.flatnonzero(dataset.phases == 0)
    assert known[months].tolist() == [True] * (len(months) - 2) + [False, False]
