"""Commands made of a dataclass of options."""

from dataclasses import KW_ONLY, dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from trading.cli.options import DAY, AsJson, command


@dataclass(frozen=True)
class Common:
    _: KW_ONLY
    names: Annotated[tuple[str, ...], typer.Option("--name")] = ()
    files: tuple[Path, ...] = ()
    as_json: AsJson = False


@dataclass(frozen=True)
class Told(Common):
    first: Annotated[date, typer.Option("--from", formats=DAY)]
    last: Annotated[date | None, typer.Option(formats=DAY)] = None
    share: Annotated[float, typer.Option(min=0.0)] = 0.5


@pytest.fixture
def seen() -> list[Told]:
    return []


@pytest.fixture
def app(seen: list[Told]) -> typer.Typer:
    @command(Told)
    def told(options: Told) -> int:
        """Say what was told."""
        seen.append(options)
        return 0

    found = typer.Typer()
    found.command("told")(told)
    return found


def test_what_is_not_given_is_the_default_of_the_field(app: typer.Typer, seen: list[Told]) -> None:
    assert CliRunner().invoke(app, ["--from", "2024-02-29"]).exit_code == 0
    assert seen == [Told(first=date(2024, 2, 29))]


def test_dates_and_repeated_options_arrive_as_the_fields_have_them(
    app: typer.Typer, seen: list[Told]
) -> None:
    given = ["--from", "2024-01-02", "--last", "2024-03-01", "--name", "a", "--name", "b"]
    CliRunner().invoke(app, [*given, "--files", "x.csv", "--json", "--share", "0"])
    expected = Told(
        first=date(2024, 1, 2),
        last=date(2024, 3, 1),
        names=("a", "b"),
        files=(Path("x.csv"),),
        as_json=True,
        share=0.0,
    )
    assert seen == [expected]


@pytest.mark.parametrize("given", [[], ["--from", "soon"], ["--from", "2024-01-02", "--share=-1"]])
def test_misuse_does_not_reach_the_function(
    app: typer.Typer, seen: list[Told], given: list[str]
) -> None:
    assert CliRunner().invoke(app, given).exit_code == 2
    assert seen == []


def test_the_help_is_the_functions(app: typer.Typer) -> None:
    assert "Say what was told." in CliRunner().invoke(app, ["--help"]).output
