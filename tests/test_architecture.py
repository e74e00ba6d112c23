"""The import rules of docs/architecture.md: one direction of travel, and a light serving path."""

import ast
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "trading"
OUTSIDE = {"functions", "stacks", "stackcheck", "localcloud", "streamlit_app"}
HEAVY = ["torch", "stable_baselines3", "finrl", "streamlit", "gymnasium", "numba"]
LAYERS = [
    {"errors", "market", "config", "logs", "compiled", "process_lock"},
    {"data"},
    {"universe"},
    {"features"},
    {"execution"},
    {"strategy"},
    {"risk"},
    {"backtest"},
    {"session"},
    {"agents"},
    {"signals"},
    {"evaluation"},
    {"notifications", "monitoring", "cost", "account"},
    {"month"},
    {"cli"},
]
# The training job makes the folds that the evaluation will judge by, and tuning judges its trials
# as the evaluation does.
ALLOWED_UPWARDS = {("agents/job.py", "evaluation"), ("agents/tuning.py", "evaluation")}
LEVEL = {package: level for level, packages in enumerate(LAYERS) for package in packages}
FILES = sorted(SOURCE.rglob("*.py"))


@cache
def imported_modules(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            found.add(node.module)
    return found


def test_the_tree_is_not_empty() -> None:
    assert len(FILES) > 30


def upward_imports(path: Path) -> list[str]:
    """Return the modules that a file of the domain imports and that lie above it."""
    relative = path.relative_to(SOURCE)
    package = relative.parts[0].removesuffix(".py")
    if package == "__init__":
        return []
    found = []
    for module in sorted(imported_modules(path)):
        parts = module.split(".")
        if parts[0] != "trading" or len(parts) < 2:
            continue
        if (str(relative), parts[1]) not in ALLOWED_UPWARDS and LEVEL[parts[1]] > LEVEL[package]:
            found.append(f"{relative} imports {module}")
    return found


def test_the_domain_imports_nothing_above_it() -> None:
    roots = {path: {name.split(".")[0] for name in imported_modules(path)} for path in FILES}
    assert {path: found & OUTSIDE for path, found in roots.items() if found & OUTSIDE} == {}


def test_imports_run_one_way() -> None:
    assert [line for path in FILES for line in upward_imports(path)] == []


def test_an_import_from_above_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    path = SOURCE / "market" / "bars.py"
    monkeypatch.setattr(f"{__name__}.imported_modules", lambda _: {"trading.cli.app", "localcloud"})
    assert upward_imports(path) == ["market/bars.py imports trading.cli.app"]
    with pytest.raises(AssertionError, match="localcloud"):
        test_the_domain_imports_nothing_above_it()


def test_the_serving_path_is_light() -> None:
    handlers = sorted(path.stem for path in (ROOT / "functions").glob("*.py"))
    handlers.remove("__init__")
    assert len(handlers) > 20
    # each is charged with what was not there before it
    script = (
        "import importlib, json, sys\nheavy = {}\n"
        f"for handler in {handlers!r}:\n"
        "    importlib.import_module(f'functions.{handler}')\n"
        f"    for name in {HEAVY!r}:\n"
        "        if name in sys.modules: heavy.setdefault(name, handler)\n"
        "print(json.dumps(heavy))"
    )
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
        "TRADING_IDEMPOTENCY_TABLE": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}


def test_every_domain_package_is_in_a_layer() -> None:
    packages = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert packages <= set(LEVEL)
