"""A release goes up only from an environment that runs it and has proved it."""

import json
import stat
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from trading.cli.app import main
from trading.month.ledger import Ledger, RunRecord

OUTPUTS = {"region": "us-east-1", "ledger_table": "trading-dev-ledger"}
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> "{folder}/calls"
case "$(basename "$0") $*" in
{cases}
esac
"""
Install = Callable[..., None]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        resource = boto3.resource("dynamodb", region_name="us-east-1")
        resource.create_table(
            TableName="trading-dev-ledger",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        yield Ledger("trading-dev-ledger", resource)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Stand-ins for git and pulumi that answer by their arguments and write down their calls."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def install(*, changed: str = "", drift: int = 0, up: int = 0) -> None:
        cases = [
            f"'git status --porcelain') printf '{changed}';;",
            "'git describe --tags --always') echo v1.4.0;;",
            f"'pulumi stack output --json --stack dev') echo '{json.dumps(OUTPUTS)}';;",
            f"'pulumi preview --expect-no-changes --stack dev') exit {drift};;",
            f"'pulumi up --stack staging'*) exit {up};;",
            "*) echo unexpected >&2; exit 9;;",
        ]
        for name in ("git", "pulumi"):
            file = tmp_path / name
            file.write_text(PROGRAM.format(folder=tmp_path, cases="\n".join(cases)))
            file.chmod(file.stat().st_mode | stat.S_IXUSR)

    return install


def run_of(ledger: Ledger, status: str) -> None:
    record = {"month": "2025-02", "as_of": date(2025, 2, 3), "run": 1, "status": status}
    ledger.claim_run(RunRecord.model_validate(record))


def promote(*more: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["promote", "staging", *more])
    return int(ended.value.code or 0)


def ring(name: str, *, actions: bool = True) -> None:
    watch = boto3.client("cloudwatch", region_name="us-east-1")
    watch.put_metric_alarm(
        AlarmName=name,
        ActionsEnabled=actions,
        Namespace="AWS/States",
        MetricName="ExecutionsFailed",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def test_a_proved_release_goes_up(
    aws: Ledger, programs: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_of(aws, "SUCCEEDED")
    programs()
    assert promote("--yes") == 0
    assert calls(tmp_path)[-1] == "pulumi up --stack staging --yes"
    assert "staging runs v1.4.0" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "answers", "told"),
    [
        ("SUCCEEDED", {"changed": " M a.py\\n"}, "1 changes that no commit holds"),
        ("SUCCEEDED", {"drift": 1}, "dev does not run this checkout (v1.4.0)"),
        ("FAILED", {}, "2025-02, is FAILED"),
        (None, {}, "no month has run in dev"),
    ],
    ids=["changed", "other release", "failed month", "no month"],
)
def test_what_is_not_proved_stays_where_it_is(
    aws: Ledger,
    programs: Install,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    status: str | None,
    answers: dict[str, object],
    told: str,
) -> None:
    if status is not None:
        run_of(aws, status)
    programs(**answers)
    assert promote("--yes") == 1
    assert told in " ".join(capsys.readouterr().err.split())
    assert not [call for call in calls(tmp_path) if call.startswith("pulumi up")]


def test_an_alarm_that_is_on_holds_the_release_back(
    aws: Ledger, programs: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_of(aws, "SUCCEEDED")
    programs()
    ring("trading-dev-month-failed")
    ring("trading-dev-day-missing", actions=False)
    ring("trading-prod-month-failed")
    assert promote("--yes") == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "trading-dev-month-failed" in told
    assert "trading-dev-day-missing" not in told
    assert "trading-prod" not in told
    assert not [call for call in calls(tmp_path) if call.startswith("pulumi up")]


def test_an_alarm_that_tells_nobody_holds_nothing_back(
    aws: Ledger, programs: Install, tmp_path: Path
) -> None:
    """Where the schedules are off, no day ever succeeds, and `day-missing` is on for good."""
    run_of(aws, "SUCCEEDED")
    programs()
    ring("trading-dev-day-missing", actions=False)
    assert promote("--yes") == 0
    assert calls(tmp_path)[-1] == "pulumi up --stack staging --yes"


def test_a_deployment_that_fails_is_a_failure(aws: Ledger, programs: Install) -> None:
    run_of(aws, "SUCCEEDED")
    programs(up=1)
    assert promote() == 1


def test_without_pulumi_it_says_what_it_needs(
    programs: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programs()
    (tmp_path / "pulumi").unlink()
    assert promote() == 2
    assert "needs git and the Pulumi CLI" in " ".join(capsys.readouterr().err.split())


def test_there_is_no_way_past_the_order(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["promote", "dev"])
    assert ended.value.code == 2
