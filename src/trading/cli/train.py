"""`trading train`: train the ensemble by hand, over this machine's cores or on SageMaker."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trading.cli.options import DAY, AsJson, BarFiles, command


class Where(StrEnum):
    """Where the jobs run."""

    LOCAL = "local"
    SAGEMAKER = "sagemaker"


@dataclass(frozen=True)
class TrainOptions:
    """The options of the command, as they were given."""

    on: Annotated[Where, typer.Option("--on", help="Where the jobs run.")] = Where.LOCAL
    bars: BarFiles = ()
    dataset: Annotated[
        Path | None, typer.Option(help="A saved dataset (dataset.npz or its folder) instead.")
    ] = None
    as_of: Annotated[
        date | None,
        typer.Option("--as-of", formats=DAY, help="Bars strictly before this day count."),
    ] = None
    champion: Annotated[
        Path | None, typer.Option(help="A model folder to start from; local only.")
    ] = None
    out: Annotated[
        Path, typer.Option("--out", help="Folder of jobs and model; the same one resumes.")
    ] = Path("trained")
    processes: Annotated[
        int | None, typer.Option(min=1, help="Jobs at once (default: one a core); local only.")
    ] = None
    tune: Annotated[
        int, typer.Option(min=0, help="Tune each algorithm by so many trials first.")
    ] = 0
    sets: Annotated[
        tuple[str, ...],
        typer.Option("--set", help="Change a setting, as training.seeds=[0,1,2]."),
    ] = ()
    as_json: AsJson = False

    @property
    def remote(self) -> bool:
        """Whether the jobs run on SageMaker."""
        return self.on is Where.SAGEMAKER


@command(TrainOptions)
def train_command(options: TrainOptions) -> int:
    """Train a model of every algorithm and seed, and make their ensemble.

    Without --bars and --dataset the market is simulated. Run again after an interruption, the same
    command resumes. On SageMaker the ensemble is entered into the model registry.
    """
    from trading.cli.train_run import run_train

    return run_train(options)
