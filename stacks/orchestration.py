"""The state machine of the month, and a role that may do exactly what it does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_aws import dynamodb, lambda_, sfn

from stacks.access import publish_statements, read_switch
from stacks.boundary import SYNC_RULE
from stacks.definition import integrations
from stacks.deployment import Deployment
from stacks.functions_catalogue import FUNCTIONS, camel_case
from stacks.machine import MachineArgs, make_machine
from stacks.policies import Statement
from trading.errors import ConfigurationError

DEFINITION = Path(__file__).parents[1] / "statemachines" / "monthly.asl.json"


@dataclass(frozen=True)
class OrchestrationArgs:
    """The arguments of `Orchestration`.

    Attributes
    ----------
    functions : catalogue name to function
    training_image : reference of the training jobs' image
    training_role : ARN of the training jobs' role
    instance_type : what training jobs run on
    alert_topic, warning_topic, alert_key : ARNs
    ledger : the table that holds the kill switch
    """

    deployment: Deployment
    functions: Mapping[str, lambda_.Function]
    training_image: pulumi.Input[str]
    training_role: pulumi.Input[str]
    instance_type: str
    alert_topic: pulumi.Input[str]
    warning_topic: pulumi.Input[str]
    alert_key: pulumi.Input[str]
    ledger: dynamodb.Table


def machine_name(deployment: Deployment) -> str:
    """Return the name of the state machine of the month."""
    return deployment.name("monthly")


def machine_arn(deployment: Deployment) -> str:
    """Return its ARN, known before it exists: a function that starts it comes first."""
    return deployment.arn("states", f"stateMachine:{machine_name(deployment)}")


def executions_arn(deployment: Deployment) -> str:
    """Return the ARN pattern of its executions."""
    return deployment.arn("states", f"execution:{machine_name(deployment)}:*")


class Orchestration(pulumi.ComponentResource):
    """The state machine `statemachines/monthly.asl.json`, of the standard type.

    Attributes
    ----------
    machine : the state machine
    """

    machine: sfn.StateMachine

    def __init__(
        self, name: str, args: OrchestrationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:orchestration:Orchestration", name, None, opts)
        self._args = args
        template = DEFINITION.read_text(encoding="utf-8")
        self.machine = make_machine(
            MachineArgs(
                deployment=args.deployment,
                key="monthly",
                description="What the state machine of the month runs as",
                template=template,
                substitutions=self._substitutions(),
                statements=self._statements(template),
            ),
            self,
        )
        self.register_outputs({"state_machine": self.machine.arn})

    def _steps(self) -> Mapping[str, lambda_.Function]:
        return {key: f for key, f in self._args.functions.items() if FUNCTIONS[key].step}

    def _substitutions(self) -> dict[str, pulumi.Input[str]]:
        return {
            "TrainingImage": self._args.training_image,
            "TrainingRoleArn": self._args.training_role,
            "TrainingInstanceType": self._args.instance_type,
            "AlertTopicArn": self._args.alert_topic,
            "WarningTopicArn": self._args.warning_topic,
            "LedgerTable": self._args.ledger.name,
            **{f"{camel_case(key)}FunctionArn": f.arn for key, f in self._steps().items()},
        }

    def _statements(self, template: str) -> list[Statement]:
        called = [s for use in sorted(integrations(template)) for s in _allow(use, self._args)]
        steps = [function.arn for function in self._steps().values()]
        return [Statement("CallFunctions", ["lambda:InvokeFunction"], steps), *called]


def _allow(integration: str, args: OrchestrationArgs) -> list[Statement]:
    """Return what a service integration needs; an unknown one raises `ConfigurationError`."""
    known: Mapping[str, Callable[[OrchestrationArgs], list[Statement]]] = {
        "sagemaker:createTrainingJob.sync": _train,
        "sns:publish": lambda a: publish_statements([a.alert_topic, a.warning_topic], a.alert_key),
        "dynamodb:getItem": lambda a: [read_switch(a.ledger)],
        # The call itself is among those of the other functions.
        "lambda:invoke.waitForTaskToken": lambda _: [],
    }
    if integration not in known:
        raise ConfigurationError(
            f"the state machine uses {integration}, for which stacks/orchestration.py knows no"
            f" permissions; it knows {', '.join(sorted(known))}"
        )
    return known[integration](args)


def _train(args: OrchestrationArgs) -> list[Statement]:
    """Return AWS's list for `createTrainingJob.sync`, on this environment's jobs only."""
    deployment = args.deployment
    jobs = deployment.arn("sagemaker", f"training-job/{deployment.prefix}-*")
    return [
        Statement(
            "TrainModels",
            [
                "sagemaker:AddTags",
                "sagemaker:CreateTrainingJob",
                "sagemaker:DescribeTrainingJob",
                "sagemaker:StopTrainingJob",
            ],
            [jobs],
        ),
        Statement(
            "PassTrainingRole",
            ["iam:PassRole"],
            [args.training_role],
            conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
        Statement(
            "AwaitTraining",
            ["events:DescribeRule", "events:PutRule", "events:PutTargets"],
            [deployment.arn("events", f"rule/{SYNC_RULE}")],
        ),
    ]
