"""What a home's policies grant, what was used and what was refused, in one table."""

import json
from pathlib import Path
from typing import Any

import pytest

from localcloud.__main__ import main
from localcloud.identity.audit_summary import OTHERS, RESOURCES, RoleAudit, audit_summary

ROLE = "arn:aws:sts::123456789012:assumed-role/score/score"
OPERATOR = "arn:aws:iam::123456789012:user/operator"
POLICY = {
    "Statement": [
        {
            "Sid": "Read",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "arn:aws:s3:::runs/*",
        },
        {"Sid": "Trace", "Effect": "Allow", "Action": "xray:PutTraceSegments", "Resource": "*"},
    ]
}
RESOURCES_DEPLOYED: dict[str, Any] = {
    "a": {
        "type": "aws:iam/rolePolicy:RolePolicy",
        "id": "score:inline",
        "shown": {"role": "score", "name": "inline", "policy": json.dumps(POLICY)},
    },
    "b": {
        "type": "aws:lambda/permission:Permission",
        "id": "score/rule",
        "shown": {
            "function": "score",
            "statementId": "rule",
            "action": "lambda:InvokeFunction",
            "principal": "events.amazonaws.com",
        },
    },
}


def decided(principal: str, action: str, statement: str | None) -> str:
    line = {
        "time": "2026-11-02T06:00:00.000+00:00",
        "principal": principal,
        "action": action,
        "resource": "arn:aws:s3:::runs/a",
        "decision": "allowed" if statement else "denied",
        "statement": statement,
    }
    return json.dumps(line) + "\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "deployment.json").write_text(json.dumps({"resources": RESOURCES_DEPLOYED}))
    lines = [
        decided(ROLE, "s3:GetObject", "score/inline#Read"),
        decided(ROLE, "s3:GetObject", "score/inline#Read"),
        decided(ROLE, "s3:DeleteObject", None),
        decided(OPERATOR, "s3:PutObject", "operator#All"),
    ]
    (tmp_path / "audit.jsonl").write_text("".join(lines))
    return tmp_path


def test_every_role_is_told_with_its_grants_and_calls(home: Path) -> None:
    found = audit_summary(home)
    # Of five patterns two were used, and the two of the trace cannot be on one machine.
    score = RoleAudit("score", allowed=2, denied=1, granted=5, used=2, explained=2)
    operator = RoleAudit(OTHERS, allowed=1)
    rule = RoleAudit(RESOURCES, granted=1)
    assert found.roles == (rule, score, operator)
    assert found.total == RoleAudit("", allowed=3, denied=1, granted=6, used=2, explained=2)
    assert found.sentence() == (
        "4 calls decided, 1 refused; of 6 grants 2 used, 2 unused for a written reason, "
        "2 for what has not been run here"
    )


def test_the_command_prints_a_table_and_plain_json(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "--home", str(home)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "role",
        "allowed",
        "denied",
        "granted",
        "used",
        "unused",
        "explained",
    ]
    assert lines[-1] == audit_summary(home).sentence()
    assert len({len(line) for line in lines[:4]}) == 1
    assert "denied: score s3:DeleteObject arn:aws:s3:::runs/a (1 times)" in lines
    assert main(["audit", "--home", str(home), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == audit_summary(home).to_dict()


def test_an_empty_home_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--home", str(tmp_path)]) == 1
    assert "run `trading month` first" in capsys.readouterr().out
