"""The benchmark: the index or fund that the portfolio is measured against."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from trading.data.parquet import BarColumns, decode_bars, encode_bars
from trading.data.parsing import parse_days, parse_numbers, parse_symbols
from trading.data.providers.files import read_columns
from trading.data.store.base import ObjectStore
from trading.errors import DataError, NotFoundError
from trading.market.bars import FIELDS
from trading.market.calendar import DEFAULT_EXCHANGE, FIRST_DAY, LAST_DAY, sessions_between
from trading.market.panel import Panel

POINTER_KEY = "benchmarks/benchmark.json"
# Which of several symbols of a file is meant: the broadest index of US shares first.
PREFERRED = ("^RUA", "IWV", "VTI", "SPY", "^GSPC")
KEY_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.\-^=]*")


@dataclass(frozen=True)
class Benchmark:
    """Bars of one symbol; only `adjusted_close` is always known.

    `source` says in words what was read and what was left out.
    """

    symbol: str
    bars: pd.DataFrame
    source: str

    def panel(self) -> Panel:
        """Return the bars as a panel of one column."""
        return Panel.from_bars(self.bars)


def load_benchmark(
    file: Path, symbol: str | None = None, exchange: str = DEFAULT_EXCHANGE
) -> Benchmark:
    """Read the benchmark of a Parquet or CSV file of bars.

    Only a date and an adjusted close are needed (else a close, which leaves dividends out: the
    source says so). Of several symbols `symbol` is taken, else the first of `PREFERRED` that the
    file has. Raises `DataError` when the file, the symbol or usable values are missing.
    """
    frame = read_columns(file, optional=("symbol", *FIELDS))
    if not {"adjusted_close", "close"} & set(frame):
        raise DataError(f"{file.name} lacks a column adjusted_close (or close)")
    if "symbol" not in frame:
        frame["symbol"] = (symbol or file.name.split(".")[0]).upper()
    code, names, _ = parse_symbols(frame["symbol"])
    chosen = _choose(names, symbol, file)
    wanted = code == names.index(chosen)
    frame = frame[wanted]
    values = {
        name: np.array(parse_numbers(frame[name])) if name in frame else np.full(len(frame), np.nan)
        for name in FIELDS
    }
    note = ""
    if not (values["adjusted_close"] > 0).any():
        values["adjusted_close"] = values["close"].copy()
        note = " (price only: it has no adjusted close)"
    day = parse_days(frame["date"])
    usable = np.isfinite(values["adjusted_close"]) & (values["adjusted_close"] > 0)
    usable &= np.isin(day, sessions_between(FIRST_DAY, LAST_DAY, exchange))
    if not usable.any():
        raise DataError(f"{file.name} has no usable adjusted close of {chosen}")
    bars = BarColumns(day, np.zeros(len(day), dtype=np.int64), (chosen,), values).take(usable)
    bars = bars.take(_last_of_each_day(bars))
    left_out = len(frame) - len(bars)
    note += f", {left_out} unusable or repeated rows left out" if left_out else ""
    return Benchmark(chosen, bars.to_bars(), f"{chosen} of {file.name}{note}")


def _choose(names: tuple[str, ...], symbol: str | None, file: Path) -> str:
    wanted = symbol.strip().upper() if symbol else None
    found = [name for name in ([wanted] if wanted else PREFERRED) if name in names]
    if not found and wanted is None and len(names) == 1:
        found = list(names)
    if not found or not KEY_SYMBOL.fullmatch(found[0]):
        listed = ", ".join(names[:10]) or "no symbol"
        raise DataError(
            f"{file.name} has {listed}; "
            + (f"{wanted} is not among them" if wanted else "name the one that is the benchmark")
        )
    return found[0]


def _last_of_each_day(bars: BarColumns) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    order = np.argsort(bars.day, kind="stable")
    ordered = bars.day[order]
    return order[np.r_[ordered[1:] != ordered[:-1], True]].astype(np.int64)


def write_benchmark(store: ObjectStore, benchmark: Benchmark) -> None:
    """Store a benchmark, then point at it; an unchanged one writes nothing."""
    body = encode_bars(BarColumns.from_bars(benchmark.bars))
    key = f"benchmarks/{benchmark.symbol}.parquet"
    pointer = {"key": key, "source": benchmark.source, "symbol": benchmark.symbol}
    for name, content in ((key, body), (POINTER_KEY, json.dumps(pointer, indent=2).encode())):
        try:
            held = store.get(name)
        except NotFoundError:
            store.put(name, content, if_absent=True)
            continue
        if held.body != content:
            store.put(name, content, if_match=held.etag)


def read_benchmark(store: ObjectStore) -> Benchmark | None:
    """Return the benchmark of a store, None when there is none."""
    try:
        pointer = json.loads(store.get(POINTER_KEY).body)
    except NotFoundError:
        return None
    bars = decode_bars(store.get(pointer["key"]).body, pointer["key"])
    return Benchmark(pointer["symbol"], bars.to_bars(), pointer["source"])
