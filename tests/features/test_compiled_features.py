"""The compiled formulas beside numpy's: the same bits on everything that bars do, and then some."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.features.random_panels import random_panel, with_columns, without_bars
from trading.features import compute
from trading.features.compute import Features, compute_features
from trading.features.exponential import Remembered
from trading.features.listings import Listings
from trading.features.specification import FEATURE_NAMES
from trading.market.bars import FIELDS
from trading.market.panel import Panel
from trading.universe.liquidity import NEVER, IntArray

pytest.importorskip("numba", reason="numba is not installed (extras training, backtest)")

pytestmark = pytest.mark.slow  # compiling takes ten seconds

ROOT = Path(__file__).parents[2]
STRANGE = [0.0, -3.0, 1e-300, 1e-160, 1e-40, 1e30, 2e153, 1e300, np.inf, np.nan]


def both(
    panel: Panel, listed: IntArray | None = None, removed: IntArray | None = None
) -> tuple[Features, Features, Remembered, Remembered]:
    """Return compiled and plain features of every row, and what each remembers of the past."""
    from trading.features.kernel_panel import fill_planes

    rows, names = panel.shape
    listings = Listings.of_panel(panel, listed, removed)
    planes = np.empty((len(FEATURE_NAMES), rows, names), dtype=np.float32)
    compiled_past, plain_past = Remembered.nothing(names), Remembered.nothing(names)
    with np.errstate(all="ignore"):
        fill_planes(panel, listings, compiled_past, planes)
    plain = compute.features_after(panel, np.arange(rows), listings, plain_past)
    return planes.transpose(1, 2, 0), plain, compiled_past, plain_past


def assert_same(panel: Panel, **given: IntArray) -> None:
    found, expected, past, plain_past = both(panel, **given)
    for i, name in enumerate(FEATURE_NAMES):
        one, other = (np.ascontiguousarray(a[..., i]) for a in (found, expected))
        differs = one.view(np.int32) != other.view(np.int32)
        assert not differs.any(), (name, np.argwhere(differs)[0], one[differs][0], other[differs])
    for field, value in vars(past).items():
        np.testing.assert_array_equal(value, getattr(plain_past, field), err_msg=field)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rows=st.sampled_from([1, 2, 20, 21, 22, 127, 252, 253, 330]),
    names=st.sampled_from([1, 5, 31, 32, 33, 70]),
    dirty=st.booleans(),
)
def test_random_panels_have_the_same_bits(seed: int, rows: int, names: int, dirty: bool) -> None:
    assert_same(random_panel(rows, names, seed, missing=0.02 if dirty else 0.0, dirty=dirty))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    bad=st.sampled_from(STRANGE),
    field=st.sampled_from(FIELDS),
    cells=st.sampled_from([1, 40, 400]),
)
def test_strange_numbers_have_the_same_bits(seed: int, bad: float, field: str, cells: int) -> None:
    panel = random_panel(300, 34, seed, missing=0.0 if seed % 2 else 0.02, dirty=seed % 3 == 0)
    random = np.random.default_rng(seed)
    getattr(panel, field)[random.integers(0, 300, cells), random.integers(0, 34, cells)] = bad
    assert_same(panel)


def nasty(kind: str) -> Panel:
    """Return a panel of clean names whose middle one is not."""
    panel = random_panel(420, 40, seed=8, missing=0.0, dirty=False)
    if kind == "constant":
        for field in ("open", "high", "low", "close", "adjusted_close"):
            getattr(panel, field)[:, 20] = 12.37
    elif kind == "never traded":
        panel.volume[:, 20] = 0.0
    elif kind == "one bar":
        panel = without_bars(without_bars(panel, slice(0, 300), 20), slice(301, None), 20)
    elif kind == "x258 in a day":
        for field in ("open", "high", "low", "close", "adjusted_close"):
            getattr(panel, field)[300:, 20] *= 258.0
    elif kind == "long gaps":
        panel = without_bars(without_bars(panel, slice(80, 145), 20), slice(250, 320), 20)
    elif kind == "long gap and no more":
        panel = without_bars(without_bars(panel, slice(80, 144), 20), slice(250, 313), 20)
    elif kind == "every other bar":
        for row in range(1, 420, 2):
            panel = without_bars(panel, slice(row, row + 1), 20)
    elif kind == "no bar":
        panel = without_bars(panel, slice(None), 20)
    return panel


@pytest.mark.parametrize(
    "kind",
    [
        "constant",
        "never traded",
        "one bar",
        "x258 in a day",
        "long gaps",
        "long gap and no more",
        "every other bar",
        "no bar",
    ],
)
def test_nasty_names_have_the_same_bits(kind: str) -> None:
    assert_same(nasty(kind))


def test_given_listings_and_removals_have_the_same_bits() -> None:
    panel = random_panel(500, 36, seed=9)
    listed = np.random.default_rng(1).integers(-900, 400, 36)
    removed = np.where(np.arange(36) % 3 == 0, np.random.default_rng(2).integers(0, 600, 36), NEVER)
    assert_same(panel, listed=listed, removed=removed)


def test_memory_that_is_laid_out_otherwise_changes_nothing() -> None:
    panel = random_panel(300, 40, seed=10)
    fields = {name: np.asfortranarray(getattr(panel, name)) for name in FIELDS}
    for array in fields.values():
        array.flags.writeable = False
    turned = both(Panel(panel.sessions, panel.symbols, **fields))[0]
    assert turned.tobytes() == both(panel)[0].tobytes()


def test_no_compiled_feature_sees_another_name_or_a_later_bar() -> None:
    panel = random_panel(300, 40, seed=11)
    whole = both(panel)[0]
    some = np.array([39, 0, 17])
    alone = both(with_columns(panel, some))[0]
    assert alone.tobytes() == np.ascontiguousarray(whole[:, some]).tobytes()
    early = both(panel.rows(slice(0, 260)))[0]
    assert early.tobytes() == np.ascontiguousarray(whole[:260]).tobytes()


def test_many_cells_of_every_row_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    from trading.features import kernel_panel

    asked: list[tuple[int, int]] = []
    fill = kernel_panel.fill_planes

    def counted(panel: Panel, *rest: Any) -> None:
        asked.append(panel.shape)
        fill(panel, *rest)

    monkeypatch.setattr(kernel_panel, "fill_planes", counted)
    monkeypatch.setattr(compute, "COMPILED_CELLS", 6000)
    panel = random_panel(300, 20, seed=12)
    whole = compute_features(panel, np.arange(300))
    compute_features(panel, np.arange(1, 300))
    compute_features(panel.rows(slice(0, 299)), np.arange(299))
    assert asked == [(300, 20)]
    monkeypatch.setattr(compute, "COMPILED_CELLS", 6001)
    assert compute_features(panel, np.arange(300)).tobytes() == whole.tobytes()


def test_without_numba_numpy_computes_them() -> None:
    script = (
        "import sys; sys.modules['numba'] = None\n"
        "from tests.features.random_panels import random_panel\n"
        "from trading.features import compute\n"
        "compute.COMPILED_CELLS = 0\n"
        "print(compute.compute_features(random_panel(30, 3), range(30)).shape)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.stdout.strip() == "(30, 3, 17)", done.stderr
