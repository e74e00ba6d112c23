"""Every alarm: the failures that nobody would tell of otherwise, and the promises (KPI).

A section of `docs/operations.md` is named after each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from stacks.alarms import AlarmSpec, Metric

HOUR, DAY = 3600, 86_400
DAYS_WITHOUT_DATA = 4
METRICS_NAMESPACE = "Trading"
# Of `functions/station.py`; every metric of a function has them.
SERVICE = "trading"
# Whoever tells the operator, begins a month or undoes a promotion must not fail unseen.
CRITICAL_FUNCTIONS = frozenset({"alert", "alert_day", "rollback", "start_month"})

FETCH_SUCCESS_PERCENT = 99.5
SCORING_SECONDS = 300
MAIL_DELIVERY_PERCENT = 99.0
UPTIME_PERCENT = 99.9


@dataclass(frozen=True)
class Watched:
    """What the alarms look at, by its names on AWS.

    Attributes
    ----------
    functions : catalogue name to function
    machines : `month`, `day` to the ARN of the state machine
    dead_letters : name of the queue
    schedule_group : name
    schedules : whether the schedules fire: if not, nobody misses a day
    api : id of the HTTP API
    answering : functions that answer its routes
    door : what CloudWatch calls the load balancer and its target group, where there is one
    """

    functions: Mapping[str, pulumi.Input[str]]
    machines: Mapping[str, pulumi.Input[str]]
    dead_letters: pulumi.Input[str]
    schedule_group: pulumi.Input[str]
    api: pulumi.Input[str]
    answering: Sequence[str]
    schedules: bool = True
    door: tuple[pulumi.Input[str], pulumi.Input[str]] | None = None

    def of_station(self, function: str, name: str, statistic: str = "Sum") -> Metric:
        """Return a metric that a function publishes of its own work."""
        dimensions = {"service": SERVICE, "station": self.functions[function]}
        return Metric(METRICS_NAMESPACE, name, dimensions, statistic)

    def of_function(self, function: str, name: str) -> Metric:
        """Return a metric that Lambda publishes of a function."""
        return Metric("AWS/Lambda", name, {"FunctionName": self.functions[function]})

    def of_machine(self, machine: str, name: str) -> Metric:
        """Return a metric that Step Functions publishes of a state machine."""
        return Metric("AWS/States", name, {"StateMachineArn": self.machines[machine]})


def alarms(watched: Watched) -> Sequence[AlarmSpec]:
    """Return every alarm of an environment."""
    return [
        *_executions(watched),
        *_events(watched),
        *_functions(watched),
        *_promises(watched),
        *_answers(watched),
    ]


def _executions(watched: Watched) -> list[AlarmSpec]:
    ends = {"failed": "Failed", "timed_out": "TimedOut", "aborted": "Aborted"}
    failing = [
        AlarmSpec(
            f"{machine}-failed",
            f"The state machine of the {machine} failed, timed out or was aborted.",
            "critical",
            {id_: watched.of_machine(machine, f"Executions{end}") for id_, end in ends.items()},
        )
        for machine in watched.machines
    ]
    return [
        *failing,
        AlarmSpec(
            "day-missing",
            f"No fetch of the day succeeded for {DAYS_WITHOUT_DATA} days.",
            "critical",
            {"succeeded": watched.of_machine("day", "ExecutionsSucceeded")},
            threshold=1,
            comparison="LessThanThreshold",
            period=DAY,
            periods=DAYS_WITHOUT_DATA,
            missing="breaching",
            enabled=watched.schedules,
        ),
    ]


def _events(watched: Watched) -> list[AlarmSpec]:
    group = {"ScheduleGroup": watched.schedule_group}
    lost = ("InvocationDroppedCount", "InvocationsFailedToBeSentToDeadLetterCount")
    queue = {"QueueName": watched.dead_letters}
    waiting = "ApproximateNumberOfMessagesVisible"
    return [
        AlarmSpec(
            "schedules-failed",
            "A schedule fired and its target was not reached.",
            "critical",
            {f"lost_{i}": Metric("AWS/Scheduler", name, group) for i, name in enumerate(lost)},
        ),
        AlarmSpec(
            "dead-letters",
            "An event or an asynchronous call could not be delivered; it is kept for 14 days.",
            "warning",
            {"waiting": Metric("AWS/SQS", waiting, queue, "Maximum")},
        ),
    ]


def _functions(watched: Watched) -> list[AlarmSpec]:
    return [
        AlarmSpec(
            f"{key.replace('_', '-')}-errors",
            f"The function {key} failed; a state machine may have tried it again with success.",
            "critical" if key in CRITICAL_FUNCTIONS else "warning",
            {"errors": watched.of_function(key, "Errors")},
            section="function-errors",
        )
        for key in watched.functions
    ]


def _promises(watched: Watched) -> list[AlarmSpec]:
    below = "LessThanThreshold"
    return [
        AlarmSpec(
            "fetch-success",
            f"Less than {FETCH_SUCCESS_PERCENT} % of the bars that were asked for came.",
            "warning",
            {"came": watched.of_station("fetch_daily", "FetchSuccess", "Minimum")},
            threshold=FETCH_SUCCESS_PERCENT,
            comparison=below,
            period=HOUR,
        ),
        AlarmSpec(
            "scoring-latency",
            "From the market's context to the ranked signals it took more than 5 minutes.",
            "warning",
            {"seconds": watched.of_station("rank", "ScoringSeconds", "Maximum")},
            threshold=SCORING_SECONDS,
        ),
        AlarmSpec(
            "mail-delivery",
            f"Less than {MAIL_DELIVERY_PERCENT:g} % of a day's mails were delivered.",
            "warning",
            {
                "sent": watched.of_station("mail_events", "MailSend"),
                "delivered": watched.of_station("mail_events", "MailDelivery"),
            },
            "100 * FILL(delivered, 0) / sent",
            threshold=MAIL_DELIVERY_PERCENT,
            comparison=below,
            period=DAY,
        ),
        AlarmSpec(
            "mail-complaints",
            "A recipient called a mail spam: SES stops accounts that collect complaints.",
            "warning",
            {"complaints": watched.of_station("mail_events", "MailComplaint")},
        ),
    ]


def _answers(watched: Watched) -> list[AlarmSpec]:
    """Watch what is asked over the network; where nobody asks, there is no figure."""
    api = {"ApiId": watched.api}
    asked = {"calls": Metric("AWS/ApiGateway", "Count", api)}
    # Not the API's 5xx: a 503 of `GET /health` is an answer, and a right one.
    failed = {
        f"{function}_errors": watched.of_function(function, "Errors")
        for function in watched.answering
    }
    found = []
    if watched.door is not None:
        balancer, group = watched.door
        door = {"LoadBalancer": balancer}
        asked["visits"] = Metric("AWS/ApplicationELB", "RequestCount", door)
        # Not its 503, which is what a visitor outside the hours gets.
        for code in ("502", "504"):
            name = f"HTTPCode_ELB_{code}_Count"
            failed[f"refused_{code}"] = Metric("AWS/ApplicationELB", name, door)
        failed["broken"] = Metric("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", door)
        healthy = Metric(
            "AWS/ApplicationELB", "HealthyHostCount", {**door, "TargetGroup": group}, "Maximum"
        )
        found.append(
            AlarmSpec(
                "dashboard-down",
                "The dashboard runs and has not been healthy for a quarter of an hour.",
                "warning",
                {"healthy": healthy},
                threshold=1,
                comparison="LessThanThreshold",
                periods=3,
            )
        )
    uptime = AlarmSpec(
        "uptime",
        f"Less than {UPTIME_PERCENT} % of an hour's requests were answered.",
        "warning",
        {**asked, **failed},
        f"100 * (1 - ({_sum(failed)}) / ({_sum(asked)}))",
        threshold=UPTIME_PERCENT,
        comparison="LessThanThreshold",
        period=HOUR,
    )
    return [uptime, *found]


def _sum(metrics: Mapping[str, Metric]) -> str:
    return " + ".join(f"FILL({id_}, 0)" for id_ in metrics)
