"""How the command speaks: one JSON object on standard output, everything else for the eye."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

DONE, FAILED, MISUSE, NOTHING_TO_DO = 0, 1, 2, 3
console = Console(stderr=True, highlight=False)
result = Console(highlight=False)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, allow_nan=False) + "\n")


def percent(value: float | None, digits: int = 1) -> str:
    """Return a fraction as a percentage, or `no data`."""
    return "no data" if value is None else f"{value:.{digits}%}"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number, or `no data`."""
    return "no data" if value is None else f"{value:.{digits}f}"


def table(title: str, *columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table whose columns in `right` are right-aligned."""
    made = Table(title=title, title_justify="left", header_style="bold", title_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left")
    return made
