import json
import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from trading.cli.app import main
from trading.errors import StrategyError
from trading.strategy.registry import GROUP, Registry
from trading.strategy.scaffold import scaffold

ROOT = Path(__file__).parents[2]


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        main(["strategies", *arguments])
    told = capsys.readouterr()
    return exit_.value.code, told.out, told.err


def python(folder, *arguments):
    environment = os.environ | {"PYTHONPATH": f"{folder / 'src'}:{ROOT / 'src'}"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_list_names_every_strategy(capsys):
    code, out, _ = run(capsys, "list", "--json")
    told = json.loads(out)

    assert code == 0
    found = {one["name"]: one for one in told["strategies"]}
    assert {"momentum", "mean_reversion", "trend_following", "stat_arbitrage"} <= set(found)
    assert found["stat_arbitrage"]["long_only"] is False
    assert found["momentum"]["source"] == "trading.strategy.momentum:Momentum"
    assert run(capsys, "list")[0] == 0


def test_show_tells_parameters_with_their_bounds(capsys):
    code, out, _ = run(capsys, "show", "trend_following", "--json")
    told = json.loads(out)

    assert code == 0
    assert told["parameters"][0] == {
        "name": "short_ma",
        "type": "integer",
        "default": 20,
        "bounds": ">= 1, <= 2520",
        "description": "Bars in the short moving average.",
    }
    assert "Brock" in told["documentation"]
    code, out, _ = run(capsys, "show", "finrl_signals")
    assert code == 0
    assert "one of weight, confidence" in " ".join(out.split())


def test_an_unknown_strategy_fails_in_one_sentence(capsys):
    code, out, err = run(capsys, "show", "nothing")

    assert (code, out) == (1, "")
    assert "there is no strategy 'nothing'; known: " in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_new_strategy_passes_its_test_and_is_found(capsys, tmp_path):
    code, out, _ = run(capsys, "new", "slow_rise", "--into", str(tmp_path))
    folder = tmp_path / "slow_rise"

    assert code == 0
    assert sorted(out.split()) == sorted(str(p) for p in folder.rglob("*") if p.is_file())
    tested = python(folder, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "4 passed" in tested.stdout
    shown = python(
        folder,
        "-c",
        "from trading.cli import main; main()",
        "strategies",
        "show",
        "slow_rise.strategy:SlowRise",
        "--json",
    )
    assert json.loads(shown.stdout)["name"] == "slow_rise", shown.stderr


def test_a_new_strategy_follows_the_house_rules(tmp_path):
    scaffold("slow_rise", tmp_path)

    for tool in (["ruff", "check"], ["ruff", "format", "--check"]):
        checked = subprocess.run(
            [sys.executable, "-m", *tool, "--config", ROOT / "pyproject.toml", "slow_rise/src"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stdout


def test_an_installed_strategy_is_found_by_its_entry_point(tmp_path, monkeypatch):
    import tomllib

    scaffold("slow_rise", tmp_path)
    source = tmp_path / "slow_rise" / "src"
    project = tomllib.loads((tmp_path / "slow_rise" / "pyproject.toml").read_text())["project"]
    # What an installer writes of the project's metadata.
    installed = source / "slow_rise-0.1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    ((name, value),) = project["entry-points"][GROUP].items()
    (installed / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {value}\n")
    monkeypatch.syspath_prepend(source)
    points = [
        point
        for distribution in distributions(path=[str(source)])
        for point in distribution.entry_points
    ]

    registry = Registry({}, lambda: points)

    assert registry.strategy_class("slow_rise").__name__ == "SlowRise"
    assert registry.problems() == ()


@pytest.mark.parametrize("name", ["", "Bad", "1st", "a-b", "class", "../up", "trading", "ünï"])
def test_a_name_that_python_would_not_take_is_refused(tmp_path, name):
    with pytest.raises(StrategyError, match="cannot name a strategy"):
        scaffold(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["numpy", "random", "pytest"])
def test_a_name_that_would_hide_a_module_is_refused(tmp_path, name):
    with pytest.raises(StrategyError, match=f"{name} is a Python module already"):
        scaffold(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over_and_no_name_is_taken_twice(capsys, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(StrategyError, match="is there already"):
        scaffold("mine", tmp_path)
    code, _, err = run(capsys, "new", "momentum", "--into", str(tmp_path))
    assert code == 1
    assert "there is a strategy momentum already" in err
