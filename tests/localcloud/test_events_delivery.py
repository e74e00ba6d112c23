"""Events reach their targets: functions, queues, topics, by rule, schedule, mail and Invoke."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from typing import Any

import pytest
from botocore.exceptions import ClientError
from small_cloud import (
    FORKED,
    ROLE,
    create_function,
    forget_everything,
    small_cloud,
    write_handlers,
)

from localcloud import events, lambdas
from localcloud.context import ACCOUNT, REGION, CloudContext
from localcloud.events.service import EventService
from localcloud.mail import AcceptedMail

HANDLERS = """
    import json, os, pathlib

    def note(event, context):
        with open(os.environ["NOTES"], "a") as file:
            file.write(json.dumps(event) + "\\n")
        return {"noted": True}

    def fail(event, context):
        with open(os.environ["NOTES"], "a") as file:
            file.write(json.dumps(event) + "\\n")
        raise ValueError("not today")
"""
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
RETRY_DELAYS = (0.05, 0.05)


@pytest.fixture(scope="module")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudContext]:
    with small_cloud(tmp_path_factory.mktemp("events")) as context:
        lambdas.install(context, preloaded=FORKED)
        context.service = events.install(context, retry_delays=RETRY_DELAYS)
        write_handlers(context, "notes", HANDLERS)
        yield context


@pytest.fixture
def cloud(shared_cloud: CloudContext) -> CloudContext:
    """Return the cloud without the resources, notes and mails of the test before."""
    forget_everything(shared_cloud)
    for path in (*shared_cloud.home.glob("*.notes"), *shared_cloud.home.rglob("*.eml")):
        path.unlink()
    return shared_cloud


def services(cloud: CloudContext) -> EventService:
    return cloud.service  # type: ignore[attr-defined]


def noting(cloud: CloudContext, name: str, handler: str = "note", **changes: Any) -> str:
    """Create a function that notes its events; return its ARN."""
    variables = {"NOTES": str(cloud.home / f"{name}.notes")}
    return create_function(
        cloud, name, f"notes.{handler}", Environment={"Variables": variables}, **changes
    )


def notes(cloud: CloudContext, name: str) -> list[Any]:
    path = cloud.home / f"{name}.notes"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def settle(cloud: CloudContext) -> None:
    """Start the event services and wait until nothing is pending."""
    events.start(cloud)
    outbox = services(cloud).outbox
    until(lambda: outbox.counts()["pending"] == 0)


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not met():
        assert time.monotonic() < deadline, "not within ten seconds"
        time.sleep(0.02)


def permit(cloud: CloudContext, name: str, service: str, source: str) -> None:
    cloud.client("lambda").add_permission(
        FunctionName=name,
        StatementId=f"permit-{service}",
        Action="lambda:InvokeFunction",
        Principal=f"{service}.amazonaws.com",
        SourceArn=source,
    )


def queue(cloud: CloudContext, name: str, *, admits: str | None = None) -> tuple[str, str]:
    """Create a queue that a service may send to; return its URL and ARN."""
    sqs = cloud.client("sqs")
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{admits}.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = {"Policy": json.dumps({"Statement": [statement]})} if admits else {}
    return sqs.create_queue(QueueName=name, Attributes=policy)["QueueUrl"], arn


def messages(cloud: CloudContext, url: str) -> list[str]:
    found = cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [message["Body"] for message in found.get("Messages", [])]


def rule(cloud: CloudContext, pattern: Any, *targets: dict[str, Any], name: str = "rule") -> str:
    client = cloud.client("events")
    arn: str = client.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    numbered = [{"Id": str(number), **one} for number, one in enumerate(targets)]
    client.put_targets(Rule=name, Targets=numbered)
    return arn


def put(cloud: CloudContext, detail: Any, source: str = "shop") -> None:
    entry = {"Source": source, "DetailType": "Order", "Detail": json.dumps(detail)}
    answer = cloud.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0


def test_a_rule_calls_a_function_that_admits_it(cloud: CloudContext) -> None:
    function = noting(cloud, "orders")
    arn = rule(
        cloud, {"source": ["shop"], "detail": {"size": [{"numeric": [">", 3]}]}}, {"Arn": function}
    )
    permit(cloud, "orders", "events", arn)
    put(cloud, {"size": 2})
    put(cloud, {"size": 5})
    put(cloud, {"size": 5}, source="other")
    settle(cloud)

    (event,) = notes(cloud, "orders")
    assert event["detail"] == {"size": 5}
    assert (event["source"], event["detail-type"], event["account"]) == ("shop", "Order", ACCOUNT)
    assert datetime.strptime(event["time"], "%Y-%m-%dT%H:%M:%SZ")
    assert "ingestion-time" not in event


def test_a_function_that_does_not_admit_the_rule_is_not_called(cloud: CloudContext) -> None:
    function = noting(cloud, "orders")
    url, letters = queue(cloud, "letters", admits="events")
    rule(cloud, {"source": ["shop"]}, {"Arn": function, "DeadLetterConfig": {"Arn": letters}})
    permit(cloud, "orders", "events", "arn:aws:events:us-east-1:123456789012:rule/another")
    put(cloud, {})
    settle(cloud)

    assert notes(cloud, "orders") == []
    assert (
        "does not let events.amazonaws.com do lambda:InvokeFunction"
        in (services(cloud).outbox.failures()[0][1])
    )
    assert json.loads(messages(cloud, url)[0])["source"] == "shop"


def test_inputs_of_targets(cloud: CloudContext) -> None:
    url, arn = queue(cloud, "inputs", admits="events")
    transformer = {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '{"number": <n>}'}
    rule(
        cloud,
        {"source": ["shop"]},
        {"Arn": arn, "Input": '{"constant": true}'},
        {"Arn": arn, "InputPath": "$.detail"},
        {"Arn": arn, "InputTransformer": transformer},
    )
    put(cloud, {"n": 7})
    settle(cloud)

    found = sorted(messages(cloud, url))
    assert list(map(json.loads, found)) == [{"constant": True}, {"n": 7}, {"number": 7}]


def test_a_rule_with_only_a_schedule_matches_no_event(cloud: CloudContext) -> None:
    url, arn = queue(cloud, "ticks", admits="events")
    client = cloud.client("events")
    client.put_rule(Name="tick", ScheduleExpression="rate(1 day)")
    client.put_targets(Rule="tick", Targets=[{"Id": "0", "Arn": arn}])
    put(cloud, {})
    settle(cloud)
    assert messages(cloud, url) == []


def test_an_asynchronous_failure_is_tried_three_times_then_reported(cloud: CloudContext) -> None:
    letters_url, letters = queue(cloud, "letters")
    reports_url, reports = queue(cloud, "reports")
    noting(cloud, "failing", "fail", DeadLetterConfig={"TargetArn": letters})
    client = cloud.client("lambda")
    client.put_function_event_invoke_config(
        FunctionName="failing", DestinationConfig={"OnFailure": {"Destination": reports}}
    )
    answer = client.invoke(FunctionName="failing", InvocationType="Event", Payload=b'{"n": 1}')
    assert answer["StatusCode"] == 202
    settle(cloud)

    assert notes(cloud, "failing") == [{"n": 1}] * 3
    assert messages(cloud, letters_url) == ['{"n": 1}']
    report = json.loads(messages(cloud, reports_url)[0])
    assert report["requestContext"]["condition"] == "RetriesExhausted"
    assert report["requestPayload"] == {"n": 1}
    assert report["responsePayload"]["errorType"] == "ValueError"


def test_a_topic_tells_functions_and_writes_mail(cloud: CloudContext) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    function = noting(cloud, "alerted")
    permit(cloud, "alerted", "sns", topic)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="operator@trading.example")
    sns.publish(TopicArn=topic, Message="the month failed", Subject="trading-dev: failed")
    settle(cloud)

    (event,) = notes(cloud, "alerted")
    told = event["Records"][0]["Sns"]
    assert (told["TopicArn"], told["Message"]) == (topic, "the month failed")
    (path,) = (cloud.home / "mail" / "notices").glob("*.eml")
    mail = message_from_bytes(path.read_bytes())
    assert (mail["To"], mail["Subject"]) == ("operator@trading.example", "trading-dev: failed")
    assert "the month failed" in mail.get_payload()


def accept_mail(cloud: CloudContext, *recipients: str) -> None:
    """Journal a mail as the cloud does: the hooks run inside the journal's transaction."""
    raw = b"From: Signals <a@x.example>\r\nTo: b@x.example\r\nSubject: Signals\r\n\r\nsecret body"
    mail = AcceptedMail(
        message_id="0100-abc",
        sender="a@x.example",
        recipients=recipients or ("b@x.example",),
        configuration_set="mail",
        tags={"month": "2026-12", "recipient": "5f2c"},
        raw=raw,
        accepted=datetime(2026, 12, 1, 12, 0, tzinfo=UTC),
    )
    with closing(sqlite3.connect(cloud.journal_path)) as connection, connection:
        for hook in cloud.mail_hooks:
            hook(connection, mail)
    for recorded in cloud.mail_recorded:
        recorded()


