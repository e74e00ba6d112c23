"""`trading train`: train the ensemble by hand, over this machine's cores or on SageMaker."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trading.cli.train_run import TrainOptions, run_train


class Where(StrEnum):
    """Where the jobs run."""

    LOCAL = "local"
    SAGEMAKER = "sagemaker"


def train_command(
    on: Annotated[Where, typer.Option("--on", help="Where the jobs run.")] = Where.LOCAL,
    bars: Annotated[
        list[Path] | None,
        typer.Option("--bars", help="Parquet or CSV files of real daily bars."),
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="A saved dataset (dataset.npz or its folder) instead.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Bars strictly before this day count."),
    ] = None,
    champion: Annotated[
        Path | None, typer.Option(help="A model folder to start from; local only.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder of jobs and model; the same one resumes.")
    ] = Path("trained"),
    processes: Annotated[
        int | None, typer.Option(min=1, help="Jobs at once (default: one a core); local only.")
    ] = None,
    tune: Annotated[
        int, typer.Option(min=0, help="Tune each algorithm by so many trials first.")
    ] = 0,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting, as training.seeds=[0,1,2]."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Train a model of every algorithm and seed, and make their ensemble.

    Without --bars and --dataset the market is simulated. Run again after an interruption, the same
    command resumes. On SageMaker the ensemble is entered into the model registry.
    """
    options = TrainOptions(
        remote=on is Where.SAGEMAKER,
        bars=tuple(bars or ()),
        dataset=dataset,
        as_of=as_of.date() if as_of else None,
        champion=champion,
        out=out,
        processes=processes,
        tune=tune,
        as_json=as_json,
    )
    return run_train(options, sets or ())
