"""EventBridge: rules, targets and schedules."""

from typing import Any

from localcloud.deployer.handler import (
    Handler,
    Inputs,
    Live,
    Outputs,
    SettingHandler,
    found,
    given,
    gone,
    handles,
    suppress_missing,
    tag_list,
)


@handles("aws:cloudwatch/eventRule:EventRule")
class EventRule(SettingHandler):
    """A rule on the default bus."""

    replace_on = frozenset({"name"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the rule's name."""
        return str(inputs["name"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return ARN and name."""
        answer = found(self.cloud.client("events").describe_rule, Name=identity)
        return None if answer is None else Live(identity, {"arn": answer["Arn"], "name": identity})

    def put(self, inputs: Inputs) -> Outputs:
        """Put the rule."""
        answer = self.cloud.client("events").put_rule(
            Name=inputs["name"],
            State=inputs.get("state", "ENABLED"),
            Tags=tag_list(inputs),
            **given(
                inputs,
                Description="description",
                EventPattern="eventPattern",
                ScheduleExpression="scheduleExpression",
            ),
        )
        return {"arn": answer["RuleArn"], "name": inputs["name"]}

    def delete(self, identity: str) -> None:
        """Delete the rule, and what targets are left on it."""
        client = self.cloud.client("events")
        with suppress_missing():
            targets = client.list_targets_by_rule(Rule=identity)["Targets"]
            if targets:
                client.remove_targets(Rule=identity, Ids=[target["Id"] for target in targets])
            client.delete_rule(Name=identity)


@handles("aws:cloudwatch/eventTarget:EventTarget")
class EventTarget(SettingHandler):
    """A target of a rule; its id is `rule/target`."""

    replace_on = frozenset({"rule", "targetId"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return rule and target."""
        return f"{inputs['rule']}/{inputs['targetId']}"

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Look the target up on its rule."""
        rule, _, target = identity.partition("/")
        answer = found(self.cloud.client("events").list_targets_by_rule, Rule=rule)
        ids = [found_target["Id"] for found_target in (answer or {}).get("Targets", [])]
        return Live(identity) if target in ids else None

    def put(self, inputs: Inputs) -> None:
        """Put the target."""
        target: dict[str, Any] = {"Id": inputs["targetId"], "Arn": inputs["arn"]}
        target |= given(inputs, RoleArn="roleArn", Input="input")
        if dead_letters := inputs.get("deadLetterConfig"):
            target["DeadLetterConfig"] = {"Arn": dead_letters["arn"]}
        if retry := inputs.get("retryPolicy"):
            target["RetryPolicy"] = _retry(retry)
        self.cloud.client("events").put_targets(Rule=inputs["rule"], Targets=[target])

    def delete(self, identity: str) -> None:
        """Remove the target."""
        rule, _, target = identity.partition("/")
        gone(self.cloud.client("events").remove_targets, Rule=rule, Ids=[target])


@handles("aws:scheduler/scheduleGroup:ScheduleGroup")
class ScheduleGroup(Handler):
    """A group of schedules."""

    replace_on = frozenset({"name"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the group's name."""
        return str(inputs["name"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return ARN and name."""
        answer = found(self.cloud.client("scheduler").get_schedule_group, Name=identity)
        return None if answer is None else Live(identity, {"arn": answer["Arn"], "name": identity})

    def create(self, inputs: Inputs) -> Live:
        """Create the group."""
        name = str(inputs["name"])
        answer = self.cloud.client("scheduler").create_schedule_group(
            Name=name, Tags=tag_list(inputs)
        )
        return Live(name, {"arn": answer["ScheduleGroupArn"], "name": name})

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put the tags."""
        client = self.cloud.client("scheduler")
        arn = client.get_schedule_group(Name=identity)["Arn"]
        client.tag_resource(ResourceArn=arn, Tags=tag_list(inputs))

    def delete(self, identity: str) -> None:
        """Delete the group."""
        gone(self.cloud.client("scheduler").delete_schedule_group, Name=identity)


@handles("aws:scheduler/schedule:Schedule")
class Schedule(Handler):
    """A schedule; its id is `group/name`."""

    replace_on = frozenset({"groupName", "name"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return group and name."""
        return f"{inputs['groupName']}/{inputs['name']}"

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return the ARN."""
        group, _, name = identity.partition("/")
        answer = found(self.cloud.client("scheduler").get_schedule, GroupName=group, Name=name)
        return None if answer is None else Live(identity, {"arn": answer["Arn"]})

    def create(self, inputs: Inputs) -> Live:
        """Create the schedule."""
        answer = self.cloud.client("scheduler").create_schedule(**_schedule(inputs))
        return Live(f"{inputs['groupName']}/{inputs['name']}", {"arn": answer["ScheduleArn"]})

    def update(self, identity: str, inputs: Inputs) -> None:  # noqa: ARG002
        """Put the whole schedule, as its API has it."""
        self.cloud.client("scheduler").update_schedule(**_schedule(inputs))

    def delete(self, identity: str) -> None:
        """Delete the schedule."""
        group, _, name = identity.partition("/")
        gone(self.cloud.client("scheduler").delete_schedule, GroupName=group, Name=name)


def _schedule(inputs: Inputs) -> dict[str, Any]:
    given_target = inputs["target"]
    target: dict[str, Any] = {"Arn": given_target["arn"], "RoleArn": given_target["roleArn"]}
    target |= given(given_target, Input="input")
    if dead_letters := given_target.get("deadLetterConfig"):
        target["DeadLetterConfig"] = {"Arn": dead_letters["arn"]}
    if retry := given_target.get("retryPolicy"):
        target["RetryPolicy"] = _retry(retry)
    return {
        "Name": inputs["name"],
        "GroupName": inputs["groupName"],
        "ScheduleExpression": inputs["scheduleExpression"],
        "FlexibleTimeWindow": {"Mode": inputs["flexibleTimeWindow"]["mode"]},
        "Target": target,
        **given(
            inputs,
            ScheduleExpressionTimezone="scheduleExpressionTimezone",
            State="state",
            Description="description",
        ),
    }


def _retry(inputs: Inputs) -> dict[str, Any]:
    return given(
        inputs,
        MaximumEventAgeInSeconds="maximumEventAgeInSeconds",
        MaximumRetryAttempts="maximumRetryAttempts",
    )
