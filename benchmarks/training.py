"""Training nine models on ten years of 3,600 slots: `python -m benchmarks.training`.

Each job is a process, as in production: PPO, A2C or SAC with one seed, a fit for each walk-forward
fold and the final refit, by `agents.recipe.train_recipe` at the default settings. `--processes` run
at a time. Printed are CPU-seconds and memory of every job, the time that nine take on two cores,
and what that means for one ml.m5.2xlarge.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

from trading.config import Algorithm, Settings  # noqa: E402
from trading.features.dataset import Dataset  # noqa: E402
from trading.features.specification import CONTEXT, FEATURES, FEATURES_VERSION  # noqa: E402

YEARS, SESSIONS_A_YEAR = 10, 252
SLOTS, ELIGIBLE = 3600, 3000
SEEDS = 3
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
CORES, INSTANCE_CPUS, INSTANCE_CORES = 2, 8, 4
MINUTES_LIMIT, MEMORY_LIMIT_GB = 45.0, 8.0


@dataclass(frozen=True)
class Job:
    """What one training job took.

    Attributes
    ----------
    name : `<algorithm>-s<seed>`
    cpu_seconds : of the whole process, imports and reading the dataset included
    wall_seconds : the same by the clock, which other work on the machine stretches
    peak_mb : largest resident memory, 1e6 bytes
    """

    name: str
    cpu_seconds: float
    wall_seconds: float
    peak_mb: float


def ten_years(phases: int, seed: int = 0) -> Dataset:
    """Return a dataset of the size of ten years of the product's; its values are noise.

    What a training costs does not depend on what there is to learn.
    """
    random = np.random.default_rng(seed)
    sessions = np.busday_offset(np.datetime64("2015-01-02"), np.arange(YEARS * SESSIONS_A_YEAR))
    rows = np.unique(np.linspace(2, len(sessions) - 3, YEARS * 12 * phases).astype(np.int64))
    count = len(rows)
    eligible = np.zeros((count, SLOTS), dtype=bool)
    eligible[:, :ELIGIBLE] = True
    shape = (count, SLOTS, len(FEATURES))
    noise = random.standard_normal((len(sessions), SLOTS), dtype=np.float32)
    market = random.standard_normal((len(sessions), 1), dtype=np.float32)
    return Dataset(
        as_of=(sessions[-1] + 1).astype(object),
        sessions=sessions,
        symbols=tuple(f"S{slot:04d}" for slot in range(SLOTS)),
        active=eligible[-1].copy(),
        decisions=rows,
        phases=(np.arange(count) % phases).astype(np.int8),
        features=random.random(shape, dtype=np.float32) * np.float32(2.0) - np.float32(1.0),
        context=random.standard_normal((count, len(CONTEXT)), dtype=np.float32),
        eligible=eligible,
        returns=0.02 * noise + 0.01 * market,
        dollar_volume=np.full((count, SLOTS), 5e6, dtype=np.float32),
        volatility=np.full((count, SLOTS), 0.02, dtype=np.float32),
        data_hash="benchmark",
        slots_version="benchmark",
        features_version=FEATURES_VERSION,
    )


def run_job(member: tuple[Algorithm, int], folder: Path, settings: Settings) -> Job:
    """Train one member in this process and return what it took."""
    from trading.agents.job import plan_fits
    from trading.agents.recipe import Recipe, train_recipe

    algorithm, seed = member
    started = time.perf_counter()
    dataset = Dataset.load(folder)
    train_recipe(dataset, Recipe(algorithm, seed, settings, plan_fits(dataset, settings)))
    own = resource.getrusage(resource.RUSAGE_SELF)
    peak = own.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    wall = time.perf_counter() - started
    return Job(f"{algorithm}-s{seed}", own.ru_utime + own.ru_stime, wall, peak)


def report(jobs: list[Job], seeds: int, processes: int) -> bool:
    """Print the tables; tell whether the demands hold."""
    print("| job | CPU-s | wall s | peak MB |\n|---|---|---|---|")
    for job in sorted(jobs, key=lambda job: job.name):
        print(
            f"| {job.name} | {job.cpu_seconds:.0f} | {job.wall_seconds:.0f} | {job.peak_mb:.0f} |"
        )
    scale = SEEDS / seeds
    total = scale * sum(job.cpu_seconds for job in jobs)
    slowest = max(job.cpu_seconds for job in jobs)
    minutes = max(total / CORES, slowest) / 60.0
    peaks = sorted((job.peak_mb for job in jobs), reverse=True)
    memory = sum((peaks * CORES)[:CORES]) / 1e3
    models = len(ALGORITHMS) * SEEDS
    how = "measured" if seeds == SEEDS else f"from {seeds} seed(s), times {scale:g}"
    print(f"\nnine models: {total:.0f} CPU-seconds ({how}; {processes} at a time)")
    print(f"on {CORES} cores of their own: {minutes:.1f} minutes (demanded: {MINUTES_LIMIT:g})")
    print(f"two jobs side by side: {memory:.2f} GB (demanded: {MEMORY_LIMIT_GB:g})")
    shared = max(total / INSTANCE_CORES, slowest) / 60.0
    print(
        f"ml.m5.2xlarge, estimated ({INSTANCE_CPUS} vCPU taken as {INSTANCE_CORES} cores like "
        f"these, not measured there): {slowest / 60:.1f} minutes with a job an instance, "
        f"{shared:.1f} with all {models} on one"
    )
    return minutes < MINUTES_LIMIT and memory < MEMORY_LIMIT_GB


def main(arguments: list[str] | None = None) -> int:
    """Run the jobs; ends with 1 when a demand is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="fewer are extrapolated, and said")
    parser.add_argument("--processes", type=int, default=CORES)
    given = parser.parse_args(arguments)
    settings = Settings()
    jobs: list[Job] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ten_years(settings.training.phases).save(folder)
        members = [(algorithm, seed) for seed in range(given.seeds) for algorithm in ALGORITHMS]
        # A process a job: its imports and its peak of memory are its own.
        with ProcessPoolExecutor(
            given.processes, mp_context=get_context("spawn"), max_tasks_per_child=1
        ) as pool:
            run = partial(run_job, folder=folder, settings=settings)
            for done in as_completed([pool.submit(run, member) for member in members]):
                jobs.append(done.result())
                print(f"{jobs[-1].name} is trained", file=sys.stderr, flush=True)
    return 0 if report(jobs, given.seeds, given.processes) else 1


if __name__ == "__main__":
    sys.exit(main())
