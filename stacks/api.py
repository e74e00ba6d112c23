"""The HTTP API: every route is one function, asked by callers who sign with IAM."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import apigatewayv2, lambda_

from stacks.deployment import Deployment
from stacks.log_groups import VENDED_LOGS, make_log_group

# Route to the function of the catalogue that answers it.
ROUTES: Mapping[str, str] = {"GET /health": "api_health"}
REQUESTS_PER_SECOND = 5
BURST = 10
ANSWER_MILLISECONDS = 29_000
ACCESS_LOG = {
    "error": "$context.error.message",
    "integration_error": "$context.integrationErrorMessage",
    "latency": "$context.responseLatency",
    "protocol": "$context.protocol",
    "request_id": "$context.requestId",
    "route": "$context.routeKey",
    "source_ip": "$context.identity.sourceIp",
    "status": "$context.status",
    "time": "$context.requestTime",
    "user": "$context.identity.userArn",
}


@dataclass(frozen=True)
class ApiArgs:
    """The arguments of `Api`; `functions` are those of the catalogue."""

    deployment: Deployment
    functions: Mapping[str, lambda_.Function]


class Api(pulumi.ComponentResource):
    """An HTTP API whose routes are `ROUTES`, throttled, each call logged.

    Every route asks for a signature (SigV4) of a principal with `execute-api:Invoke` on it. A new
    route is a line in `ROUTES` and a function in the catalogue.

    Attributes
    ----------
    api, stage
    """

    api: apigatewayv2.Api
    stage: apigatewayv2.Stage

    def __init__(
        self, name: str, args: ApiArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:api:Api", name, None, opts)
        self._args = args
        deployment = args.deployment
        self.api = apigatewayv2.Api(
            "api",
            name=deployment.name("api"),
            description=f"What may be asked of {deployment.prefix}",
            protocol_type="HTTP",
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.stage = self._stage()
        for route, function in ROUTES.items():
            self._route(route, args.functions[function])
        self.register_outputs({"endpoint": self.api.api_endpoint})

    def _stage(self) -> apigatewayv2.Stage:
        deployment = self._args.deployment
        group = make_log_group("api", f"{VENDED_LOGS}/apis", deployment, self)
        return apigatewayv2.Stage(
            "api",
            api_id=self.api.id,
            name="$default",
            auto_deploy=True,
            default_route_settings=apigatewayv2.StageDefaultRouteSettingsArgs(
                throttling_burst_limit=BURST, throttling_rate_limit=REQUESTS_PER_SECOND
            ),
            access_log_settings=apigatewayv2.StageAccessLogSettingsArgs(
                destination_arn=group.arn, format=json.dumps(ACCESS_LOG)
            ),
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self.api),
        )

    def _route(self, route: str, function: lambda_.Function) -> None:
        method, path = route.split(" ")
        inside = pulumi.ResourceOptions(parent=self.api)
        integration = apigatewayv2.Integration(
            route,
            api_id=self.api.id,
            integration_type="AWS_PROXY",
            integration_method="POST",
            integration_uri=function.invoke_arn,
            payload_format_version="2.0",
            timeout_milliseconds=ANSWER_MILLISECONDS,
            opts=inside,
        )
        lambda_.Permission(
            route,
            statement_id="api",
            action="lambda:InvokeFunction",
            function=function.name,
            principal="apigateway.amazonaws.com",
            source_arn=pulumi.Output.concat(self.api.execution_arn, "/*/", method, path),
            opts=inside,
        )
        apigatewayv2.Route(
            route,
            api_id=self.api.id,
            route_key=route,
            target=pulumi.Output.concat("integrations/", integration.id),
            authorization_type="AWS_IAM",
            opts=inside,
        )
