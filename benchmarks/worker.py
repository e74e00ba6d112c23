"""One engine on one case in a process of its own: `python -m benchmarks.worker ENGINE ...`."""

import argparse
import importlib
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.case import Case, Outcome
from benchmarks.market import Market


def main(arguments: list[str] | None = None) -> None:
    """Run the engine `--warm` times unmeasured and `--runs` times measured; write what came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=("trading", "vectorbt", "bt", "backtrader"))
    parser.add_argument("market", type=Path, help="folder of the bars")
    parser.add_argument("out", type=Path, help="folder for result.json and the arrays")
    parser.add_argument("--case", default="{}", help="JSON of the case")
    parser.add_argument("--warm", type=int, default=0)
    parser.add_argument("--runs", type=int, default=1)
    given = parser.parse_args(arguments)
    prepare = importlib.import_module(f"benchmarks.engines.{given.engine}_engine").prepare
    call = prepare(Market.load(given.market), Case(**json.loads(given.case)))
    loaded = peak_mb()
    for _ in range(given.warm):
        call()
    seconds, walls, outcome = [], [], None
    for _ in range(given.runs):
        outcome = None
        cpu, wall = time.process_time(), time.perf_counter()
        outcome = call()
        walls.append(time.perf_counter() - wall)
        seconds.append(time.process_time() - cpu - outcome.load_seconds)
    if outcome is None:
        parser.error("--runs must be at least 1")
    write(given.out, outcome, seconds, walls, loaded)


def write(
    out: Path, outcome: Outcome, seconds: list[float], walls: list[float], loaded: float
) -> None:
    """Write the figures as JSON and the curve beside them."""
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "equity.npy", outcome.equity)
    peak, refused, notes = peak_mb(), outcome.refused, outcome.notes
    if outcome.finish is not None:
        costs, refused, more = outcome.finish()
        np.save(out / "costs.npy", costs)
        notes = notes | more
    figures = {
        "cpu_seconds": min(seconds),
        "all_cpu_seconds": seconds,
        "wall_seconds": min(walls),
        "peak_mb": peak,
        "loaded_mb": loaded,
        "load_seconds": outcome.load_seconds,
        "fills": outcome.fills,
        "refused": refused,
        "before_trading": outcome.before_trading,
        "final_equity": float(outcome.equity[-1]),
        "notes": notes,
    }
    (out / "result.json").write_text(json.dumps(figures))


def peak_mb() -> float:
    """Return the highest resident memory of this process so far, in MB (1e6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


if __name__ == "__main__":
    main()
