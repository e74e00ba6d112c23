"""Training jobs as processes over the cores: the same entry point and contract as on AWS.

Each job has a folder of its own below `folder/jobs/<member>`, which is its `/opt/ml`. A run that
was stopped is resumed by running it again: a job whose model is there is not run, and one that was
interrupted goes on from the fits that it had finished.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trading.agents.artifact import MANIFEST, Artifact, merge
from trading.agents.revision import training_revision
from trading.config import Algorithm, Settings
from trading.errors import ModelError
from trading.features.dataset import Dataset

STOP_SECONDS = 20.0
ROOT_VARIABLE = "TRADING_ML_ROOT"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
ENTRY_POINT = (sys.executable, "-m", "trading.agents.job")
Progress = Callable[[str, float, str], None]
"""Told the member, the fraction of its job that is done, and the fit that it is at."""


@dataclass(frozen=True)
class JobPlan:
    """One training job.

    Attributes
    ----------
    algorithm, seed : which member of the ensemble
    settings : the whole configuration; the job is told what deviates from the defaults
    """

    algorithm: Algorithm
    seed: int
    settings: Settings

    @property
    def member(self) -> str:
        """The member's name: `<algorithm>-s<seed>`."""
        return f"{self.algorithm}-s{self.seed}"

    def hyperparameters(self) -> dict[str, str]:
        """Return what the job's entry point reads, strings all, as SageMaker hands them over."""
        return {
            "algorithm": self.algorithm,
            "seed": str(self.seed),
            "settings": json.dumps(self.settings.deviations(), sort_keys=True),
            "code_revision": training_revision(),
        }


def plan_jobs(settings: Settings) -> tuple[JobPlan, ...]:
    """Return a job for every algorithm and seed of `settings.training`."""
    return tuple(
        JobPlan(algorithm, seed, settings)
        for algorithm in settings.training.algorithms
        for seed in settings.training.seeds
    )


def train_locally(
    dataset: Dataset,
    plans: Sequence[JobPlan],
    folder: Path,
    *,
    champion: Path | None = None,
    processes: int | None = None,
    progress: Progress = lambda *_: None,
) -> Artifact:
    """Run the jobs over the cores and return the ensemble of their models.

    Parameters
    ----------
    dataset : what all of them learn from
    folder : where the jobs work; kept, so that a second call resumes
    champion : model folder to start from; None to start without
    processes : jobs at once; one a usable core by default
    progress : told of every job how far it is; called from several threads

    Raises
    ------
    ModelError
        A job failed; the others are stopped. The sentence is the job's own.
    """
    shared = folder / "datasets" / dataset.content_hash[:16]
    if not (shared / "dataset.npz").is_file():
        dataset.save(shared)
    at_once = processes or len(os.sched_getaffinity(0))
    stop = threading.Event()
    jobs = [_Job(plan, folder / "jobs" / plan.member, shared, champion, stop) for plan in plans]
    with ThreadPoolExecutor(max_workers=min(at_once, max(len(jobs), 1))) as pool:
        running = [pool.submit(job.run, progress) for job in jobs]
        try:
            artifacts = _results(running)
        except BaseException:
            stop.set()
            raise
    return merge(artifacts)


def _results(running: Sequence["Future[Artifact]"]) -> list[Artifact]:
    """Wait for all; the first failure is raised at once."""
    pending = list(running)
    while pending:
        for future in [one for one in pending if one.done()]:
            future.result()
            pending.remove(future)
        time.sleep(0.05)
    return [future.result() for future in running]


@dataclass(frozen=True)
class _Job:
    """One process and its folder."""

    plan: JobPlan
    root: Path
    dataset: Path
    champion: Path | None
    stop: threading.Event

    def run(self, progress: Progress) -> Artifact:
        """Return the job's model, trained now or by an earlier call."""
        member = self.plan.member
        asked = self._asked()
        finished = self._finished(asked)
        if finished is not None:
            progress(member, 1.0, "finished before")
            return finished
        self._lay_out(asked)
        code = self._run_process(progress)
        if self.stop.is_set():
            raise ModelError(f"{member} was stopped; run the same again to resume")
        if code != 0:
            raise ModelError(f"{member} failed: {self._failure(code)}")
        (self.root / "asked.json").write_text(json.dumps(asked, sort_keys=True))
        progress(member, 1.0, "finished")
        return Artifact.load(self.root / "model")

    def _asked(self) -> dict[str, str]:
        started = "none" if self.champion is None else Artifact.load(self.champion).manifest.version
        return {**self.plan.hyperparameters(), "dataset": self.dataset.name, "champion": started}

    def _finished(self, asked: Mapping[str, str]) -> Artifact | None:
        """Return the model of an earlier call of exactly the same job."""
        try:
            before = json.loads((self.root / "asked.json").read_text())
        except (OSError, json.JSONDecodeError):
            return None
        whole = before == asked and (self.root / "model" / MANIFEST).is_file()
        return Artifact.load(self.root / "model") if whole else None

    def _lay_out(self, asked: Mapping[str, str]) -> None:
        """Make the folders that the container finds; checkpoints of an earlier call stay."""
        for part in ("input", "model", "output"):
            shutil.rmtree(self.root / part, ignore_errors=True)
        (self.root / "asked.json").unlink(missing_ok=True)
        config, data = self.root / "input/config", self.root / "input/data"
        config.mkdir(parents=True)
        data.mkdir(parents=True)
        (config / "hyperparameters.json").write_text(json.dumps(dict(asked)))
        (data / "training").symlink_to(self.dataset.resolve(), target_is_directory=True)
        if self.champion is not None:
            (data / "champion").symlink_to(self.champion.resolve(), target_is_directory=True)

    def _run_process(self, progress: Progress) -> int:
        """Run the entry point to its end, or until all are to stop; return its exit status."""
        with (self.root / "job.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [*ENTRY_POINT, "train"],
                env={**os.environ, **ONE_THREAD, ROOT_VARIABLE: str(self.root)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        watcher = threading.Thread(target=self._stop_on_demand, args=(process,), daemon=True)
        watcher.start()
        with process:
            for line in process.stdout or ():
                _tell(line, self.plan.member, progress)
        return process.returncode

    def _stop_on_demand(self, process: "subprocess.Popen[str]") -> None:
        while process.poll() is None:
            if self.stop.wait(0.1):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                return

    def _failure(self, code: int) -> str:
        try:
            return (self.root / "output/failure").read_text(encoding="utf-8")
        except OSError:
            return f"its process ended with {code}; see {self.root / 'job.log'}"


def _tell(line: str, member: str, progress: Progress) -> None:
    """Pass on a progress line; others are the job's own talk."""
    try:
        said = json.loads(line)
    except json.JSONDecodeError:
        return
    if isinstance(said, dict) and said.get("event") == "progress":
        progress(member, float(said["fraction"]), str(said["stage"]))
