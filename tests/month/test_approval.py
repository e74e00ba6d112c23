"""Approval by a person: what is kept and told, and how the decision gets back."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from trading.errors import ConflictError
from trading.month import approval
from trading.month.approval import ApprovalRequest, ask_approval, decide
from trading.month.payloads import MonthRun, Validated
from trading.month.resources import Resources

TOKEN = "a token that is nobody's business"
REQUEST = ApprovalRequest(
    month=MonthRun(
        month="2024-02",
        as_of=date(2024, 2, 1),
        run=1,
        execution="monthly-2024-02-r1",
        correlation_id="c",
    ),
    validated=Validated(
        passed=True,
        version="v1",
        challenger_prefix="p",
        baseline_prefix="",
        verdict_uri="s3://runs/verdict.json",
        reasons=("Sharpe ratio: 1.20",),
        approval_seconds=7200,
    ),
    token=TOKEN,
)


class States:
    """Step Functions, as far as a decision needs it."""

    def __init__(self, error: str | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self._error = error

    def send_task_success(self, **sent: Any) -> None:
        if self._error is not None:
            raise ClientError({"Error": {"Code": self._error, "Message": "no"}}, "SendTaskSuccess")
        self.sent.append(sent)


@pytest.fixture
def mailbox(aws: None) -> tuple[str, str]:
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic = sns.create_topic(Name="warnings")["TopicArn"]
    queue = sqs.create_queue(QueueName="operator")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:123456789012:operator"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, queue


@pytest.fixture
def asked(make_resources: Callable[..., Resources], mailbox: tuple[str, str]) -> Resources:
    resources = make_resources(TRADING_WARNING_TOPIC=mailbox[0], TRADING_ALERT_TOPIC=mailbox[0])
    ask_approval(REQUEST, resources)
    return resources


def test_the_operator_is_told_how_to_decide_and_not_the_token(
    asked: Resources, mailbox: tuple[str, str]
) -> None:
    (message,) = boto3.client("sqs").receive_message(QueueUrl=mailbox[1])["Messages"]
    told = json.loads(message["Body"])
    assert told["Subject"] == "Approval needed: challenger of 2024-02"
    assert "trading approve 2024-02" in told["Message"]
    assert "trading reject 2024-02" in told["Message"]
    assert "Sharpe ratio: 1.20" in told["Message"]
    assert TOKEN not in message["Body"]
    pending = asked.ledger.approvals.read("2024-02")
    assert pending is not None
    assert pending.ends_at - pending.asked_at == timedelta(hours=2)


@pytest.mark.parametrize("approved", [True, False])
def test_a_decision_goes_back_once(
    asked: Resources, monkeypatch: pytest.MonkeyPatch, approved: bool
) -> None:
    states = States()
    monkeypatch.setattr(approval.boto3, "client", lambda _service: states)
    assert decide("2024-02", approved=approved, reason="looked", resources=asked).version == "v1"
    (sent,) = states.sent
    assert sent["taskToken"] == TOKEN
    assert json.loads(sent["output"]) == {
        "by": "operator",
        "approved": approved,
        "reason": "looked",
    }
    with pytest.raises(ConflictError, match="nothing of 2024-02 waits"):
        decide("2024-02", approved=True, reason="again", resources=asked)


@pytest.mark.parametrize("error", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_decision_that_comes_too_late_says_so(
    asked: Resources, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    monkeypatch.setattr(approval.boto3, "client", lambda _service: States(error))
    with pytest.raises(ConflictError, match="waits no more"):
        decide("2024-02", approved=True, reason="late", resources=asked)


@pytest.mark.slow
def test_a_refused_call_is_no_late_decision(
    asked: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval.boto3, "client", lambda _service: States("AccessDenied"))
    with pytest.raises(ClientError, match="AccessDenied"):
        decide("2024-02", approved=True, reason="no rights", resources=asked)
    assert asked.ledger.approvals.read("2024-02") is not None
