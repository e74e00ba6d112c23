"""`trading audit` on a home with a deployment, and the line of it that a month ends with."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from trading.cli import summary
from trading.cli.app import main
from trading.cli.audit import audit_summary
from trading.cli.home import Home
from trading.cli.summary import Outcome, print_summary, summary_json
from trading.month.payloads import Started

ROLE = "arn:aws:sts::123456789012:assumed-role/score/score"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cloud's home below a `$TRADING_HOME`: one call allowed, one refused."""
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    trading_home = Home.from_environment()
    trading_home.remember("simulated")
    cloud = trading_home.of("simulated")
    cloud.mkdir(parents=True, exist_ok=True)
    statement = {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    policy = json.dumps({"Statement": [statement]})
    shown = {"role": "score", "name": "inline", "policy": policy}
    entry = {"type": "aws:iam/rolePolicy:RolePolicy", "id": "score:inline", "shown": shown}
    (cloud / "deployment.json").write_text(json.dumps({"resources": {"a": entry}}))
    call = {"time": "2026-11-02T06:00:00.000+00:00", "principal": ROLE, "resource": "r"}
    allowed = {"action": "s3:GetObject", "decision": "allowed", "statement": "score/inline#Read"}
    denied = {"action": "s3:PutObject", "decision": "denied", "statement": None}
    lines = (json.dumps(call | told) + "\n" for told in (allowed, denied))
    (cloud / "audit.jsonl").write_text("".join(lines))
    return cloud


def succeed(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 0


def test_the_audit_is_told_by_role_by_call_and_by_what_is_unused(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    succeed("audit")
    told = capfd.readouterr().out.splitlines()
    assert told[1].split() == ["score", "1", "1", "2", "2", "0", "0"]
    assert "denied: score s3:PutObject r (1 times)" in told
    succeed("audit", "--calls", "--json")
    calls = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [call["decision"] for call in calls] == ["allowed", "denied"]
    succeed("audit", "--denied")
    assert "s3:PutObject" in capfd.readouterr().out
    succeed("audit", "--unused")
    assert capfd.readouterr().out == ""


def test_a_month_ends_with_its_audit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = audit_summary(home)
    assert audit is not None
    assert (audit["allowed"], audit["denied"], audit["used"]) == (1, 1, 2)
    started = Started(started=True, outcome="started", reason="r", month="2019-12", run=1)
    outcome = Outcome(started, "FAILED", "why", None, None, (), None, {}, None, audit)
    assert summary_json(outcome, None)["audit"] == audit
    console = Console(record=True, width=80, file=io.StringIO())
    monkeypatch.setattr(summary, "console", console)
    monkeypatch.setattr(summary, "result", console)
    print_summary(outcome, None)
    assert f"audit: {audit['sentence']}" in console.export_text()


def test_where_nothing_is_deployed_there_is_no_audit(tmp_path: Path) -> None:
    assert audit_summary(tmp_path) is None