def configuration_set(cloud: CloudContext, destination: dict[str, Any]) -> None:
    ses = cloud.client("sesv2")
    ses.create_configuration_set(ConfigurationSetName="mail")
    ses.create_configuration_set_event_destination(
        ConfigurationSetName="mail",
        EventDestinationName="bus",
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT"],
            **destination,
        },
    )


def mail_rule(cloud: CloudContext) -> None:
    function = noting(cloud, "mail-events")
    tags = {"ses:configuration-set": ["mail"]}
    pattern = {"source": ["aws.ses"], "detail": {"mail": {"tags": tags}}}
    arn = rule(cloud, pattern, {"Arn": function}, name="mail-events")
    permit(cloud, "mail-events", "events", arn)


def test_a_mail_tells_of_itself_through_the_bus(cloud: CloudContext) -> None:
    configuration_set(cloud, {"EventBridgeDestination": {"EventBusArn": BUS}})
    mail_rule(cloud)
    accept_mail(cloud)
    settle(cloud)

    found = {event["detail"]["eventType"]: event for event in notes(cloud, "mail-events")}
    assert set(found) == {"Send", "Delivery"}
    sent = found["Send"]
    assert (sent["source"], sent["detail-type"]) == ("aws.ses", "Email Sent")
    described = sent["detail"]["mail"]
    assert described["messageId"] == "0100-abc"
    assert described["destination"] == ["b@x.example"]
    assert described["tags"]["month"] == ["2026-12"]
    assert described["commonHeaders"]["subject"] == "Signals"
    assert "secret body" not in json.dumps(sent)
    assert found["Delivery"]["detail"]["delivery"]["recipients"] == ["b@x.example"]


