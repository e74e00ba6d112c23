"""The Lambda functions, each with its own role, policy and log group."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch, lambda_

from stacks.access import Grantable, statements
from stacks.alarm_catalogue import METRICS_NAMESPACE
from stacks.deployment import Deployment
from stacks.functions_catalogue import FUNCTIONS, FunctionSpec
from stacks.log_groups import make_log_group
from stacks.policies import Statement
from stacks.roles import RoleArgs, ServiceRole, make_role
from trading.errors import ConfigurationError

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
    reserve : whether functions get the executions that the catalogue reserves for them
    """

    deployment: Deployment
    image: pulumi.Input[str]
    environment: Mapping[str, pulumi.Input[str]]
    settings: str
    grantable: Grantable
    dead_letters: pulumi.Input[str]
    reserve: bool = False


class Functions(pulumi.ComponentResource):
    """Every function of the catalogue.

    Attributes
    ----------
    functions : catalogue name to the function
    log_groups : catalogue name to its log group

    Raises
    ------
    ConfigurationError
        When the settings are too long for Lambda's 4 KB of environment variables.
    """

    functions: Mapping[str, lambda_.Function]
    log_groups: Mapping[str, cloudwatch.LogGroup]

    def __init__(
        self, name: str, args: FunctionsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:functions:Functions", name, None, opts)
        _require_room(args.settings)
        self._args = args
        self.log_groups = {key: self._log_group(key) for key in FUNCTIONS}
        self.functions = {key: self._function(key, spec) for key, spec in FUNCTIONS.items()}
        for key, spec in FUNCTIONS.items():
            if spec.asynchronous:
                self._keep_failures(key)
        self.register_outputs({"names": {key: f.name for key, f in self.functions.items()}})

    def _function(self, key: str, spec: FunctionSpec) -> lambda_.Function:
        args, deployment = self._args, self._args.deployment
        name = deployment.name(key)
        log_group = self.log_groups[key]
        made = self._role(key, spec, log_group)
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
            role=made.arn,
            timeout=spec.timeout,
            memory_size=spec.memory,
            reserved_concurrent_executions=spec.concurrency if args.reserve else None,
            environment=lambda_.FunctionEnvironmentArgs(variables=variables),
            kms_key_arn=deployment.key,
            tracing_config=lambda_.FunctionTracingConfigArgs(mode="Active"),
            logging_config=lambda_.FunctionLoggingConfigArgs(
                # Powertools writes JSON itself; Lambda's own would wrap it a second time.
                log_format="Text",
                log_group=log_group.name,
            ),
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[made.policy]),
        )

    def _log_group(self, key: str) -> cloudwatch.LogGroup:
        deployment = self._args.deployment
        return make_log_group(key, "/aws/lambda", deployment, self)

    def _role(self, key: str, spec: FunctionSpec, log_group: cloudwatch.LogGroup) -> ServiceRole:
        deployment = self._args.deployment
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
        return make_role(
            RoleArgs(
                deployment=deployment,
                key=key,
                name=deployment.name(key),
                description=f"What the function {deployment.name(key)} runs as",
                service="lambda.amazonaws.com",
                statements=[*own, *statements(spec.grants, self._args.grantable)],
            ),
            self,
        )

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
