"""A state machine of a definition file: its role, its log group, itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import sfn

from stacks.definition import render
from stacks.deployment import Deployment
from stacks.log_groups import VENDED_LOGS, make_log_group
from stacks.policies import Statement
from stacks.roles import RoleArgs, make_role


@dataclass(frozen=True)
class MachineArgs:
    """What a state machine is made of.

    Attributes
    ----------
    key : its name in the program and, behind the environment's, on AWS
    description : of its role
    template : the definition, with `${Substitutions}`
    substitutions : their values
    statements : what its role may do, beside logging and tracing
    """

    deployment: Deployment
    key: str
    description: str
    template: str
    substitutions: Mapping[str, pulumi.Input[str]]
    statements: Sequence[Statement]


def make_machine(args: MachineArgs, parent: pulumi.Resource) -> sfn.StateMachine:
    """Return the state machine, of the standard type, with a role that may do exactly its work."""
    deployment, key = args.deployment, args.key
    made = make_role(
        RoleArgs(
            deployment=deployment,
            key=key,
            name=deployment.name(key),
            description=args.description,
            service="states.amazonaws.com",
            statements=[*args.statements, *_observability()],
        ),
        parent,
    )
    log_group = make_log_group(key, f"{VENDED_LOGS}/states", deployment, parent)
    return sfn.StateMachine(
        key,
        name=deployment.name(key),
        type="STANDARD",
        definition=pulumi.Output.all(**args.substitutions).apply(
            lambda values: render(args.template, values)
        ),
        role_arn=made.arn,
        logging_configuration=sfn.StateMachineLoggingConfigurationArgs(
            level="ALL",
            include_execution_data=True,
            log_destination=pulumi.Output.concat(log_group.arn, ":*"),
        ),
        tracing_configuration=sfn.StateMachineTracingConfigurationArgs(enabled=True),
        tags=deployment.tags,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[made.policy]),
    )


def _observability() -> list[Statement]:
    return [
        Statement(
            "DeliverLogs",
            [
                "logs:CreateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:DescribeLogGroups",
                "logs:DescribeResourcePolicies",
                "logs:GetLogDelivery",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "logs:UpdateLogDelivery",
            ],
            ["*"],
        ),
        Statement(
            "Trace",
            [
                "xray:GetSamplingRules",
                "xray:GetSamplingTargets",
                "xray:PutTelemetryRecords",
                "xray:PutTraceSegments",
            ],
            ["*"],
        ),
    ]
