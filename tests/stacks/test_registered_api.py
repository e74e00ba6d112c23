"""The API: every route is signed for, throttled, logged, and calls the one function it names."""

import json

from stackcheck.recording import Recorded, Recording
from stacks.functions_catalogue import FUNCTIONS

ROUTES = {"GET /health": "api_health"}


def one(recording: Recording, type_: str) -> Recorded:
    (found,) = recording.of(f"aws:apigatewayv2/{type_[0].lower()}{type_[1:]}:{type_}")
    return found


def test_every_route_asks_for_a_signature(recording: Recording) -> None:
    routes = recording.of("aws:apigatewayv2/route:Route")
    assert {route.inputs["routeKey"] for route in routes} == set(ROUTES)
    for route in routes:
        assert route.inputs["authorizationType"] == "AWS_IAM"
        assert "apiKeyRequired" not in route.inputs


def test_a_route_calls_the_function_it_names_and_only_that_route_may(
    recording: Recording,
) -> None:
    functions = {f.name: f for f in recording.of("aws:lambda/function:Function")}
    integrations = {
        i.id: i.inputs for i in recording.of("aws:apigatewayv2/integration:Integration")
    }
    execution = one(recording, "Api").outputs["executionArn"]
    permissions = {
        p.inputs["function"]: p.inputs
        for p in recording.of("aws:lambda/permission:Permission")
        if p.inputs["principal"] == "apigateway.amazonaws.com"
    }
    assert len(permissions) == len(ROUTES)
    for route in recording.of("aws:apigatewayv2/route:Route"):
        key = route.inputs["routeKey"]
        function = functions[ROUTES[key]]
        called = integrations[route.inputs["target"].removeprefix("integrations/")]
        assert called["integrationUri"] == function.outputs["invokeArn"]
        assert called["payloadFormatVersion"] == "2.0"
        assert called["timeoutMilliseconds"] >= FUNCTIONS[ROUTES[key]].timeout * 1000
        source = permissions[function.inputs["name"]]["sourceArn"]
        assert source == f"{execution}/*/{key.replace(' ', '')}"


def test_calls_are_throttled_and_logged(recording: Recording) -> None:
    stage = one(recording, "Stage").inputs
    assert stage["name"] == "$default"
    limits = stage["defaultRouteSettings"]
    assert 0 < limits["throttlingRateLimit"] <= limits["throttlingBurstLimit"] <= 100
    logged = json.loads(stage["accessLogSettings"]["format"])
    assert {"request_id", "user", "status", "route"} <= set(logged)
    groups = {g.outputs["arn"] for g in recording.of("aws:cloudwatch/logGroup:LogGroup")}
    assert stage["accessLogSettings"]["destinationArn"] in groups
