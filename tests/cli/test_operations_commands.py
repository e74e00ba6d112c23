"""The operator's commands where there is nothing to operate on, and the way to a deployment."""

import json
import shlex
from pathlib import Path

import pytest

from trading.cli.app import main
from trading.cli.cloud import NAMES_OF_OUTPUTS
from trading.month.payloads import StartRequest

OUTPUTS = {
    **{output: f"the {output}" for output in NAMES_OF_OUTPUTS.values()},
    "environment": "prod",
    "region": "eu-west-1",
}


def code_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.fixture(autouse=True)
def fresh_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TRADING_LEDGER_TABLE", raising=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("pause", "--reason", "x"),
        ("resume",),
        ("approve", "2025-02", "--reason", "x"),
        ("reject", "2025-02", "--reason", "x"),
        ("redrive",),
    ],
    ids=lambda arguments: arguments[0],
)
def test_where_no_month_has_run_there_is_nothing_to_do(arguments: tuple[str, ...]) -> None:
    assert code_of(*arguments) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("redrive", "2025-13"),
        ("approve", "March", "--reason", "x"),
        ("reject", "2025-3", "--reason", "x"),
        ("withdraw", "2025-02-01", "--reason", "x"),
        ("signals", "last"),
        ("lineage", "AAA", "--month", "2025"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_is_no_month_is_refused(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(*arguments) == 2
    assert "give one as YYYY-MM" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("command", ["pause", "approve", "reject"])
def test_a_reason_is_asked_for(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(command, *(["2025-02"] if command != "pause" else [])) == 2
    assert "--reason" in capsys.readouterr().err


def test_exports_name_the_deployment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(OUTPUTS | {"functions": {}}))
    assert code_of("exports", str(file)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "export TRADING_LEDGER_TABLE='the ledger_table'" in lines
    assert "export TRADING_ENVIRONMENT=prod" in lines
    assert "export AWS_DEFAULT_REGION=eu-west-1" in lines
    assert all(line.startswith("export ") for line in lines)


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "not JSON"), ("[]", "missing every one"), ('{"region": "x"}', "missing data_store")],
    ids=["empty", "a list", "incomplete"],
)
def test_other_outputs_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(text)
    assert code_of("exports", str(file)) == 2
    assert told in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("options", "event"),
    [
        ((), {"as_of": "2025-02-03"}),
        (
            ("--exclude", "BRK B", "--exclude", "O'X", "--skip-training"),
            {
                "as_of": "2025-02-03",
                "exclude": ["BRK B", "O'X"],
                "overrides": {"skip_training": True},
            },
        ),
    ],
    ids=["plain", "by hand"],
)
def test_no_month_runs_here_while_the_shell_names_a_deployment(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    event: dict[str, object],
) -> None:
    """It would succeed on the embedded cloud, and the deployment would have no signals."""
    monkeypatch.setenv("TRADING_LEDGER_TABLE", "trading-prod-ledger")
    monkeypatch.setenv("TRADING_ENVIRONMENT", "prod")
    assert code_of("month", "--as-of", "2025-02-03", *options) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "TRADING_LEDGER_TABLE is trading-prod-ledger" in said
    assert "`unset TRADING_LEDGER_TABLE`" in said
    call = shlex.split(said.partition("start the month there with `")[2].partition("`")[0])
    assert call[:5] == ["aws", "lambda", "invoke", "--function-name", "trading-prod-start-month"]
    payload = call[call.index("--payload") + 1]
    assert json.loads(payload) == event
    assert StartRequest.model_validate_json(payload).as_of is not None
    assert not (tmp_path / "home").exists()
