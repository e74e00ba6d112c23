"""Fetch, validate and store one session; `python -m benchmarks.data day` starts it.

python -m benchmarks.one_day lake|pandas FOLDER URL
"""

import argparse
import json
import sys
import time
import urllib.request
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

DAY = date(2023, 12, 28)


class MorningAfter:
    """A clock that stands at six in the morning after the session."""

    def now(self) -> datetime:
        """Return the time."""
        return datetime(2023, 12, 29, 6, 0, tzinfo=UTC)

    def monotonic(self) -> float:
        """Return the machine's seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Refuse to wait: a server that answers at once gives no reason to."""
        raise AssertionError(f"the flow waits for {seconds:g} s")


def lake_flow(folder: Path, url: str) -> str:
    """Run the intake; return what came of the session."""
    from pydantic import SecretStr

    from trading.config import Settings
    from trading.data.intake import open_intake
    from trading.data.store.folder import FolderStore

    vendor = {"base_url": url, "requests_per_minute": 600_000}
    chosen = {"provider": "polygon", "providers": {"polygon": vendor}}
    intake = open_intake(
        Settings.model_validate({"data": chosen}),
        FolderStore(folder / "lake"),
        keys=lambda _: SecretStr("a-key"),
        clock=MorningAfter(),
    )
    (outcome,) = intake.run([DAY]).outcomes
    if outcome.status.value != "complete":
        sys.exit(f"the session is {outcome.status}: {outcome.reasons or outcome.missing[:3]}")
    return f"{outcome.bars:,} bars, {outcome.verdict}"


def pandas_flow(folder: Path, url: str) -> str:
    """Do the same as a loop over symbols would, on one Parquet file a symbol."""
    import pandas as pd

    path = f"{url}/v2/aggs/grouped/locale/us/market/stocks/{DAY}"
    with urllib.request.urlopen(path) as answer:
        rows = json.load(answer)["results"]
    names = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
    frame = pd.DataFrame(rows).rename(columns=names)
    bad = 0
    for symbol, bar in frame.groupby("T"):
        bar = bar.assign(date=pd.Timestamp(DAY), symbol=symbol, adjusted_close=bar["close"])
        file = folder / "files" / f"{symbol}.parquet"
        held = pd.read_parquet(file)
        bar = bar[held.columns]
        jump = np.log(float(bar["close"].iloc[0]) / float(held["close"].iloc[-1]))
        prices = bar[["open", "high", "low", "close"]].iloc[0]
        ordered = prices["low"] <= min(prices["open"], prices["close"])
        ordered &= prices["high"] >= max(prices["open"], prices["close"])
        bad += not (ordered and abs(jump) < 1 and (prices > 0).all())
        pd.concat([held, bar]).to_parquet(file, index=False)
    return f"{len(frame):,} bars, {bad} in doubt"


def peak_megabytes() -> float:
    """Return this process's highest resident memory; `ru_maxrss` begins with the parent's."""
    status = Path("/proc/self/status").read_text()
    return float(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    """Run one flow and print what it took, the imports included."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flow", choices=("lake", "pandas"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("url")
    asked = parser.parse_args()
    wall, cpu = time.perf_counter(), time.process_time()
    flow = lake_flow if asked.flow == "lake" else pandas_flow
    done = flow(asked.folder, asked.url)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = peak_megabytes()
    what = f"{asked.flow}: fetch, validate and store {DAY} ({done})"
    sys.stdout.write(f"{what:<72} {wall:8.2f} s wall {cpu:8.2f} s CPU {peak:7.0f} MB\n")


if __name__ == "__main__":
    main()
