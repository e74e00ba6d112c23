"""`trading evaluate`: its options; the work is in `evaluate_run`, imported when it is asked for."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from trading.cli.options import DAY, AsJson, BarFiles, ReportFile, Sets, command


@dataclass(frozen=True)
class EvaluateOptions:
    """The options of the command, as they were given."""

    bars: BarFiles = ()
    benchmark: Annotated[Path | None, typer.Option(help="Bars of the index to compare with.")] = (
        None
    )
    as_of: Annotated[
        date | None,
        typer.Option("--as-of", formats=DAY, help="Bars strictly before this day count."),
    ] = None
    model: Annotated[
        Path | None, typer.Option(help="A model folder: its folds are evaluated, nothing trained.")
    ] = None
    champion: Annotated[
        Path | None,
        typer.Option(help="A folder of --save: its out-of-sample scores are the champion's."),
    ] = None
    factor: Annotated[
        str | None, typer.Option(help="A feature to evaluate instead; -NAME turns its sign.")
    ] = None
    trials: Annotated[
        int | None, typer.Option(min=1, help="Recipes that were tried on these months, in all.")
    ] = None
    trials_from: Annotated[
        Path | None, typer.Option(help="Folder of a tuning: its trials are counted.")
    ] = None
    cross_validate: Annotated[
        bool,
        typer.Option(
            "--cross-validate", help="Also combinatorial purged cross-validation (trains more)."
        ),
    ] = False
    checkpoints: Annotated[
        Path | None, typer.Option(help="Folder of finished fits: an interrupted run resumes.")
    ] = None
    report: ReportFile = None
    output: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None
    save: Annotated[
        Path | None,
        typer.Option(help="Keep the trained model, its scores and card in this folder."),
    ] = None
    sets: Sets = ()
    as_json: AsJson = False


@command(EvaluateOptions)
def evaluate_command(options: EvaluateOptions) -> int:
    """Judge a recipe out of sample, as the month's Validate does, and report on it.

    Without --model or --factor the recipe of the settings is trained, one fit a fold. Exit code 0
    whatever the verdict: `passed` in the JSON says it.
    """
    from trading.cli.evaluate_run import run_evaluate

    return run_evaluate(options)
