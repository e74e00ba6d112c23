"""The state machine of the day: fetch, judge what was fetched, tell what failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_aws import dynamodb, lambda_, sfn

from stacks.access import publish_statements, read_switch
from stacks.deployment import Deployment
from stacks.functions_catalogue import camel_case
from stacks.machine import MachineArgs, make_machine
from stacks.policies import Statement

DEFINITION = Path(__file__).parents[1] / "statemachines" / "daily.asl.json"
STEPS = ("fetch_daily", "data_quality", "alert_day")


@dataclass(frozen=True)
class DailyArgs:
    """The arguments of `Daily`.

    Attributes
    ----------
    functions : catalogue name to function
    alert_topic, alert_key : ARNs
    ledger : the table that holds the kill switch
    """

    deployment: Deployment
    functions: Mapping[str, lambda_.Function]
    alert_topic: pulumi.Input[str]
    alert_key: pulumi.Input[str]
    ledger: dynamodb.Table


class Daily(pulumi.ComponentResource):
    """The state machine `statemachines/daily.asl.json`.

    Attributes
    ----------
    machine : the state machine
    """

    machine: sfn.StateMachine

    def __init__(
        self, name: str, args: DailyArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:daily:Daily", name, None, opts)
        steps = {key: args.functions[key].arn for key in STEPS}
        self.machine = make_machine(
            MachineArgs(
                deployment=args.deployment,
                key="daily",
                description="What the state machine of the day runs as",
                template=DEFINITION.read_text(encoding="utf-8"),
                substitutions={
                    "AlertTopicArn": args.alert_topic,
                    "LedgerTable": args.ledger.name,
                    **{f"{camel_case(key)}FunctionArn": arn for key, arn in steps.items()},
                },
                statements=[
                    Statement("CallFunctions", ["lambda:InvokeFunction"], list(steps.values())),
                    *publish_statements([args.alert_topic], args.alert_key),
                    read_switch(args.ledger),
                ],
            ),
            self,
        )
        self.register_outputs({"state_machine": self.machine.arn})
