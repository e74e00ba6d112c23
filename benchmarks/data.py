"""How fast bars are stored, rebuilt and read, beside pandas that goes symbol by symbol.

    python -m benchmarks.data day|store|rebuild|closes|postgres [--small]

Each run makes its own bars in a temporary folder, prints one line a measurement (wall and CPU
seconds, the process's highest resident memory so far) and removes what it made. The references do
the same work as a loop over symbols would, on one Parquet file a symbol.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.market_server import market_server
from trading.data.frames import bars_from_codes
from trading.data.lake import Lake
from trading.data.manifest import (
    batch_identity,
    describe,
    digest_of_sessions,
    session_digests,
)
from trading.data.parquet import BarColumns, encode_bars
from trading.data.providers.base import FetchResult
from trading.data.report import IngestReport
from trading.data.store.bars import BarStore, LakeBars
from trading.data.store.folder import FolderStore
from trading.market.calendar import sessions_between
from trading.market.panel import SessionArray

FAR = date(2100, 1, 1)


def make_bars(days: SessionArray, symbols: int, seed: int = 0) -> pd.DataFrame:
    """Return random bars: prices in cents, every symbol in every session."""
    random = np.random.default_rng(seed)
    shape = (symbols, len(days))
    close = np.round(50 * np.exp(np.cumsum(0.02 * random.standard_normal(shape), axis=1)), 2)
    values = {
        "open": close,
        "high": np.round(close * 1.01, 2),
        "low": np.round(close * 0.99, 2),
        "close": close,
        "volume": random.integers(1_000, 9_000_000, shape).astype(float),
        "adjusted_close": close * 0.9,
    }
    code = np.repeat(np.arange(symbols), len(days))
    names = [f"S{i:05d}" for i in range(symbols)]
    flat = {name: grid.ravel() for name, grid in values.items()}
    return bars_from_codes(np.tile(days, symbols), code, names, flat)


def fetched(bars: pd.DataFrame) -> FetchResult:
    """Return bars as a provider would."""
    report = IngestReport("benchmark bars", len(bars), 0, 0, None, None)
    return FetchResult(bars, (), report.describing(bars))


@contextmanager
def measured(what: str) -> Iterator[None]:
    """Print what a block took."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what:<72} {wall:8.2f} s wall {cpu:8.2f} s CPU {peak:7.0f} MB", flush=True)


def daily_flow(folder: Path, small: bool) -> None:
    """One day of 7,000 symbols: fetched from a server, validated and stored, each in one process.

    The lake holds most of a year before. The flow runs in a process of its own, so that its memory
    is that of one day's work and of nothing else.
    """
    symbols = 700 if small else 7_000
    days = sessions_between(date(2023, 1, 2), date(2023, 12, 28))
    Lake(FolderStore(folder / "lake")).ingest(
        fetched(make_bars(days[:-1], symbols)), simulated=False
    )
    write_files(make_bars(days[:-1], symbols), folder / "files")
    bars = make_bars(days, symbols)
    with market_server(bars[bars["date"] == bars["date"].max()]) as url:
        for flow in ("lake", "pandas"):
            command = [sys.executable, "-m", "benchmarks.one_day", flow, str(folder), url]
            subprocess.run(command, check=True, cwd=Path(__file__).parents[1])


def store_a_day(folder: Path, small: bool) -> None:
    """One day of 7,000 symbols onto a lake that holds most of a year."""
    symbols = 700 if small else 7_000
    days = sessions_between(date(2023, 1, 2), date(2023, 12, 28))
    seeded = fetched(make_bars(days[:-1], symbols))
    lake = Lake(FolderStore(folder / "lake"))
    lake.ingest(seeded, simulated=False)
    for i, day in enumerate(sessions_between(date(2023, 12, 28), date(2024, 1, 26))):
        today = fetched(make_bars(np.array([day]), symbols, seed=i))
        with measured(f"lake: store {day}, {symbols} symbols"):
            lake.ingest(today, simulated=False)
    reference = min(symbols, 700)
    files = write_files(make_bars(days, reference), folder / "files")
    row = make_bars(np.array([np.datetime64("2023-12-29")]), reference)
    with measured(f"pandas: append one row to {reference} files of a year"):
        for (symbol, bar), file in zip(row.groupby("symbol"), files, strict=True):
            held = pd.read_parquet(file)
            pd.concat([held, bar.assign(symbol=symbol)]).to_parquet(file)


