"""Pending sessions: what readers see is the same, whenever the year is written."""

import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bar_examples import fetched, make_bars

from trading.data.curated import MOST_PENDING
from trading.data.lake import Lake
from trading.data.store.bars import LakeBars
from trading.data.store.folder import FolderStore
from trading.market.bars import FIELDS, BarInterval

AFTER = date(2025, 1, 1)
YEAR = "bars/year=2024.parquet"


def days_of(bars: pd.DataFrame) -> list[pd.DataFrame]:
    return [day.reset_index(drop=True) for _, day in bars.groupby("date")]


@pytest.mark.slow
def test_day_by_day_is_all_at_once_before_and_after_the_year_is_written(tmp_path: Path) -> None:
    bars = make_bars(4, date(2024, 1, 2), date(2024, 3, 28))
    daily, bulk = FolderStore(tmp_path / "daily"), Lake(FolderStore(tmp_path / "bulk"))
    bulk.ingest(fetched(bars), simulated=False)
    lake = Lake(daily)
    written = []
    for number, day in enumerate(days_of(bars), start=1):
        lake.ingest(fetched(day), simulated=False)
        written.append(daily.exists(YEAR))
        if number in (1, MOST_PENDING - 1, MOST_PENDING, MOST_PENDING + 3):
            known = bars[bars["date"] <= day["date"].iloc[0]].reset_index(drop=True)
            pd.testing.assert_frame_equal(lake.bars(None, before=AFTER), known)
            panel = lake.panel(before=AFTER)
            for name in FIELDS:
                sessions, symbols, values = lake.field(name, before=AFTER)
                np.testing.assert_array_equal(values, getattr(panel, name))
                np.testing.assert_array_equal(sessions, panel.sessions)
                assert symbols == panel.symbols
    assert written.index(True) == MOST_PENDING - 1
    assert lake.data_hash(AFTER) == bulk.data_hash(AFTER)
    assert lake.rebuild() == 1
    assert lake.data_hash(AFTER) == bulk.data_hash(AFTER)
    pd.testing.assert_frame_equal(lake.bars(None, before=AFTER), bars)


def test_a_pending_session_is_restated_like_any_other(tmp_path: Path) -> None:
    bars = make_bars(3, date(2024, 1, 2), date(2024, 1, 12))
    lake = Lake(FolderStore(tmp_path))
    for day in days_of(bars):
        lake.ingest(fetched(day), simulated=False)
    changed = days_of(bars)[2].assign(volume=7.0)
    lake.ingest(fetched(changed), simulated=False)
    expected = bars.copy()
    expected.loc[expected["date"] == changed["date"].iloc[0], "volume"] = 7.0
    pd.testing.assert_frame_equal(lake.bars(None, before=AFTER), expected)
    fresh = Lake(FolderStore(tmp_path / "fresh"))
    fresh.ingest(fetched(expected), simulated=False)
    assert lake.data_hash(AFTER) == fresh.data_hash(AFTER)


def test_bars_are_by_symbol_and_a_field_must_be_one(tmp_path: Path) -> None:
    lake = Lake(FolderStore(tmp_path))
    assert lake.bars(None, before=AFTER).empty
    bars = make_bars(3, date(2024, 1, 2), date(2024, 1, 12))
    lake.ingest(fetched(bars), simulated=False)
    found = lake.bars(["S002", "NONE"], before=date(2024, 1, 8), start=date(2024, 1, 4))
    assert found["symbol"].unique().tolist() == ["S002"]
    assert found["date"].dt.day.tolist() == [4, 5]
    with pytest.raises(Exception, match="no field 'vwap'"):
        lake.field("vwap", before=AFTER)


WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from datetime import date
from pathlib import Path
from bar_examples import make_bars
from trading.data.store.bars import LakeBars
from trading.data.store.folder import FolderStore
from trading.market.bars import BarInterval
store = LakeBars(FolderStore(Path(sys.argv[2])))
bars = make_bars(400, date(2024, 1, 2), date(2024, 2, 20))
minutes = bars[bars["date"] < "2024-01-05"]
print("ready", flush=True)
n = 0
while True:
    n += 1
    for day in sorted(bars["date"].unique()):
        store.store(bars[bars["date"] == day].assign(volume=float(n)))
    store.store(minutes.assign(volume=float(n)), BarInterval.MINUTE)
"""


@pytest.mark.slow
def test_a_writer_killed_at_any_moment_leaves_whole_days_and_the_rerun_completes(
    tmp_path: Path,
) -> None:
    bars = make_bars(400, date(2024, 1, 2), date(2024, 2, 20))
    store = LakeBars(FolderStore(tmp_path / "lake"))
    span = (date(2024, 1, 1), date(2024, 3, 1))
    for delay in (0.05, 0.4, 0.9, 1.7, 2.6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(Path(__file__).parent), str(tmp_path / "lake")],
            stdout=subprocess.PIPE,
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        for interval in (BarInterval.DAY, BarInterval.MINUTE):
            for _, day in store.query(None, *span, interval).groupby("date"):
                assert len(day) == 400
                assert day["volume"].nunique() == 1
    store.store(bars)
    pd.testing.assert_frame_equal(store.query(None, *span), bars)
