"""Commands made of a dataclass of options, and the options that several commands have."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import typer

Options = TypeVar("Options")

DAY = ["%Y-%m-%d"]
SETTING = typer.Option("--set", help="Change a setting, as in training.folds=5; may be repeated.")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
BarFiles = Annotated[
    tuple[Path, ...],
    typer.Option("--bars", help="Parquet or CSV files of real daily bars (default: simulated)."),
]
ReportFile = Annotated[Path | None, typer.Option(help="Write the report as one HTML page.")]
Sets = Annotated[tuple[str, ...], SETTING]
SetList = Annotated[list[str] | None, SETTING]

# What is traded: of `trading backtest` and `trading run`.
Strategies = Annotated[
    str,
    typer.Argument(
        metavar="strategy",
        help="A strategy, or several with their shares of the capital: "
        "momentum:0.5,trend_following:0.5. module:Class names one that is not installed.",
    ),
]
UniverseChoice = Annotated[
    str, typer.Option(help="all, top100 (most traded before the start), A,B,C or a file.")
]
Parameters = Annotated[
    tuple[str, ...],
    typer.Option("--param", help="name=value, or strategy.name=value; may be repeated."),
]
SectorFile = Annotated[
    Path | None,
    typer.Option(help="CSV with the columns symbol and sector, for risk.max_sector."),
]
SizerName = Annotated[str | None, typer.Option(help="Position sizer.")]
SizerParameters = Annotated[
    tuple[str, ...], typer.Option("--sizer-param", help="name=value; may be repeated.")
]
TradingSets = Annotated[
    tuple[str, ...],
    typer.Option("--set", help="Change a setting, as in execution.account=margin or risk.…"),
]


def command(
    options: type[Options],
) -> Callable[[Callable[[Options], int]], Callable[..., int]]:
    """Make a Typer command of a function of one frozen dataclass of options.

    Each field is an option: its annotation holds the `typer.Option`, and its default stands where
    the option is not given. A field of `date` is read as YYYY-MM-DD, one of `tuple[X, ...]` may be
    given again and again. The function's docstring is the command's help.
    """

    def decorate(run: Callable[[Options], int]) -> Callable[..., int]:
        def called(**given: Any) -> int:
            told = {name: _read(value) for name, value in given.items() if value is not None}
            return run(options(**told))

        parameters = _parameters(options)
        called.__name__, called.__doc__ = run.__name__, run.__doc__
        called.__annotations__ = {one.name: one.annotation for one in parameters}
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return called

    return decorate


def _parameters(options: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(options, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty
            if field.default is MISSING
            else (None if field.default == () else field.default),
            annotation=_spoken(hints[field.name]),
        )
        for field in fields(options)
    ]


def _spoken(hint: Any) -> Any:
    """Return the annotation that Typer knows of a field's."""
    if get_origin(hint) is Annotated:
        kind, *extras = get_args(hint)
        return Annotated[(_spoken(kind), *extras)]
    if get_origin(hint) is tuple:
        return list[get_args(hint)[0]] | None  # type: ignore[misc]
    if date in (hint, *get_args(hint)):
        return datetime if hint is date else datetime | None
    return hint


def _read(value: Any) -> Any:
    """Return what the dataclass holds of what Typer answers."""
    if isinstance(value, list):
        return tuple(value)
    return value.date() if isinstance(value, datetime) else value