def rebuild(folder: Path, small: bool) -> None:
    """The curated bars again from 1,000 raw days of 3,000 symbols."""
    count, symbols = (100, 300) if small else (1_000, 3_000)
    days = sessions_between(date(2018, 1, 2), date(2022, 12, 30))[:count]
    objects = FolderStore(folder / "lake")
    lake = Lake(objects)
    bars = make_bars(days, symbols)
    for _, day in bars.groupby("date"):
        write_raw_day(objects, day.reset_index(drop=True))
    with measured(f"lake: rebuild catalog and years from {count} raw days"):
        lake.rebuild()
    digests = session_digests(BarColumns.from_bars(bars))
    expected = digest_of_sessions({day: digest for day, (digest, _) in digests.items()})
    if lake.data_hash(FAR) != expected:
        sys.exit("the rebuilt lake does not hold the bars of its raw days")
    frames = [day for _, day in bars.groupby("date")]
    (folder / "days").mkdir()
    for i, frame in enumerate(frames):
        frame.to_parquet(folder / "days" / f"{i:05d}.parquet")
    with measured("pandas: the same days into one file a symbol"):
        whole = pd.concat(map(pd.read_parquet, sorted((folder / "days").iterdir())))
        write_files(whole, folder / "files")


def write_raw_day(objects: FolderStore, day: pd.DataFrame) -> None:
    """Write what a fetch of one session leaves in the raw layer, and nothing else."""
    bars = BarColumns.from_bars(day)
    folder = f"data/{bars.day[0]}".replace("-", "/")
    key, body = f"{folder}/bars.parquet", encode_bars(bars)
    objects.put(key, body)
    identity = batch_identity(bars, ())
    manifest = describe(fetched(day), bars, identity=identity, key=key, body=body, simulated=False)
    objects.put(f"{folder}/manifest.json", manifest.to_json())


def read_closes(folder: Path, small: bool) -> None:
    """10 years of 3,000 symbols' closes as one matrix."""
    symbols = 300 if small else 3_000
    days = sessions_between(date(2014, 1, 2), date(2023, 12, 29))
    bars = make_bars(days, symbols)
    lake = Lake(FolderStore(folder / "lake"))
    lake.ingest(fetched(bars), simulated=False)
    files = write_files(bars, folder / "files")
    for _ in range(3):
        with measured(f"lake: closes of {len(days)} sessions x {symbols} symbols"):
            closes = lake.field("close", before=FAR)[2]
    with measured("lake: the whole panel, six fields"):
        lake.panel(before=FAR)
    with measured("pandas: the closes from one file a symbol"):
        columns = {
            file.stem: pd.read_parquet(file, columns=["date", "close"]).set_index("date")["close"]
            for file in files
        }
        wide = pd.DataFrame(columns)
    if not np.array_equal(wide.to_numpy(), closes):
        sys.exit("the two matrices differ")


def postgres(folder: Path, small: bool) -> None:
    """The same day and a year of minutes' worth of rows through PostgreSQL."""
    sys.path.append(str(Path(__file__).parents[1] / "tests" / "data" / "store"))
    from real_servers import postgres_server

    from trading.data.store.bars.postgres import PostgresBars

    symbols = 700 if small else 7_000
    days = sessions_between(date(2023, 11, 1), date(2023, 12, 29))
    with postgres_server() as conninfo:
        stores: list[BarStore] = [PostgresBars.open(conninfo), LakeBars(FolderStore(folder / "l"))]
        for store in stores:
            print(store.description)
            bars = make_bars(days[:-1], symbols)
            with measured(f"store {len(bars):,} bars"):
                store.store(bars)
            today = make_bars(days[-1:], symbols)
            with measured(f"store one day of {symbols} symbols"):
                store.store(today)
            with measured("store it again"):
                store.store(today)
            with measured("query 100 symbols, all days"):
                store.query([f"S{i:05d}" for i in range(100)], date(2023, 1, 1), date(2024, 1, 1))
            with measured("query every bar"):
                store.query(None, date(2023, 1, 1), date(2024, 1, 1))
            store.close()


def write_files(bars: pd.DataFrame, folder: Path) -> list[Path]:
    """Write one Parquet file a symbol, as the references read them."""
    folder.mkdir(parents=True, exist_ok=True)
    for symbol, rows in bars.groupby("symbol"):
        rows.to_parquet(folder / f"{symbol}.parquet", index=False)
    return sorted(folder.iterdir())


STEPS: dict[str, Callable[[Path, bool], None]] = {
    "day": daily_flow,
    "store": store_a_day,
    "rebuild": rebuild,
    "closes": read_closes,
    "postgres": postgres,
}


def main() -> None:
    """Run one step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--small", action="store_true", help="a tenth of the symbols")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bars-") as folder:
        STEPS[asked.step](Path(folder), asked.small)


if __name__ == "__main__":
    main()
