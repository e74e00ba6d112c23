"""The Lambda functions, each with its own role, policy and log group."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch, iam, lambda_

from stacks.access import Grantable, statements
from stacks.deployment import Deployment
from stacks.functions_catalogue import FUNCTIONS, FunctionSpec
from stacks.policies import Statement, document, trust
from trading.errors import ConfigurationError

METRICS_NAMESPACE = "Trading"
ENVIRONMENT_BYTES = 4096
EVENT_AGE_SECONDS = 3600
RETRIES = 2


@dataclass(frozen=True)
class FunctionsArgs:
    """The arguments of `Functions`.

    Attributes
    ----------
    image : reference of the image that holds every handler
    environment : variables that every function gets
    settings : the value of TRADING_SETTINGS, a JSON object
    grantable : what the catalogue's grants refer to
    dead_letters : ARN of the queue for events that a function failed on for good
    """

    deployment: Deployment
    image: pulumi.Input[str]
    environment: Mapping[str, pulumi.Input[str]]
    settings: str
    grantable: Grantable
    dead_letters: pulumi.Input[str]


class Functions(pulumi.ComponentResource):
    """Every function of the catalogue.

    Attributes
    ----------
    functions : catalogue name to the function

    Raises
    ------
    ConfigurationError
        When the settings are too long for Lambda's 4 KB of environment variables.
    """

    functions: Mapping[str, lambda_.Function]

    def __init__(
        self, name: str, args: FunctionsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:functions:Functions", name, None, opts)
        _require_room(args.settings)
        self._args = args
        self.functions = {key: self._function(key, spec) for key, spec in FUNCTIONS.items()}
        for key, spec in FUNCTIONS.items():
            if spec.asynchronous:
                self._keep_failures(key)
        self.register_outputs({"names": {key: f.name for key, f in self.functions.items()}})

    def _function(self, key: str, spec: FunctionSpec) -> lambda_.Function:
        args, deployment = self._args, self._args.deployment
        name = deployment.name(key)
        log_group = cloudwatch.LogGroup(
            key,
            name=f"/aws/lambda/{name}",
            retention_in_days=deployment.log_retention_days,
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        role, policy = self._role(key, spec, log_group)
        variables = {
            **args.environment,
            "TRADING_SETTINGS": args.settings,
            "POWERTOOLS_SERVICE_NAME": key,
            "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        }
        return lambda_.Function(
            key,
            name=name,
            description=spec.description,
            package_type="Image",
            image_uri=args.image,
            image_config=lambda_.FunctionImageConfigArgs(commands=[f"functions.{key}.handler"]),
            architectures=["x86_64"],
            role=role.arn,
            timeout=spec.timeout,
            memory_size=spec.memory,
            environment=lambda_.FunctionEnvironmentArgs(variables=variables),
            tracing_config=lambda_.FunctionTracingConfigArgs(mode="Active"),
            logging_config=lambda_.FunctionLoggingConfigArgs(
                # Powertools writes JSON itself; Lambda's own would wrap it a second time.
                log_format="Text",
                log_group=log_group.name,
            ),
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )

    def _role(
        self, key: str, spec: FunctionSpec, log_group: cloudwatch.LogGroup
    ) -> tuple[iam.Role, iam.RolePolicy]:
        deployment = self._args.deployment
        role = iam.Role(
            key,
            name=deployment.name(key),
            description=f"What the function {deployment.name(key)} runs as",
            assume_role_policy=trust("lambda.amazonaws.com"),
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        own = [
            Statement(
                "WriteLogs",
                ["logs:CreateLogStream", "logs:PutLogEvents"],
                [pulumi.Output.concat(log_group.arn, ":*")],
            ),
            Statement("Trace", ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], ["*"]),
        ]
        if spec.asynchronous:
            keep = Statement("KeepFailures", ["sqs:SendMessage"], [self._args.dead_letters])
            own.append(keep)
        policy = iam.RolePolicy(
            key,
            name=key,
            role=role.name,
            policy=document([*own, *statements(spec.grants, self._args.grantable)]),
            opts=pulumi.ResourceOptions(parent=role),
        )
        return role, policy

    def _keep_failures(self, key: str) -> None:
        lambda_.FunctionEventInvokeConfig(
            key,
            function_name=self.functions[key].name,
            maximum_retry_attempts=RETRIES,
            maximum_event_age_in_seconds=EVENT_AGE_SECONDS,
            destination_config=lambda_.FunctionEventInvokeConfigDestinationConfigArgs(
                on_failure=lambda_.FunctionEventInvokeConfigDestinationConfigOnFailureArgs(
                    destination=self._args.dead_letters
                )
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _require_room(settings: str) -> None:
    """Leave half of the quota to the names and ARNs of the other variables."""
    size, room = len(settings.encode()), ENVIRONMENT_BYTES // 2
    if size > room:
        raise ConfigurationError(
            f"trading:settings takes {size} bytes, and {room} of Lambda's {ENVIRONMENT_BYTES} are"
            " left for it: write fewer deviations from the defaults"
            f" (largest: {_largest(settings)})"
        )


def _largest(settings: str) -> str:
    sections: dict[str, object] = json.loads(settings)
    return max(sections, key=lambda name: len(json.dumps(sections[name])))