def test_the_simulators_addresses_bounce_and_complain(cloud: CloudContext) -> None:
    configuration_set(cloud, {"EventBridgeDestination": {"EventBusArn": BUS}})
    mail_rule(cloud)
    accept_mail(cloud, "bounce@simulator.amazonses.com", "complaint+1@simulator.amazonses.com")
    settle(cloud)

    kinds = [event["detail"]["eventType"] for event in notes(cloud, "mail-events")]
    assert sorted(kinds) == ["Bounce", "Complaint", "Delivery", "Send"]


def test_a_mail_tells_a_topic_that_admits_ses(cloud: CloudContext) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name="mail")["TopicArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ses.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
        "Condition": {"StringEquals": {"AWS:SourceAccount": ACCOUNT}},
    }
    sns.set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=json.dumps({"Statement": [statement]}),
    )
    url, arn = queue(cloud, "told", admits="sns")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    configuration_set(cloud, {"SnsDestination": {"TopicArn": topic}})
    accept_mail(cloud)
    settle(cloud)

    told = [json.loads(json.loads(body)["Message"]) for body in messages(cloud, url)]
    assert {one["eventType"] for one in told} == {"Send", "Delivery"}


def test_event_destinations_are_kept(cloud: CloudContext) -> None:
    configuration_set(cloud, {"EventBridgeDestination": {"EventBusArn": BUS}})
    ses = cloud.client("sesv2")
    with pytest.raises(ClientError, match="already exists"):
        ses.create_configuration_set_event_destination(
            ConfigurationSetName="mail",
            EventDestinationName="bus",
            EventDestination={"Enabled": True, "MatchingEventTypes": ["SEND"]},
        )
    ses.update_configuration_set_event_destination(
        ConfigurationSetName="mail",
        EventDestinationName="bus",
        EventDestination={"Enabled": False, "MatchingEventTypes": ["SEND"]},
    )
    found = ses.get_configuration_set_event_destinations(ConfigurationSetName="mail")
    assert found["EventDestinations"] == [
        {"Name": "bus", "Enabled": False, "MatchingEventTypes": ["SEND"]}
    ]
    ses.delete_configuration_set_event_destination(
        ConfigurationSetName="mail", EventDestinationName="bus"
    )
    with pytest.raises(ses.exceptions.NotFoundException):
        ses.delete_configuration_set_event_destination(
            ConfigurationSetName="mail", EventDestinationName="bus"
        )
    with pytest.raises(ses.exceptions.NotFoundException):
        ses.get_configuration_set_event_destinations(ConfigurationSetName="none")


