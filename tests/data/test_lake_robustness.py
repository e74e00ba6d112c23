"""A lake with broken, foreign and lost objects, on a full disk, killed while it mends itself."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bar_examples import fetched, make_bars
from memory_store import MemoryStore

from trading.data.lake import Lake
from trading.data.store.folder import FolderStore
from trading.errors import DataError, StoreError
from trading.market.bars import CorporateAction, CorporateActionType

AFTER = date(2024, 2, 1)
YEAR = "bars/year=2024.parquet"
SPLIT = CorporateAction("S001", date(2024, 1, 3), CorporateActionType.SPLIT, 2.0)


@pytest.fixture
def store() -> MemoryStore:
    """Return a lake's objects: a history, a day beside it, an action."""
    store = MemoryStore()
    lake, bars = Lake(store), make_bars()
    last = bars["date"] == bars["date"].max()
    lake.ingest(fetched(bars[~last].reset_index(drop=True)), simulated=False)
    lake.ingest(fetched(bars[last].reset_index(drop=True)), simulated=False)
    lake.ingest_actions([SPLIT], adjusted_through=date(2024, 1, 12))
    store.writes.clear()
    return store


def served(store: MemoryStore) -> pd.DataFrame:
    return Lake(store).bars(None, before=AFTER)


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_a_truncated_year_is_made_of_its_raw_batches(store: MemoryStore, cut: int) -> None:
    whole = served(store)
    store.objects[YEAR] = store.objects[YEAR][:cut]
    pd.testing.assert_frame_equal(served(store), whole)
    assert Lake(store).rebuild() == 1
    pd.testing.assert_frame_equal(served(store), whole)


def test_a_truncated_raw_batch_is_named(store: MemoryStore) -> None:
    key = "data/2024/01/12/bars.parquet"
    store.objects[key] = store.objects[key][:-1]
    with pytest.raises(DataError, match=r"data/2024/01/12/bars.parquet .* restore it from a back"):
        served(store)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"sources": 3}', b"\xff\xfe"])
def test_a_corrupt_catalog_says_how_to_mend_it(store: MemoryStore, body: bytes) -> None:
    whole = served(store)
    store.objects["catalog.json"] = body
    with pytest.raises(DataError, match="delete it and run `trading data rebuild`"):
        served(store)
    store.delete("catalog.json")
    with pytest.raises(DataError, match="raw batches but no catalog of them: run `trading data re"):
        Lake(store).panel(before=AFTER)
    Lake(store).rebuild()
    pd.testing.assert_frame_equal(served(store), whole)


def test_an_ingest_into_a_lake_without_its_catalog_loses_nothing(store: MemoryStore) -> None:
    store.delete("catalog.json")
    more = make_bars(1, date(2024, 1, 16), date(2024, 1, 16)).assign(symbol="NEW")
    Lake(store).ingest(fetched(more), simulated=False)
    found = served(store)
    assert set(found["symbol"]) == {"NEW", "S000", "S001", "S002"}
    assert len(Lake(store).sessions()) == 17


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("corporate_actions/actions.parquet", "no table of corporate actions"),
        ("corporate_actions/symbols/2024-01-02.parquet", "no symbol map"),
    ],
)
def test_broken_reference_data_are_named(store: MemoryStore, key: str, said: str) -> None:
    store.objects[key] = b"PAR1 but not really"
    with pytest.raises(DataError, match=said):
        served(store)


def test_broken_fundamentals_are_named(store: MemoryStore) -> None:
    store.objects["fundamentals/2024/01.parquet"] = b"x"
    with pytest.raises(DataError, match=r"fundamentals/2024/01.parquet .* no table of fundamental"):
        Lake(store).fundamentals(before=AFTER)


def test_foreign_files_change_nothing_until_they_claim_to_be_a_batch(store: MemoryStore) -> None:
    whole, digest = served(store), Lake(store).data_hash(AFTER)
    for key in ("bars/year=1999.parquet", "README.md", "data/notes.txt", "bars/2024.csv",
                "data/2024/01/12/copy of bars.parquet"):  # fmt: skip
        store.objects[key] = b"a foreign file"
    pd.testing.assert_frame_equal(served(store), whole)
    Lake(store).rebuild()
    assert Lake(store).data_hash(AFTER) == digest
    store.objects["data/1999/manifest.json"] = b"{}"
    with pytest.raises(DataError, match=r"data/1999/manifest.json .* no file of the lake's"):
        Lake(store).rebuild()
    pd.testing.assert_frame_equal(served(store), whole)


def test_a_rebuild_killed_at_any_write_leaves_what_was_served(store: MemoryStore) -> None:
    whole, digest = served(store), Lake(store).data_hash(AFTER)
    for year in ("bars/year=2023.parquet", YEAR, "corporate_actions/actions.parquet"):
        store.delete(year)
    held = dict(store.objects)
    Lake(store).rebuild()
    total = len(store.writes)
    assert total >= 4
    for killed_after in range(total):
        broken = MemoryStore()
        broken.objects, broken.die_after = dict(held), killed_after
        with pytest.raises(StoreError, match="killed"):
            Lake(broken).rebuild()
        broken.die_after = None
        Lake(broken).rebuild()
        pd.testing.assert_frame_equal(served(broken), whole)
        assert Lake(broken).data_hash(AFTER) == digest


def test_a_release_killed_in_between_is_finished_by_the_next(store: MemoryStore) -> None:
    lake, day = Lake(store), date(2024, 1, 5)
    whole = served(store)
    lake.quarantine(day, ["too few symbols"])
    store.die_after = len(store.writes)
    with pytest.raises(StoreError, match="killed"):
        lake.release(day)
    # Held, not half free: no record that a rebuild would find later, and the session not served.
    assert day in lake.quarantined()
    assert not list(store.keys("quarantine/"))
    store.die_after = None
    assert lake.release(day)
    assert not lake.release(day)
    lake.rebuild()
    pd.testing.assert_frame_equal(served(store), whole)


def test_actions_of_an_ingest_that_was_killed_are_not_served(store: MemoryStore) -> None:
    lake, before = Lake(store), served(store)
    store.die_after = 2
    with pytest.raises(StoreError, match="killed"):
        lake.ingest_actions(
            [CorporateAction("S000", date(2024, 1, 4), CorporateActionType.SPLIT, 3.0)],
            adjusted_through=date(2024, 1, 12),
        )
    assert len(store.writes) == 2
    pd.testing.assert_frame_equal(served(store), before)


LIMITED = """
import resource, signal, sys
from datetime import date
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from bar_examples import fetched, make_bars
from trading.data.lake import Lake
from trading.data.store.folder import FolderStore
from trading.errors import StoreError
lake = Lake(FolderStore(Path(sys.argv[1])))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    lake.ingest(fetched(make_bars(200, date(2024, 1, 16), date(2024, 1, 31))), simulated=False)
except StoreError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_disk_that_takes_no_more_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    # A limit on the size of files fails a write halfway, as a full disk does.
    lake = Lake(FolderStore(tmp_path))
    lake.ingest(fetched(make_bars()), simulated=False)
    whole = lake.bars(None, before=AFTER)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert "what was there is unchanged, make room" in done.stdout
    assert not (tmp_path / ".store/scratch").exists()
    pd.testing.assert_frame_equal(lake.bars(None, before=AFTER), whole)
    lake.ingest(fetched(make_bars(200, date(2024, 1, 16), date(2024, 1, 31))), simulated=False)
    assert np.isfinite(lake.field("close", before=AFTER)[2]).sum() == len(whole) + 200 * 12
