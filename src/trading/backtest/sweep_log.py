"""The finished points of a sweep in a file: an interrupted sweep goes on where it stopped."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trading.backtest.feed import BarFeed
from trading.errors import StoreError
from trading.market.bars import FIELDS

FLUSH_SECONDS = 1.0
RUN, POINT = "run", "point"


class SweepLog:
    """A CSV or Parquet file (by its ending) with a row a finished point.

    The columns are `run` (what the sweep ran on, `run_id`), `point` (the parameters as JSON) and
    the point's figures. The file is replaced as a whole, at most once a second: a killed sweep
    loses the last second.

    Parameters
    ----------
    file : need not exist
    run : what the rows must have been computed on; a file of another run is refused
    """

    def __init__(self, file: Path, run: str) -> None:
        if file.suffix not in (".csv", ".parquet"):
            raise StoreError(f"{file.name}: sweep results are kept as .csv or .parquet")
        self._file, self._run = file, run
        self._rows: dict[str, dict[str, Any]] = {}
        self._written = time.monotonic()
        self._dirty = False

    def read(self) -> dict[str, dict[str, Any]]:
        """Return the figures by point; nothing where there is no file.

        Raises `StoreError` when the file is not a log or belongs to another run.
        """
        if not self._file.exists():
            return {}
        try:
            table = self._table()
        except (OSError, ValueError) as error:
            raise StoreError(
                f"{self._file} cannot be read as sweep results ({error}); choose another file"
            ) from error
        if not {RUN, POINT, "error"} <= set(table):
            raise StoreError(f"{self._file} holds no sweep results; choose another file")
        others = set(table[RUN].astype(str)) - {self._run}
        if others:
            raise StoreError(
                f"{self._file} holds results of another sweep (strategy, bars, period or settings "
                "differ); choose another file, or delete it"
            )
        table["error"] = table["error"].astype("str").fillna("")
        rows = table.drop(columns=[RUN, POINT]).to_dict(orient="records")
        self._rows = dict(zip(table[POINT].astype(str), rows, strict=True))
        return dict(self._rows)

    def _table(self) -> pd.DataFrame:
        if self._file.suffix == ".parquet":
            return pd.read_parquet(self._file)
        texts = dict.fromkeys((RUN, POINT, "error"), "str")
        return pd.read_csv(self._file, dtype=texts)

    def add(self, point: str, figures: dict[str, Any]) -> None:
        """Keep a finished point; written at the latest by `flush`."""
        self._rows[point] = figures
        self._dirty = True
        if time.monotonic() - self._written >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet; raises `StoreError` when the disk does not take it."""
        if not self._dirty:
            return
        table = pd.DataFrame(
            [{RUN: self._run, POINT: point, **row} for point, row in self._rows.items()]
        )
        part = self._file.with_name(f".{self._file.name}.{os.getpid()}.part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if self._file.suffix == ".csv":
                table.to_csv(part, index=False, lineterminator="\n")
            else:
                table.to_parquet(part, index=False)
            part.replace(self._file)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise StoreError(f"{self._file} cannot be written ({error})") from error
        self._written, self._dirty = time.monotonic(), False


def run_id(feed: BarFeed, *parts: Any) -> str:
    """Return what identifies a run: a digest of the bars, actions, sectors and `parts`.

    `parts` are told apart by `repr`.
    """
    digest = hashlib.blake2b(digest_size=12)
    data = feed.data
    for name in ("timestamps", *FIELDS):
        digest.update(np.ascontiguousarray(getattr(data, name)).tobytes())
    for part in (data.symbols, tuple(feed.actions), sorted(feed.sectors.items()), *parts):
        digest.update(repr(part).encode())
    return digest.hexdigest()