def schedule(cloud: CloudContext, name: str, expression: str, arn: str, **more: Any) -> str:
    made = cloud.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": ROLE, "Input": '{"by": "' + name + '"}'},
        **more,
    )
    return str(made["ScheduleArn"])


def test_schedules_fire_when_they_are_due(cloud: CloudContext) -> None:
    function = noting(cloud, "timed")
    zone = {"ScheduleExpressionTimezone": "America/New_York"}
    mornings = schedule(cloud, "mornings", "cron(0 7 1-5 * ? *)", function, **zone)
    schedule(cloud, "off", "cron(0 7 1-5 * ? *)", function, State="DISABLED", **zone)
    once = schedule(
        cloud, "once", "at(2026-12-01T12:00:00)", function, ActionAfterCompletion="DELETE"
    )
    clockwork = services(cloud).clockwork
    noon = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
    second = timedelta(seconds=1)

    assert clockwork.fire(noon - 2 * second, noon - second) == []
    assert sorted(clockwork.fire(noon - second, noon)) == sorted([mornings, once])
    assert clockwork.fire(noon, noon + second) == []
    assert clockwork.fire(noon + timedelta(hours=23), noon + timedelta(days=1)) == [mornings]
    settle(cloud)

    assert sorted(event["by"] for event in notes(cloud, "timed")) == ["mornings"] * 2 + ["once"]
    names = {one["Name"] for one in cloud.client("scheduler").list_schedules()["Schedules"]}
    assert names == {"mornings", "off"}


def test_a_scheduled_rule_fires(cloud: CloudContext) -> None:
    url, arn = queue(cloud, "ticks", admits="events")
    client = cloud.client("events")
    client.put_rule(Name="tick", ScheduleExpression="cron(0 6 * * ? *)")
    client.put_targets(Rule="tick", Targets=[{"Id": "0", "Arn": arn}])
    six = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
    services(cloud).clockwork.fire(six - timedelta(seconds=1), six)
    settle(cloud)

    (event,) = map(json.loads, messages(cloud, url))
    assert (event["detail-type"], event["time"]) == ("Scheduled Event", "2026-12-01T06:00:00Z")


@pytest.mark.slow
def test_a_scheduled_function_is_called_by_the_running_clock(cloud: CloudContext) -> None:
    function = noting(cloud, "soon")
    soon = datetime.now(UTC) + timedelta(seconds=2)
    schedule(cloud, "soon", f"at({soon:%Y-%m-%dT%H:%M:%S})", function)
    events.start(cloud)
    until(lambda: notes(cloud, "soon") == [{"by": "soon"}])
