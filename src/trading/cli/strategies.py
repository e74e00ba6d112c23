"""`trading strategies`: which there are, what one takes, and how to begin a new one."""

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from trading.cli.options import AsJson
from trading.cli.output import DONE, console, print_json, result, table
from trading.errors import StrategyError
from trading.strategy.base import BaseStrategy, PanelStrategy
from trading.strategy.registry import REGISTRY, strategy_class
from trading.strategy.scaffold import scaffold

app = typer.Typer(help="Show the strategies, or begin a new one.", no_args_is_help=True)
BOUNDS = {
    "minimum": ">=",
    "exclusiveMinimum": ">",
    "maximum": "<=",
    "exclusiveMaximum": "<",
    "enum": "one of",
}


@app.command("list")
def list_strategies(as_json: AsJson = False) -> int:
    """List the strategies, built in and installed."""
    found = [_summary(cls) for cls in REGISTRY.available().values()]
    problems = REGISTRY.problems()
    if as_json:
        told = [{"name": p.name, "source": p.source, "reason": p.reason} for p in problems]
        print_json({"strategies": found, "problems": told})
        return DONE
    shown = table("Strategies", "name", "version", "trades", "what it does")
    for one in found:
        sides = "long" if one["long_only"] else "long and short"
        shown.add_row(one["name"], one["version"], sides, escape(one["summary"]))
    result.print(shown)
    for problem in problems:
        console.print(
            f"[yellow]left out:[/] {escape(f'{problem.name} ({problem.source}) {problem.reason}')}",
            soft_wrap=True,
        )
    return DONE


@app.command("show")
def show_strategy(
    name: Annotated[str, typer.Argument(help="A name from the list, or module:Class.")],
    as_json: AsJson = False,
) -> int:
    """Show a strategy and its parameters."""
    cls = strategy_class(name)
    described = _summary(cls) | {
        "documentation": inspect.getdoc(cls) or "",
        "parameters": _parameters(cls),
    }
    if as_json:
        print_json(described)
        return DONE
    result.print(f"[bold]{cls.name}[/] {escape(cls.version)}  ({escape(described['source'])})")
    result.print()
    result.print(described["documentation"], markup=False, soft_wrap=True)
    result.print()
    shown = table("Parameters", "name", "default", "bounds", "meaning", right=("default",))
    for one in described["parameters"]:
        cells = (one["name"], str(one["default"]), one["bounds"], one["description"])
        shown.add_row(*map(escape, cells))
    result.print(shown)
    return DONE


@app.command("new")
def new_strategy(
    name: Annotated[str, typer.Argument(help="As in my_strategy.")],
    into: Annotated[Path, typer.Option(help="Where the new folder goes.")] = Path(),
) -> int:
    """Write a new strategy as a package, with a test that passes."""
    if name in REGISTRY.names():
        raise StrategyError(f"there is a strategy {name} already; choose another name")
    files = scaffold(name, into)
    for path in files:
        result.print(str(path), markup=False, soft_wrap=True)
    console.print(f"now: cd {files[0].parent} && PYTHONPATH=src python -m pytest", markup=False)
    return DONE


def _summary(cls: type[BaseStrategy]) -> dict[str, Any]:
    return {
        "name": cls.name,
        "version": cls.version,
        "interface_version": cls.interface_version,
        "long_only": cls.long_only,
        "whole_panels": issubclass(cls, PanelStrategy),
        "source": f"{cls.__module__}:{cls.__qualname__}",
        "summary": (inspect.getdoc(cls) or "").partition("\n\n")[0].replace("\n", " "),
    }


def _parameters(cls: type[BaseStrategy]) -> list[dict[str, Any]]:
    schema = cls.parameters_type.model_json_schema()
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "type": field.get("type", "any"),
            "default": "required" if name in required else field.get("default"),
            "bounds": ", ".join(
                f"{sign} {_plain(field[key])}" for key, sign in BOUNDS.items() if key in field
            ),
            "description": field.get("description", ""),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _plain(bound: Any) -> str:
    return ", ".join(map(str, bound)) if isinstance(bound, list) else f"{bound:g}"
