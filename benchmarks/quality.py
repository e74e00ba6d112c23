"""Measure the quality checks and repairs on real dirty series and on the real Russell files.

    python benchmarks/quality.py                the confusion table, repairs, false alarms, times
    python benchmarks/quality.py --json         the same as one JSON object

The data are not part of the project: `TRADING_REAL_DATA` names their folder (default
`../shared/data`). Each dirty series is judged whole, with the dividends and splits of its own
columns; its `-fixed` file tells what is right. A fault counts as detected when a finding of a
fitting kind names it; findings of error severity on the clean series are false alarms.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trading.config import Settings
from trading.data.actions.columns import read_action_columns
from trading.data.providers.files import read_bars_file
from trading.data.quality import FindingKind as Kind
from trading.data.quality import Severity, check_bars, check_session
from trading.data.repairs import repair_bars
from trading.market.bars import FIELDS, CorporateAction, CorporateActionType
from trading.market.panel import Panel

ROOT = Path(__file__).parents[1]
RELATIVE = 1e-3
# What each group of series suffers from, by the end of its file name, and the kinds that say so.
FAULTS = {
    "100x-error": (Kind.HUNDREDFOLD_PRICE,),
    "bad-stock-split": (Kind.SPLIT_NOT_APPLIED,),
    "bad-div": (
        Kind.DIVIDEND_HUNDREDFOLD,
        Kind.DIVIDEND_HUNDREDTH,
        Kind.DUPLICATE_DIVIDEND,
        Kind.ADJUSTMENT_MISSING,
        Kind.ADJUSTMENT_MISMATCH,
        Kind.DIVIDEND_WITHOUT_FALL,
    ),
    "cg-double-count": (Kind.ADJUSTMENT_MISMATCH,),
    "no-bad-divs": (),
}
ALARMS = tuple(dict.fromkeys(kind for kinds in FAULTS.values() for kind in kinds))


@dataclass(frozen=True)
class Judged:
    """One series: what was found, what was repaired, how that compares with the fixed file.

    `wrong_cells` and `right_cells` count the cells of bars that the fixed file changes and that
    are, after the repair, off or on its value (to a thousandth); `broken_cells` those that it does
    not change and the repair did. `wrong_amounts` counts dividends and splits still off.
    """

    series: str
    fault: str
    found: dict[str, int]
    detected: bool
    repairs: int
    right_cells: int
    wrong_cells: int
    broken_cells: int
    wrong_amounts: int


def read(file: Path, symbol: str) -> tuple[pd.DataFrame, list[CorporateAction]]:
    """Return the bars and actions of one Yahoo file under a symbol."""
    bars = read_bars_file(file).assign(symbol=symbol)
    actions = read_action_columns(file)
    named = [CorporateAction(symbol, a.ex_date, a.type, a.value) for a in actions]
    return bars.sort_values("date", ignore_index=True), named


def judge(file: Path) -> Judged:
    """Judge one dirty series and compare its repair with the fixed file."""
    fault = next(name for name in FAULTS if file.stem.endswith(name))
    symbol = file.stem.split("-1d-")[0]
    bars, actions = read(file, symbol)
    report = check_bars(bars, actions, source=file.name)
    found = {kind.value: n for kind in ALARMS if (n := report.count(kind))}
    done = repair_bars(bars, actions, Settings().data.quality)
    fixed_file = file.with_name(f"{file.stem}-fixed.csv")
    cells, amounts = (0, 0, 0), 0
    if fixed_file.exists():
        fixed, right = read(fixed_file, symbol)
        cells = compare(bars, done.bars, fixed)
        amounts = differing_amounts(done.actions, right)
    wanted = {kind.value for kind in FAULTS[fault]}
    detected = bool(wanted & set(found))
    return Judged(symbol, fault, found, detected, len(done.repairs), *cells, amounts)


def compare(
    dirty: pd.DataFrame, repaired: pd.DataFrame, fixed: pd.DataFrame
) -> tuple[int, int, int]:
    """Return how many cells are right, wrong and broken after a repair."""
    frames = [f.set_index("date")[list(FIELDS)] for f in (dirty, repaired, fixed)]
    days = frames[0].index.intersection(frames[2].index)
    was, now, right = (frame.loc[days].to_numpy() for frame in frames)
    changed = ~np.isclose(was, right, rtol=RELATIVE, equal_nan=True)
    good = np.isclose(now, right, rtol=RELATIVE, equal_nan=True)
    return int((changed & good).sum()), int((changed & ~good).sum()), int((~changed & ~good).sum())


def differing_amounts(mine: Sequence[CorporateAction], right: Sequence[CorporateAction]) -> int:
    """Return how many declared amounts differ by more than a thousandth."""
    held = {(a.ex_date, a.type): a.value or 0.0 for a in mine}
    wanted = {(a.ex_date, a.type): a.value or 0.0 for a in right}
    keys = held.keys() | wanted.keys()
    return sum(
        not np.isclose(held.get(key, 0.0), wanted.get(key, 0.0), rtol=RELATIVE) for key in keys
    )


def dirty_series(folder: Path) -> Iterator[Judged]:
    """Judge every dirty and clean series of a folder."""
    for file in sorted(folder.glob("*.csv")):
        if not file.stem.endswith("-fixed"):
            yield judge(file)


def real_file(file: Path) -> dict[str, Any]:
    """Judge a real price file and time it."""
    bars = read_bars_file(file)
    began = time.perf_counter()
    report = check_bars(bars, source=file.name)
    seconds = time.perf_counter() - began
    grave = [f for f in report.findings if f.severity is not Severity.INFO]
    return {
        "file": file.name,
        "bars": report.rows,
        "symbols": report.symbols,
        "seconds": round(seconds, 2),
        "verdict": report.verdict.value,
        "findings": {f"{f.kind.value} ({f.severity.value})": f.count for f in report.findings},
        "symbols_to_look_at": len({s for f in grave for s in f.symbols}),
    }


def planted(bars: pd.DataFrame, fault: str, symbols: int = 200) -> dict[str, Any]:
    """Plant one fault in each of some real series; count what is found, and repaired to the cent.

    Faults: `hundredfold` prices of 1 to 60 sessions; a `split` of 2, 3, 4, 10 or 1/10, declared
    but not applied. A symbol that is found without a fault planted is a false alarm.
    """
    random = np.random.default_rng(0)
    names, first, count = np.unique(bars["symbol"], return_index=True, return_counts=True)
    long = np.flatnonzero(count > 250)
    picked = random.choice(long, symbols, replace=False)
    prices = ["open", "high", "low", "close", "adjusted_close"]
    scale = np.ones(len(bars))
    actions = []
    for i in picked:
        at = int(first[i]) + int(random.integers(20, 180))
        if fault == "hundredfold":
            scale[at : at + int(random.integers(1, 61))] = random.choice([0.01, 100.0])
        else:
            ratio = float(random.choice([2.0, 3.0, 4.0, 10.0, 0.1]))
            scale[first[i] : at] = ratio
            day = pd.Timestamp(bars["date"].iloc[at]).date()
            actions.append(CorporateAction(str(names[i]), day, CorporateActionType.SPLIT, ratio))
    dirty = bars.copy()
    for name in prices:
        dirty[name] = bars[name].to_numpy() * scale
    if fault == "split":
        dirty["volume"] = bars["volume"].to_numpy() / scale
    kind = Kind.HUNDREDFOLD_PRICE if fault == "hundredfold" else Kind.SPLIT_NOT_APPLIED
    done = repair_bars(dirty, actions, Settings().data.quality)
    mended = {repair.symbol for repair in done.repairs if repair.kind is kind}
    wanted = {str(names[i]) for i in picked}
    off = ~np.isclose(done.bars["close"].to_numpy(), bars["close"].to_numpy(), rtol=1e-9)
    wrong = set(bars["symbol"].to_numpy()[off])
    return {
        "planted": fault,
        "series": symbols,
        "repaired": len(mended & wanted),
        "right_to_the_cent": len((mended & wanted) - wrong),
        "false_repairs": len(mended - wanted),
    }


def one_session(symbols: int = 7000, sessions: int = 21) -> dict[str, Any]:
    """Time the judgement of one session of a wide simulated panel."""
    random = np.random.default_rng(0)
    days = np.arange(sessions) + np.datetime64("2024-01-01")
    close = 50 * np.exp(np.cumsum(0.02 * random.standard_normal((sessions, symbols)), axis=0))
    volume = random.integers(1000, 9000, close.shape).astype(np.float64)
    names = tuple(f"S{i:04d}" for i in range(symbols))
    panel = Panel(days, names, close, close * 1.01, close * 0.99, close, volume, close)
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        check_session(panel, days[-1].astype(object), Settings())
        seconds.append(time.perf_counter() - began)
    return {"symbols": symbols, "seconds": round(min(seconds), 4)}


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    data = Path(os.environ.get("TRADING_REAL_DATA", ROOT / "../shared/data"))
    if not data.is_dir():
        sys.exit(f"there is no real market data at {data}; set TRADING_REAL_DATA")
    series = list(dirty_series(data / "dirty_samples_yahoo"))
    names = ("r3000_2016_2019.parquet", "delisted_2016_2019.parquet")
    files = [real_file(data / "prices" / name) for name in names]
    session = one_session()
    russell = read_bars_file(data / "prices" / names[0])
    plants = [planted(russell, fault) for fault in ("hundredfold", "split")]
    if arguments.json:
        told: dict[str, Any] = {"series": [asdict(s) for s in series], "files": files}
        told |= {"planted": plants, "session": session}
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
        return
    lines = ["| series | fault | found | repairs | cells right / wrong / broken | amounts off |"]
    lines.append("|---|---|---|---|---|---|")
    for s in series:
        found = ", ".join(f"{kind.replace('_', ' ')} {n}" for kind, n in s.found.items()) or "-"
        cells = f"{s.right_cells:,} / {s.wrong_cells:,} / {s.broken_cells:,}"
        lines.append(
            f"| {s.series} | {s.fault} | {found} | {s.repairs} | {cells} | {s.wrong_amounts} |"
        )
    faulty = [s for s in series if FAULTS[s.fault]]
    clean = [s for s in series if not FAULTS[s.fault]]
    lines.append(f"\ndetected: {sum(s.detected for s in faulty)} of {len(faulty)} faulty series")
    lines.append(f"false alarms: {sum(bool(s.found) for s in clean)} of {len(clean)} clean series")
    lines += [json.dumps(told) for told in [*files, *plants, session]]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
