"""When things run: EventBridge schedules that call a function or start a state machine."""

from dataclasses import dataclass

import pulumi
from pulumi_aws import lambda_, scheduler

from stacks.deployment import Deployment
from stacks.policies import Statement
from stacks.roles import RoleArgs, ServiceRole, make_role
from trading.config import ScheduleSettings

RETRY_SECONDS = 3600
RETRIES = 5
ONCE = '{"correlation_id": "schedule-<aws.scheduler.scheduled-time>"}'
"""What the function of the month is given: a call that Scheduler repeats is the same call."""


@dataclass(frozen=True)
class SchedulesArgs:
    """The arguments of `Schedules`.

    Attributes
    ----------
    settings : the times
    enabled : whether the schedules fire
    start_month : the function that begins a month
    daily : ARN of the state machine of the day
    dead_letters : ARN of the queue for calls that never got through
    """

    deployment: Deployment
    settings: ScheduleSettings
    enabled: bool
    start_month: lambda_.Function
    daily: pulumi.Input[str]
    dead_letters: pulumi.Input[str]


class Schedules(pulumi.ComponentResource):
    """The morning of the month and the daily fetch.

    The first session of a month falls on its days 1 to 4; a fifth is kept for a closed exchange.

    Attributes
    ----------
    group : the schedule group of this environment
    """

    group: scheduler.ScheduleGroup

    def __init__(
        self, name: str, args: SchedulesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:schedules:Schedules", name, None, opts)
        self._args = args
        self.group = scheduler.ScheduleGroup(
            "schedules",
            name=args.deployment.name("schedules"),
            tags=args.deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        monthly, daily = args.settings.monthly_local, args.settings.daily_fetch_utc
        mornings = f"cron({_minute_hour(monthly)} 1-5 * ? *)"
        zone = args.settings.timezone
        call = Statement("CallFunction", ["lambda:InvokeFunction"], [args.start_month.arn])
        self._schedule("start-month", mornings, zone, args.start_month.arn, call, ONCE)
        nights = f"cron({_minute_hour(daily)} ? * TUE-SAT *)"
        start = Statement("StartDay", ["states:StartExecution"], [args.daily])
        self._schedule("fetch-daily", nights, "UTC", args.daily, start)
        self.register_outputs({"group": self.group.name})

    def _schedule(
        self,
        name: str,
        expression: str,
        timezone: str,
        target: pulumi.Input[str],
        permission: Statement,
        message: str = "{}",
    ) -> None:
        args = self._args
        caller = self._role(name, permission)
        scheduler.Schedule(
            name,
            name=name,
            group_name=self.group.name,
            schedule_expression=expression,
            schedule_expression_timezone=timezone,
            flexible_time_window=scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
            state="ENABLED" if args.enabled else "DISABLED",
            kms_key_arn=args.deployment.key,
            target=scheduler.ScheduleTargetArgs(
                arn=target,
                role_arn=caller.arn,
                input=message,
                dead_letter_config=scheduler.ScheduleTargetDeadLetterConfigArgs(
                    arn=args.dead_letters
                ),
                retry_policy=scheduler.ScheduleTargetRetryPolicyArgs(
                    maximum_event_age_in_seconds=RETRY_SECONDS, maximum_retry_attempts=RETRIES
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[caller.policy]),
        )

    def _role(self, name: str, permission: Statement) -> ServiceRole:
        deployment = self._args.deployment
        keep = Statement("KeepFailures", ["sqs:SendMessage"], [self._args.dead_letters])
        return make_role(
            RoleArgs(
                deployment=deployment,
                key=f"schedule-{name}",
                name=deployment.name("schedule", name),
                description=f"What the schedule {name} calls its target as",
                service="scheduler.amazonaws.com",
                statements=[permission, keep],
            ),
            self,
        )


def _minute_hour(clock: str) -> str:
    hour, minute = clock.split(":")
    return f"{int(minute)} {int(hour)}"
