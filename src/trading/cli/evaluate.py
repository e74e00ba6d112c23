"""`trading evaluate`: options in, one function called, an exit code out."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from trading.cli.evaluate_run import EvaluateOptions, run_evaluate
from trading.errors import ConfigurationError

Bars = Annotated[
    list[Path] | None,
    typer.Option("--bars", help="Parquet or CSV files of real daily bars (default: simulated)."),
]


def evaluate_command(
    bars: Bars = None,
    benchmark: Annotated[
        Path | None, typer.Option(help="Bars of the index to compare with.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Bars strictly before this day count."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="A model folder: its folds are evaluated, nothing trained.")
    ] = None,
    factor: Annotated[
        str | None, typer.Option(help="A feature to evaluate instead; -NAME turns its sign.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Recipes that were tried on these months, in all.")
    ] = None,
    trials_from: Annotated[
        Path | None, typer.Option(help="Folder of a tuning: its trials are counted.")
    ] = None,
    cross_validate: Annotated[
        bool,
        typer.Option(
            "--cross-validate", help="Also combinatorial purged cross-validation (trains more)."
        ),
    ] = False,
    checkpoints: Annotated[
        Path | None, typer.Option(help="Folder of finished fits: an interrupted run resumes.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report as one HTML page.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None,
    save: Annotated[
        Path | None, typer.Option(help="Keep the trained model and its card in this folder.")
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting, as in training.folds=5; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Judge a recipe out of sample, as the month's Validate does, and report on it.

    Without --model or --factor the recipe of the settings is trained, one fit a fold. Exit code 0
    whatever the verdict: `passed` in the JSON says it.
    """
    if model is not None and factor is not None:
        raise ConfigurationError("--model and --factor exclude each other; give one of them")
    if save is not None and (model is not None or factor is not None):
        raise ConfigurationError("--save keeps a trained model; leave out --model and --factor")
    if trials is not None and trials_from is not None:
        raise ConfigurationError("--trials and --trials-from exclude each other; give one of them")
    return run_evaluate(
        EvaluateOptions(
            bars=tuple(bars or ()),
            benchmark=benchmark,
            as_of=as_of.date() if as_of else None,
            model=model,
            factor=factor,
            trials=trials,
            trials_from=trials_from,
            cross_validate=cross_validate,
            checkpoints=checkpoints,
            report=report,
            output=output,
            save=save,
            as_json=as_json,
        ),
        tuple(sets or ()),
    )
