"""Plant every kind of dirt in clean real series; count what is found, mended, and found amiss.

    python -m benchmarks.planted_dirt [--series 40] [--only split] [--json]

The series are of the Russell file (`TRADING_REAL_DATA`), those in which no fault is found; the
dividends that their adjusted closes imply count as declared. Each dirty series goes through the
whole pipeline by itself. *Found*: a finding, a repair or a reason of cleaning names the fault.
*Right*: the closes and adjusted closes that come out are the clean ones, to a thousandth. *Wrong*:
they are not, where a repair was made: a repair that should not have been made.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.dirt import DIRT, Dirt, Series
from trading.config import Settings
from trading.data.pipeline import CleanData, DataPipeline, RawData
from trading.data.providers.files import read_bars_file
from trading.data.quality import Severity
from trading.errors import DataError
from trading.market.bars import CorporateAction, CorporateActionType

ROOT = Path(__file__).parents[1]
TODAY = date(2026, 11, 20)
RELATIVE = 1e-3
# Adjusted closes are told to the cent: a smaller implied payment is their rounding.
LEAST_YIELD = 0.002


@dataclass(frozen=True)
class Measured:
    """What became of one kind of dirt in `series` series; the counts are explained above."""

    dirt: str
    series: int
    found: int
    mended: int
    right: int
    wrong: int
    alarms: int


def clean_series(bars: pd.DataFrame, count: int, seed: int = 0) -> list[Series]:
    """Return series without an error or a repair, half of them with dividends."""
    draw = np.random.default_rng(seed)
    names = [name for name, rows in bars.groupby("symbol") if len(rows) > 900]
    by_symbol = dict(list(bars[bars["symbol"].isin(names)].groupby("symbol")))
    kept: dict[bool, list[Series]] = {True: [], False: []}
    for name in draw.permutation(names):
        rows = by_symbol[name].reset_index(drop=True)
        series = Series(rows, implied_dividends(rows))
        group = kept[len(series.actions) >= 3]
        if len(group) >= count // 2 or float(rows["close"].min()) < 5:
            continue
        clean = process(series)
        if isinstance(clean, CleanData) and not clean.repairs and not errors_of(clean):
            group.append(series)
        if all(len(each) >= count // 2 for each in kept.values()):
            break
    return kept[True] + kept[False]


def implied_dividends(rows: pd.DataFrame) -> tuple[CorporateAction, ...]:
    """Return the payments that the adjusted closes of one symbol imply."""
    close, adjusted = rows["close"].to_numpy(), rows["adjusted_close"].to_numpy()
    ratio = adjusted / close
    paid = close[:-1] * (1 - ratio[:-1] / ratio[1:])
    spots = np.flatnonzero(paid > LEAST_YIELD * close[:-1]) + 1
    symbol = str(rows["symbol"].iloc[0])
    return tuple(
        CorporateAction(
            symbol, rows["date"].iloc[i].date(), CorporateActionType.DIVIDEND, float(paid[i - 1])
        )
        for i in spots
    )


def process(series: Series) -> CleanData | DataError:
    """Return what the pipeline makes of one series, or why it refuses it."""
    settings = Settings.model_validate({"data": {"min_symbols": 1}})
    pipeline = DataPipeline(settings, today=TODAY)
    try:
        return pipeline.process(RawData(series.rows, "a planted series", series.actions))
    except DataError as error:
        return error


def errors_of(clean: CleanData) -> set[str]:
    """Return the kinds of finding that cannot be true."""
    return {f.kind.value for f in clean.quality.findings if f.severity is Severity.ERROR}


def told_of(clean: CleanData | DataError) -> set[str]:
    """Return every word that the account has for a fault."""
    if isinstance(clean, DataError):
        return {"refused"}
    said = {f.kind.value for f in clean.quality.findings}
    said |= {repair.kind.value for repair in clean.repairs}
    return said | set(clean.report.dropped) | set(clean.report.repairs)


def is_right(clean: CleanData | DataError, series: Series) -> bool:
    """Tell whether nine in ten bars are left, with the clean closes and adjusted closes."""
    if isinstance(clean, DataError):
        return False
    both = series.rows.merge(clean.bars, on="date", suffixes=("", "_now"))
    close = np.isclose(both["close"], both["close_now"], rtol=RELATIVE)
    shape = both["adjusted_close"] / both["adjusted_close_now"]
    adjusted = np.isclose(shape, shape.iloc[-1], rtol=RELATIVE)
    return bool(close.all() and adjusted.all() and len(both) > 0.9 * len(series.rows))


def measure(dirt: Dirt, clean: Sequence[Series], seed: int = 1) -> Measured:
    """Plant one kind of dirt in every series that it fits."""
    draw = np.random.default_rng(seed)
    count: Counter[str] = Counter()
    for series in clean:
        dirty = dirt.plant(series, draw)
        if dirty is None:
            continue
        came = process(dirty)
        right = is_right(came, series)
        mended = isinstance(came, CleanData) and bool(came.repairs)
        named = bool(set(dirt.tells) & told_of(came)) or (isinstance(came, DataError))
        count["series"] += 1
        count["found"] += right if dirt.tells == ("right",) else named
        count["mended"] += mended
        count["right"] += right
        count["wrong"] += mended and not right
        if isinstance(came, CleanData):
            count["alarms"] += bool(errors_of(came) - set(dirt.tells))
    fields = ("series", "found", "mended", "right", "wrong", "alarms")
    return Measured(dirt.name, *(count[name] for name in fields))


def table(measured: Sequence[Measured]) -> str:
    """Return the Markdown table."""
    lines = ["| planted | series | found | repaired | right afterwards | wrongly repaired |"]
    lines.append("|---|---|---|---|---|---|")
    lines += [
        f"| {m.dirt} | {m.series} | {m.found} | {m.mended} | {m.right} | {m.wrong} |"
        for m in measured
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Plant dirt in clean real series and measure.")
    parser.add_argument("--series", type=int, default=40)
    parser.add_argument("--only", default="", help="kinds whose name holds this text")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    data = Path(os.environ.get("TRADING_REAL_DATA", ROOT / "../shared/data"))
    file = data / "prices" / "r3000_2016_2019.parquet"
    if not file.is_file():
        sys.exit(f"there is no real market data at {file}; set TRADING_REAL_DATA")
    began = time.perf_counter()
    clean = clean_series(read_bars_file(file), asked.series)
    measured = [measure(dirt, clean) for dirt in DIRT if asked.only in dirt.name]
    # Chance alarms: the series again, with nothing planted but another seed of the same draw.
    told = [process(replace(series)) for series in clean]
    alarms = sum(isinstance(c, DataError) or bool(c.repairs or errors_of(c)) for c in told)
    seconds = round(time.perf_counter() - began, 1)
    if asked.json:
        found = {"dirt": [asdict(m) for m in measured], "clean": len(clean), "alarms": alarms}
        sys.stdout.write(json.dumps(found | {"seconds": seconds}, indent=1) + "\n")
        return
    sys.stdout.write(
        f"{table(measured)}\n\n{len(clean)} clean series: {alarms} alarms; {seconds} s\n"
    )


if __name__ == "__main__":
    main()
