"""What serving the ensemble takes: size of nine models, time of scoring 3,600 slots, cold start.

    .venv/bin/python benchmarks/serving.py              # about half a minute

The ensemble has the architecture that training exports by default (three algorithms x three seeds);
its weights are random, since neither size nor time depends on them. Warm time is CPU time of one
ensemble pass over 3,600 slots, ranks included, the median of the runs. The cold start is a process
that begins, reads nine model files and a cross-section from disk, and scores; it runs with 512 MB
for its data (RLIMIT_DATA), as a function of that size has. On a machine with other work the clock
runs on while the process waits: its CPU time is judged where it is the smaller one.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from trading.agents.ensemble import Ensemble, combine, join_batches
from trading.agents.gates import Gates
from trading.agents.policy import BLOCK, SlotPolicy
from trading.config import Settings
from trading.features.specification import CONTEXT, FEATURES

SLOTS, MODELS, GATES, RUNS, COLD_RUNS = 3600, 9, 16, 50, 5
MEMORY_MB = 512
COLD = """
import resource, sys, time
resource.setrlimit(resource.RLIMIT_DATA, ({limit}, {limit}))
from pathlib import Path
import numpy as np
from trading.agents.ensemble import Ensemble
from trading.agents.gates import Gates
from trading.agents.policy import load_policy
folder = Path(sys.argv[1])
members = [load_policy(f.read_bytes(), f.name) for f in sorted(folder.glob("model-*.npz"))]
with np.load(folder / "section.npz") as archive:
    section = dict(archive)
scores = Ensemble(tuple(members)).score(**section)
assert np.isfinite(scores.score[section["eligible"]]).all()
print(len(members), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time())
"""


@dataclass(frozen=True, slots=True)
class Serving:
    """What was measured; times in milliseconds, memory in MB."""

    weights_bytes: int
    warm_ms: float
    cold_wall_ms: float
    cold_cpu_ms: float
    cold_peak_mb: float
    batches_equal: bool
    permutation: float


def policies(count: int) -> tuple[SlotPolicy, ...]:
    """Return policies of the default architecture with random weights."""
    made = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        shapes = ((len(FEATURES), GATES), (len(CONTEXT), GATES), (GATES,), (GATES,))
        gates = Gates(*(random.normal(size=shape).astype(np.float32) for shape in shapes))
        sizes = [len(FEATURES) + 1 + len(CONTEXT), *Settings().training.hidden, 1]
        pairs = list(pairwise(sizes))
        made.append(
            SlotPolicy(
                tuple((random.normal(size=p) / np.sqrt(p[0])).astype(np.float32) for p in pairs),
                tuple(random.normal(size=p[1]).astype(np.float32) for p in pairs),
                len(CONTEXT),
                gates,
            )
        )
    return tuple(made)


def measure(runs: int) -> Serving:
    """Measure everything."""
    random = np.random.default_rng(0)
    ensemble = Ensemble(policies(MODELS))
    section = {
        "features": random.uniform(-1, 1, (SLOTS, len(FEATURES))).astype(np.float32),
        "held": random.dirichlet(np.ones(SLOTS)).astype(np.float32),
        "context": random.normal(size=len(CONTEXT)).astype(np.float32),
        "eligible": np.arange(SLOTS) < 3000,
    }
    warm = []
    for _ in range(runs):
        started = time.process_time()
        ensemble.score(**section)
        warm.append(time.process_time() - started)
    bodies = [member.to_bytes() for member in ensemble.members]
    cold = [_cold_start(bodies, section) for _ in range(COLD_RUNS)]
    wall, cpu, peak = (statistics.median(column) for column in zip(*cold, strict=True))
    return Serving(
        weights_bytes=sum(map(len, bodies)),
        warm_ms=statistics.median(warm) * 1e3,
        cold_wall_ms=wall * 1e3,
        cold_cpu_ms=cpu * 1e3,
        cold_peak_mb=peak,
        batches_equal=_batches_equal(ensemble, section),
        permutation=_permutation(ensemble, section),
    )


def _cold_start(bodies: list[bytes], section: dict[str, np.ndarray]) -> tuple[float, float, float]:
    """Return wall and CPU seconds and the peak MB of a process that scores once."""
    with tempfile.TemporaryDirectory() as folder:
        for i, body in enumerate(bodies):
            (Path(folder) / f"model-{i}.npz").write_bytes(body)
        np.savez(Path(folder) / "section.npz", **section)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        script = COLD.format(limit=MEMORY_MB * 2**20)
        done = subprocess.run(
            [sys.executable, "-c", script, folder], capture_output=True, text=True, check=True
        )
        wall = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return wall, cpu, int(done.stdout.split()[1]) / 1024


def _batches_equal(ensemble: Ensemble, section: dict[str, np.ndarray]) -> bool:
    """Tell whether nine batches and one pass give the same bits."""
    features, held = section["features"], section["held"]
    whole = ensemble.raw(features, held, section["context"])
    parts = [
        ensemble.raw(features[i : i + BLOCK], held[i : i + BLOCK], section["context"])
        for i in range(0, SLOTS, BLOCK)
    ]
    return join_batches(parts).tobytes() == whole.tobytes()


def _permutation(ensemble: Ensemble, section: dict[str, np.ndarray]) -> float:
    """Return the largest difference of a score between slots in order and permuted."""
    order = np.random.default_rng(1).permutation(SLOTS)
    raw = ensemble.raw(section["features"], section["held"], section["context"])
    moved = ensemble.raw(section["features"][order], section["held"][order], section["context"])
    scores = combine(raw, section["eligible"]).score[order]
    again = combine(moved, section["eligible"][order]).score
    return max(float(np.nanmax(np.abs(scores - again))), float(np.abs(raw[:, order] - moved).max()))


def report(found: Serving) -> bool:
    """Print the table; tell whether the demands hold."""
    cold = min(found.cold_wall_ms, found.cold_cpu_ms)
    size = found.weights_bytes / 1e6
    same = "bit for bit" if found.batches_equal else "they differ"
    start = f"{found.cold_cpu_ms:.0f} ms of CPU, {found.cold_wall_ms:.0f} ms by the clock"
    rows = [
        (f"{MODELS} models: under 1.5 MB", f"{size:.3f} MB", size < 1.5),
        (f"{SLOTS:,} slots, warm: under 50 ms", f"{found.warm_ms:.1f} ms", found.warm_ms < 50),
        ("process start to scores: under 1.5 s", start, cold < 1500),
        (f"in {MEMORY_MB} MB", f"{found.cold_peak_mb:.0f} MB", found.cold_peak_mb < MEMORY_MB),
        ("nine batches equal one pass", same, found.batches_equal),
        (
            "permuting slots permutes scores to 1e-6",
            f"{found.permutation:.1e}",
            found.permutation <= 1e-6,
        ),
    ]
    print("\n| demand | measured | holds |\n|---|---|---|")
    for what, measured, holds in rows:
        print(f"| {what} | {measured} | {'yes' if holds else 'no'} |")
    return all(holds for _, _, holds in rows)


def main() -> int:
    """Measure and print; 1 where a demand is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.runs)
    if options.json:
        options.json.write_text(json.dumps(asdict(found), indent=1))
    return 0 if report(found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
