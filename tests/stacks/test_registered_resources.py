"""What holds for everything that the program registers: names, tags, times, outputs."""

import importlib
import inspect
import json
import re
import warnings

import localcloud.deployer.resources  # noqa: F401  registers the handlers
from localcloud.deployer.handler import known_types
from localcloud.deployer.inert import INERT
from stackcheck.recording import Recorded, Recording

# Names inside a role, a schedule group or an API, and a service's own name of a role.
SCOPED = frozenset(
    {
        "aws:apigatewayv2/stage:Stage",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:scheduler/schedule:Schedule",
    }
)
TAGS = {"Project": "trading", "ManagedBy": "pulumi"}


def takes_tags(one: Recorded) -> bool:
    """Tell whether the AWS SDK's class of a resource has an input `tags`."""
    package, _, rest = one.type.removeprefix("aws:").partition("/")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module = importlib.import_module(
            f"pulumi_aws.{'lambda_' if package == 'lambda' else package}"
        )
        resource = getattr(module, rest.partition(":")[2])
    return "tags" in inspect.signature(resource._internal_init).parameters


def test_everything_that_takes_tags_has_those_of_its_environment(recording: Recording) -> None:
    wanted = {**TAGS, "Environment": recording.stack}
    tagged = 0
    for one in recording.aws:
        if takes_tags(one):
            tagged += 1
            assert wanted.items() <= one.inputs.get("tags", {}).items(), one.urn
    assert tagged > 100


def test_schedules_are_those_of_the_configuration(dev: Recording) -> None:
    """Local times by name of the zone, so that they stay when the clocks change."""
    schedules = {one.name: one.inputs for one in dev.of("aws:scheduler/schedule:Schedule")}
    assert schedules["start-month"]["scheduleExpression"] == "cron(0 7 1-5 * ? *)"
    assert schedules["start-month"]["scheduleExpressionTimezone"] == "America/New_York"
    asked = json.loads(schedules["start-month"]["target"]["input"])
    assert asked == {"correlation_id": "schedule-<aws.scheduler.scheduled-time>"}
    assert schedules["fetch-daily"]["scheduleExpression"] == "cron(0 6 ? * TUE-SAT *)"
    assert schedules["fetch-daily"]["scheduleExpressionTimezone"] == "UTC"
    assert all(one["target"]["deadLetterConfig"]["arn"] for one in schedules.values())
    assert all(one["target"]["retryPolicy"]["maximumRetryAttempts"] for one in schedules.values())
    assert ":stateMachine:trading-dev-daily" in schedules["fetch-daily"]["target"]["arn"]


def test_machines_are_logged_and_traced(recording: Recording) -> None:
    machines = recording.of("aws:sfn/stateMachine:StateMachine")
    assert {one.name for one in machines} == {"monthly", "daily"}
    groups = {one.outputs["arn"] for one in recording.of("aws:cloudwatch/logGroup:LogGroup")}
    for one in machines:
        logging = one.inputs["loggingConfiguration"]
        assert logging["level"] == "ALL"
        assert logging["logDestination"].removesuffix(":*") in groups
        assert one.inputs["tracingConfiguration"] == {"enabled": True}


def test_every_environment_has_its_own_names(dev: Recording, prod: Recording) -> None:
    named = {"name", "bucket", "configurationSetName"}
    ours = {(o.type, o.inputs[k]) for o in dev.resources for k in named & set(o.inputs)}
    theirs = {(o.type, o.inputs[k]) for o in prod.resources for k in named & set(o.inputs)}
    shared = {name for type_, name in ours & theirs if type_ not in SCOPED}
    assert shared == set()


def test_components_have_types_of_the_project_and_hold_everything(recording: Recording) -> None:
    components = {o.urn for o in recording.resources if o.type.startswith("trading:")}
    for one in recording.resources:
        if one.urn in components:
            assert re.fullmatch(r"trading:[a-z]+:[A-Z][A-Za-z]+", one.type)
    roots = {o.urn for o in recording.resources if o.type == "pulumi:pulumi:Stack"}
    for one in recording.aws:
        assert one.parent not in roots, f"{one.urn} belongs to no component"


def test_the_embedded_cloud_provisions_every_type(dev: Recording, prod: Recording) -> None:
    used = {one.type for one in (*dev.resources, *prod.resources) if one.custom}
    assert used - known_types() - set(INERT) == set()


def test_outputs_are_what_the_command_needs(dev: Recording) -> None:
    outputs = dev.outputs
    assert outputs["data_store"] == "s3://trading-dev-data-123456789012"
    assert outputs["ledger_table"] == "trading-dev-ledger"
    assert outputs["functions"]["start_month"] == "trading-dev-start-month"
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:trading-dev-monthly"
    assert outputs["state_machine_arn"] == arn
    assert set(outputs) >= {
        *("models_store", "runs_store", "signals_table", "performance_table"),
        *("idempotency_table", "alert_topic_arn", "warning_topic_arn", "training_image"),
        *("configuration_set", "environment", "sender", "training_role_arn"),
    }
    for one in dev.of("aws:lambda/function:Function"):
        assert one.inputs["environment"]["variables"]["TRADING_STATE_MACHINE"] == arn
