"""Run one engine in a process of its own and read what it measured."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case import Case, FloatArray
from benchmarks.peers import ROOT

PEERS = ("vectorbt", "bt", "backtrader")


class EngineError(Exception):
    """An engine failed or did not finish in time."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What a process answered.

    Attributes
    ----------
    cpu_seconds : the least of the measured runs, user and system time of all threads
    wall_seconds : the least; peak_mb, loaded_mb : resident memory at its highest, and after loading
    equity : (T,) USD at the close of each row; costs : (T,) USD, where the engine tells them
    """

    engine: str
    case: Case
    cpu_seconds: float
    all_cpu_seconds: tuple[float, ...]
    wall_seconds: float
    peak_mb: float
    loaded_mb: float
    load_seconds: float
    fills: int
    refused: int
    before_trading: bool
    final_equity: float
    notes: dict[str, float]
    equity: FloatArray
    costs: FloatArray | None

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the arrays, as plain JSON values."""
        fields = {
            name: value
            for name, value in vars(self).items()
            if name not in ("equity", "costs", "case")
        }
        return fields | {"case": asdict(self.case)}


def measure(
    engine: str,
    market: Path,
    case: Case,
    *,
    python: Path | None = None,
    runs: int = 1,
    warm: int = 0,
    timeout: float = 1800.0,
) -> Measured:
    """Run an engine on saved bars; `python` is the interpreter that has it (ours: this one).

    Raises `EngineError` if it fails or takes longer than `timeout` seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        command = [str(python or sys.executable), "-m", "benchmarks.worker", engine, str(market)]
        command += [str(out), "--case", json.dumps(case.to_dict())]
        command += ["--runs", str(runs), "--warm", str(warm)]
        path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
        environment = {**os.environ, "PYTHONPATH": path}
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            raise EngineError(f"{engine} did not finish within {timeout:.0f} s") from expired
        if done.returncode:
            raise EngineError(f"{engine} failed:\n{done.stderr.strip()[-3000:]}")
        figures = json.loads((out / "result.json").read_text())
        figures["all_cpu_seconds"] = tuple(figures["all_cpu_seconds"])
        costs = np.load(out / "costs.npy") if (out / "costs.npy").exists() else None
        equity = np.load(out / "equity.npy")
        return Measured(engine=engine, case=case, equity=equity, costs=costs, **figures)
