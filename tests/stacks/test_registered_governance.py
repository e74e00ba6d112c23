"""Budget, trail and AWS Config, as each environment's configuration switches them."""

import json

import pytest

from stackcheck.recording import Recording

BUDGET, TRAIL = "aws:budgets/budget:Budget", "aws:cloudtrail/trail:Trail"
RULE, RECORDER = "aws:cfg/rule:Rule", "aws:cfg/recorder:Recorder"


@pytest.mark.parametrize(("stack", "usd"), [("dev", "40.00"), ("prod", "81.00")])
def test_the_budget_tells_before_it_is_spent(
    stack: str, usd: str, request: pytest.FixtureRequest
) -> None:
    recording: Recording = request.getfixturevalue(stack)
    (budget,) = recording.of(BUDGET)
    assert (budget.inputs["limitAmount"], budget.inputs["limitUnit"]) == (usd, "USD")
    told = {(n["notificationType"], n["threshold"]) for n in budget.inputs["notifications"]}
    assert told == {("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)}
    topic = next(o for o in recording.of("aws:sns/topic:Topic") if o.name == "alerts-warning")
    for notification in budget.inputs["notifications"]:
        assert notification["subscriberSnsTopicArns"] == [topic.outputs["arn"]]
    policies = [
        json.loads(one.inputs["policy"])
        for one in recording.of("aws:sns/topicPolicy:TopicPolicy")
        if one.inputs["arn"] == topic.outputs["arn"]
    ]
    publish = next(s for s in policies[0]["Statement"] if s["Sid"] == "PublishAlarms")
    assert "budgets.amazonaws.com" in publish["Principal"]["Service"]


def test_production_is_audited_and_development_costs_nothing_for_it(
    dev: Recording, prod: Recording
) -> None:
    assert not any(dev.of(type_) for type_ in (TRAIL, RULE, RECORDER))
    assert len(prod.of(TRAIL)) == len(prod.of(RECORDER)) == 1
    assert len(prod.of(RULE)) >= 5


def test_the_trail_is_encrypted_validated_and_records_what_changes_data(prod: Recording) -> None:
    (trail,) = prod.of(TRAIL)
    inputs = trail.inputs
    assert inputs["enableLogFileValidation"]
    assert inputs["isMultiRegionTrail"]
    assert inputs["kmsKeyId"] == next(
        one.outputs["arn"] for one in prod.of("aws:kms/key:Key") if one.name == "data"
    )
    data = next(
        {f["field"]: f for f in selector["fieldSelectors"]}
        for selector in inputs["advancedEventSelectors"]
        if {"field": "eventCategory", "equals": ["Data"]} in selector["fieldSelectors"]
    )
    assert data["readOnly"]["equals"] == ["false"]
    buckets = {o.name: o.outputs["arn"] for o in prod.of("aws:s3/bucket:Bucket")}
    assert set(data["resources.ARN"]["startsWiths"]) == {
        f"{buckets[name]}/" for name in ("data", "models", "runs")
    }


def test_the_bucket_of_records_admits_only_this_trail_and_account(prod: Recording) -> None:
    (policy,) = (
        json.loads(one.inputs["policy"])
        for one in prod.of("aws:s3/bucketPolicy:BucketPolicy")
        if one.name == "audit"
    )
    (trail,) = prod.of(TRAIL)
    arn = f"arn:aws:cloudtrail:us-east-1:123456789012:trail/{trail.inputs['name']}"
    admitted = [s for s in policy["Statement"] if s["Effect"] == "Allow"]
    assert {s["Principal"]["Service"] for s in admitted} == {
        "cloudtrail.amazonaws.com",
        "config.amazonaws.com",
    }
    for statement in admitted:
        asked = statement["Condition"]["StringEquals"]
        if statement["Principal"]["Service"].startswith("cloudtrail"):
            assert asked["aws:SourceArn"] == arn
        else:
            assert asked["aws:SourceAccount"] == "123456789012"
        if statement["Action"] == ["s3:PutObject"]:
            assert "/AWSLogs/123456789012/*" in statement["Resource"][0]


def test_a_refused_call_of_our_roles_is_an_alarm(prod: Recording) -> None:
    (counted,) = (
        one.inputs
        for one in prod.of("aws:cloudwatch/logMetricFilter:LogMetricFilter")
        if one.name == "access-denied"
    )
    assert 'userName = "trading-prod-*"' in counted["pattern"]
    (alarm,) = (
        one.inputs
        for one in prod.of("aws:cloudwatch/metricAlarm:MetricAlarm")
        if one.name == "access-denied"
    )
    to = counted["metricTransformation"]
    assert (alarm["namespace"], alarm["metricName"]) == (to["namespace"], to["name"])


@pytest.mark.slow
def test_an_account_that_records_already_gets_the_rules_only(unusual: Recording) -> None:
    assert unusual.of(RULE)
    assert unusual.of(RECORDER) == []
    assert "audit" not in {one.name for one in unusual.of("aws:s3/bucket:Bucket")}
