"""`trading cloud` before and after a deployment, and what it says where there is none."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from trading.cli import cloud_commands
from trading.cli.app import app

RUNNER = CliRunner()
TOLD: dict[str, Any] = {
    "command": "preview",
    **dict.fromkeys(("created", "replaced", "adopted", "retained"), 0),
    "restored": 2,
    "unchanged": 3,
    "updated": 1,
    "deleted": 1,
    "inert": 1,
    "inert_resources": [{"urn": "u", "action": "inert", "reason": "Nothing here costs money."}],
    "outputs": {"secret": "never shown"},
    "changes": [
        {"urn": "urn:pulumi:dev::trading::a$aws:iam/role:Role::r", "action": "restored"},
        {"urn": "urn:pulumi:dev::trading::a$aws:sqs/queue:Queue::q", "action": "deleted"},
        {
            "urn": "urn:pulumi:dev::trading::a$aws:lambda/function:Function::score",
            "action": "updated",
            "properties": [
                {"path": "timeout", "old": 60, "new": 90},
                {"path": "environment.variables.KEY", "old": "[secret]", "new": "[secret]"},
                {"path": "description", "old": None, "new": "x" * 200},
                {"path": "imageUri", "old": f"{'r' * 100}:one", "new": f"{'r' * 100}:two"},
            ],
        },
    ],
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    monkeypatch.setattr(cloud_commands.result, "width", 200)
    return tmp_path


def told(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> None:
    monkeypatch.setattr(cloud_commands, "_deployer", lambda *_: answer)


def test_a_preview_names_each_property_and_no_secret(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(monkeypatch, TOLD)
    shown = RUNNER.invoke(app, ["cloud", "preview"], standalone_mode=False)
    assert shown.return_value == 0
    assert "timeout: 60 → 90" in shown.output
    assert "KEY: [secret] → [secret]" in shown.output
    assert "description: none → " in shown.output
    assert "x" * 61 not in shown.output
    assert "imageUri: …rrrrrrrrrrr:one → …rrrrrrrrrrr:two" in shown.output
    assert "1 updated, 1 deleted; 5 stay as they are" in shown.output
    assert "1 not provisioned here: Nothing here costs money." in shown.output
    assert "aws:iam/role:Role" not in shown.output
    as_json = RUNNER.invoke(app, ["cloud", "preview", "--json"], standalone_mode=False)
    assert "never shown" not in as_json.output
    assert len(json.loads(as_json.output)["changes"]) == 3


def test_a_preview_of_no_change_says_so_by_its_code(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(monkeypatch, {**TOLD, "changes": TOLD["changes"][:1], "updated": 0, "deleted": 0})
    shown = RUNNER.invoke(app, ["cloud", "preview"], standalone_mode=False)
    assert shown.return_value == 3
    assert "nothing changes; 5 stay as they are" in shown.output


def test_nothing_is_destroyed_where_nothing_is_deployed(home: Path) -> None:
    assert RUNNER.invoke(app, ["cloud", "destroy"], standalone_mode=False).return_value == 3


def test_destroying_asks_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "simulated").mkdir()
    (home / "simulated" / "deployment.json").write_text("{}")
    asked: list[Any] = []

    def deployer(*given: Any) -> dict[str, Any]:
        asked.append(given[0])
        return {"deleted": 7, "retained": 1}

    monkeypatch.setattr(cloud_commands, "_deployer", deployer)
    refused = RUNNER.invoke(app, ["cloud", "destroy"], input="n\n", standalone_mode=False)
    assert refused.return_value != 0 or refused.exception is not None
    assert asked == []
    done = RUNNER.invoke(app, ["cloud", "destroy"], input="y\n", standalone_mode=False)
    assert done.return_value == 0
    assert "deleted 7 resources, kept 1" in done.output
    assert asked == ["destroy"]


def test_what_was_destroyed_is_shown_no_more(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "simulated").mkdir()
    (home / "simulated" / "deployment.json").write_text("{}")
    (home / "current").write_text("simulated")
    monkeypatch.setattr(cloud_commands, "_deployer", lambda *_: {"deleted": 7, "retained": 0})
    done = RUNNER.invoke(app, ["cloud", "destroy", "--yes"], standalone_mode=False)
    assert done.return_value == 0, done.output
    for command in (["models"], ["signals"], ["pause", "--reason", "x"], ["cloud", "destroy"]):
        assert RUNNER.invoke(app, command, standalone_mode=False).return_value == 3, command


@pytest.mark.slow
def test_a_fresh_home_is_previewed_and_destroyed_for_real(home: Path) -> None:
    shown = RUNNER.invoke(app, ["cloud", "preview", "--json"], standalone_mode=False)
    assert shown.return_value == 0, shown.output
    found = json.loads(shown.output)
    assert found["created"] > 100
    assert found["created"] == len(found["changes"])
    assert not (home / "simulated" / "deployment.json").exists()
    wrong = RUNNER.invoke(
        app, ["cloud", "preview", "--set", "training.folds=-1"], standalone_mode=False
    )
    assert "training.folds" in str(wrong.exception)
