from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trading.cost.bill import bill, growth
from trading.cost.free import FREE
from trading.cost.hours import open_hours
from trading.cost.prices import Price, Prices, load_prices
from trading.cost.resources import PRICED, Part, Resource
from trading.cost.usage import HOURS, STANDING, Usage
from trading.errors import ConfigurationError

PRICES = load_prices()
FUNCTION = "aws:lambda/function:Function"


def resource(type_: str, name: str = "it", **inputs: Any) -> Resource:
    return Resource(type_, name, inputs)


def action(schedule: str, capacity: int) -> Mapping[str, Any]:
    target = {"minCapacity": capacity, "maxCapacity": capacity}
    return {"schedule": schedule, "scalableTargetAction": target}


def amounts(*resources: Resource, usage: Usage | None = None) -> dict[str, float]:
    made = bill(resources, usage or Usage(), PRICES)
    return {f"{line.service} {line.item}": line.usd for line in made.lines}


def test_a_use_is_shared_by_all_of_a_type() -> None:
    one = amounts(resource(FUNCTION, "a", memorySize=1024))
    two = amounts(*(resource(FUNCTION, name, memorySize=1024) for name in "ab"))
    assert one == pytest.approx(two)
    assert one["Lambda time"] == pytest.approx(35 * 60 * 0.0000166667)


def test_an_alarm_costs_as_much_as_it_reads_metrics() -> None:
    query = {"metric": {"metricName": "Errors"}}
    assert amounts(resource("aws:cloudwatch/metricAlarm:MetricAlarm")) == {"CloudWatch alarms": 0.1}
    computed = resource(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        metricQueries=[query, query, {"expression": "m1/m2"}],
    )
    assert amounts(computed)["CloudWatch alarms"] == pytest.approx(0.2)


def test_training_is_charged_by_the_instance_that_the_definition_names() -> None:
    definition = '{"Resource": "x:createTrainingJob.sync", "InstanceType": "ml.m5.xlarge"}'
    machine = resource("aws:sfn/stateMachine:StateMachine", definition=definition)
    assert amounts(machine)["SageMaker training on ml.m5.xlarge"] == pytest.approx(5.5 * 0.23)
    unknown = resource(
        "aws:sfn/stateMachine:StateMachine", definition=definition.replace("m5.xlarge", "z9.huge")
    )
    with pytest.raises(ConfigurationError, match=r"no price of 'ml\.z9\.huge'"):
        amounts(unknown)


def test_front_door_and_way_out_have_totals_of_their_own() -> None:
    balancer = resource("aws:lb/loadBalancer:LoadBalancer", subnets=["a", "b"])
    made = bill([balancer, resource("aws:ec2/natGateway:NatGateway")], Usage(), PRICES)
    assert made.total(Part.RUNNING) == 0
    assert made.total(Part.FRONT_DOOR) == pytest.approx(730 * (0.0225 + 0.05 * 0.008 + 2 * 0.005))
    assert made.total(Part.WAY_OUT) == pytest.approx(730 * 0.045 + 5 * 0.045)
    assert made.total() == pytest.approx(sum(made.total(part) for part in Part))


def test_an_endpoint_is_free_only_as_a_gateway() -> None:
    type_ = "aws:ec2/vpcEndpoint:VpcEndpoint"
    assert amounts(resource(type_)) == {}
    inside = resource(type_, vpcEndpointType="Interface", subnetIds=["a", "b"])
    assert amounts(inside) == {"VPC interface endpoints": pytest.approx(2 * 7.3)}


def test_a_task_is_paid_for_the_hours_it_is_up() -> None:
    task = resource("aws:ecs/taskDefinition:TaskDefinition", cpu="256", memory="1024")
    always = amounts(task)
    assert sum(always.values()) == pytest.approx(730 * (0.25 * 0.04048 + 0.004445))
    type_ = "aws:appautoscaling/scheduledAction:ScheduledAction"
    opens = resource(type_, "opens", **action("cron(0 7 ? * MON-FRI *)", 1))
    closes = resource(type_, "closes", **action("cron(0 21 ? * MON-FRI *)", 0))
    sometimes = amounts(task, opens, closes)
    assert sum(sometimes.values()) == pytest.approx(sum(always.values()) * 70 / 168)


@pytest.mark.parametrize(
    ("actions", "week"),
    [
        ([action("cron(0 7 ? * MON-FRI *)", 1), action("cron(30 21 ? * MON-FRI *)", 0)], 72.5),
        ([action("cron(0 22 ? * * *)", 1), action("cron(0 2 ? * * *)", 0)], 28),
        ([action("cron(0 0 ? * MON *)", 2), action("cron(0 0 ? * SAT *)", 0)], 120),
        ([action("cron(0 0 ? * FRI-MON *)", 2), action("cron(0 12 ? * FRI-MON *)", 0)], 48),
        ([action("cron(0 0 ? * MON *)", 1)], 168),
        ([action("cron(0 0 ? * MON *)", 0)], 0),
        ([], 168),
    ],
)
def test_hours_of_a_week(actions: list[Mapping[str, Any]], week: float) -> None:
    assert open_hours(actions) == pytest.approx(week / 168 * HOURS)


def test_hours_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        open_hours([action("rate(1 hour)", 1)])


def test_a_type_of_unknown_cost_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="aws:rds/cluster:Cluster costs"):
        bill([resource("aws:rds/cluster:Cluster")], Usage(), PRICES)


def test_nothing_costs_both_something_and_nothing() -> None:
    assert set(PRICED) & set(FREE) == set()


@given(st.floats(0.1, 1000))
def test_ten_times_the_use_scales_what_is_used(factor: float) -> None:
    usage = Usage().times(factor)
    assert usage.stored_gb == pytest.approx(50 * factor)
    assert all(getattr(usage, name) == getattr(Usage(), name) for name in STANDING)


def test_growth_says_what_grows_first() -> None:
    resources = [resource("aws:s3/bucket:Bucket"), resource("aws:kms/key:Key")]
    now, then = (bill(resources, Usage().times(n), PRICES) for n in (1, 10))
    (first, more), *_ = growth(now, then)
    assert (first.service, first.item) == ("S3", "storage")
    assert more == pytest.approx(9 * 50 * 0.023)
    assert all(line.item != "keys" for line, _ in growth(now, then))


def test_prices_are_dated_and_have_sources() -> None:
    assert PRICES.dated
    for price in PRICES.prices.values():
        assert price.source.startswith("https://aws.amazon.com/")
    for wrong in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValidationError):
            Price(usd=wrong, per="hour", source="https://aws.amazon.com/ec2/")
    with pytest.raises(ValidationError):
        Prices(region="us-east-1", dated="lately", prices={})
