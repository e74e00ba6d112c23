"""The import rules of docs/architecture.md: one direction of travel, and a light serving path."""

import ast
import json
import subprocess
import sys
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


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_the_domain_imports_nothing_above_it(path: Path) -> None:
    assert not {module.split(".")[0] for module in imported_modules(path)} & OUTSIDE


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_run_one_way(path: Path) -> None:
    relative = path.relative_to(SOURCE)
    package = relative.parts[0].removesuffix(".py")
    if package == "__init__":
        return
    for module in imported_modules(path):
        parts = module.split(".")
        if parts[0] != "trading" or len(parts) < 2:
            continue
        if (str(relative), parts[1]) in ALLOWED_UPWARDS:
            continue
        assert LEVEL[parts[1]] <= LEVEL[package], f"{relative} imports {module}, which lies above"


@pytest.mark.parametrize(
    "module",
    [
        f"functions.{path.stem}"
        for path in sorted((ROOT / "functions").glob("*.py"))
        if path.stem != "__init__"
    ],
)
def test_the_serving_path_is_light(module: str) -> None:
    script = (
        f"import json, sys; import {module};"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
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
    assert json.loads(done.stdout) == []


def test_every_domain_package_is_in_a_layer() -> None:
    packages = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert packages <= set(LEVEL)
