"""Lambda functions, who may call them, and what becomes of failed events."""

from typing import Any

from localcloud.deployer.handler import (
    Handler,
    Inputs,
    Live,
    SettingHandler,
    found,
    given,
    gone,
    handles,
)


@handles("aws:lambda/function:Function")
class Function(Handler):
    """A function of package type Image; the image's command names its handler."""

    replace_on = frozenset({"name", "packageType"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the function's name."""
        return str(inputs["name"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return ARN and name."""
        call = self.cloud.client("lambda").get_function_configuration
        answer = found(call, FunctionName=identity)
        if answer is None:
            return None
        return self._live(answer)

    def _live(self, answer: Inputs) -> Live:
        name, arn = answer["FunctionName"], answer["FunctionArn"]
        path = f"arn:aws:apigateway:{self.cloud.region}:lambda:path/2015-03-31/functions"
        return Live(name, {"arn": arn, "name": name, "invokeArn": f"{path}/{arn}/invocations"})

    def create(self, inputs: Inputs) -> Live:
        """Create the function."""
        answer = self.cloud.client("lambda").create_function(
            Code={"ImageUri": inputs["imageUri"]},
            PackageType=inputs["packageType"],
            Tags=inputs.get("tags") or {},
            **given(inputs, Architectures="architectures"),
            **_configuration(inputs),
        )
        if inputs.get("reservedConcurrentExecutions") is not None:
            self._reserve(str(inputs["name"]), inputs)
        return self._live(answer)

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put configuration, code and tags."""
        client = self.cloud.client("lambda")
        configuration = client.update_function_configuration(**_configuration(inputs))
        client.update_function_code(FunctionName=identity, ImageUri=inputs["imageUri"])
        client.tag_resource(Resource=configuration["FunctionArn"], Tags=inputs.get("tags") or {})
        self._reserve(identity, inputs)

    def _reserve(self, name: str, inputs: Inputs) -> None:
        """Put the reserved concurrency; none, or -1 as the provider says it, takes it away."""
        client, reserved = self.cloud.client("lambda"), inputs.get("reservedConcurrentExecutions")
        if reserved is not None and reserved >= 0:
            client.put_function_concurrency(
                FunctionName=name, ReservedConcurrentExecutions=reserved
            )
        elif "ReservedConcurrentExecutions" in client.get_function_concurrency(FunctionName=name):
            client.delete_function_concurrency(FunctionName=name)

    def delete(self, identity: str) -> None:
        """Delete the function."""
        gone(self.cloud.client("lambda").delete_function, FunctionName=identity)


def _configuration(inputs: Inputs) -> dict[str, Any]:
    image = inputs.get("imageConfig") or {}
    return {
        "FunctionName": inputs["name"],
        "Role": inputs["role"],
        "Environment": {"Variables": (inputs.get("environment") or {}).get("variables") or {}},
        "ImageConfig": given(image, Command="commands", EntryPoint="entryPoints"),
        "TracingConfig": {"Mode": (inputs.get("tracingConfig") or {}).get("mode", "PassThrough")},
        **_optional(inputs),
    }


def _optional(inputs: Inputs) -> dict[str, Any]:
    found_inputs = given(
        inputs,
        Description="description",
        Timeout="timeout",
        MemorySize="memorySize",
        KMSKeyArn="kmsKeyArn",
    )
    if letters := inputs.get("deadLetterConfig"):
        found_inputs["DeadLetterConfig"] = {"TargetArn": letters["targetArn"]}
    if storage := inputs.get("ephemeralStorage"):
        found_inputs["EphemeralStorage"] = {"Size": storage["size"]}
    return found_inputs


@handles("aws:lambda/permission:Permission")
class Permission(Handler):
    """A statement of a function's policy; its id is `function/statement`."""

    replace_on = frozenset(
        {"action", "function", "principal", "sourceAccount", "sourceArn", "statementId"}
    )

    def identify(self, inputs: Inputs) -> str | None:
        """Return function and statement."""
        return f"{inputs['function']}/{inputs['statementId']}"

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Look the statement up in the function's policy."""
        function, _, sid = identity.partition("/")
        answer = found(self.cloud.client("lambda").get_policy, FunctionName=function)
        return Live(identity) if answer and f'"{sid}"' in answer["Policy"] else None

    def create(self, inputs: Inputs) -> Live:
        """Add the statement."""
        self.cloud.client("lambda").add_permission(
            FunctionName=inputs["function"],
            StatementId=inputs["statementId"],
            Action=inputs["action"],
            Principal=inputs["principal"],
            **given(inputs, SourceArn="sourceArn", SourceAccount="sourceAccount"),
        )
        return Live(f"{inputs['function']}/{inputs['statementId']}")

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put the statement anew: it cannot be changed."""
        self.delete(identity)
        self.create(inputs)

    def delete(self, identity: str) -> None:
        """Remove the statement."""
        function, _, sid = identity.partition("/")
        call = self.cloud.client("lambda").remove_permission
        gone(call, FunctionName=function, StatementId=sid)


@handles("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
class EventInvokeConfig(SettingHandler):
    """Retries and destinations of asynchronous calls; its id is the function's name."""

    replace_on = frozenset({"functionName"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the function's name."""
        return str(inputs["functionName"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Ask for the configuration."""
        call = self.cloud.client("lambda").get_function_event_invoke_config
        return Live(identity) if found(call, FunctionName=identity) else None

    def put(self, inputs: Inputs) -> None:
        """Put the configuration."""
        destinations = {}
        for key, name in (("onFailure", "OnFailure"), ("onSuccess", "OnSuccess")):
            if destination := (inputs.get("destinationConfig") or {}).get(key):
                destinations[name] = {"Destination": destination["destination"]}
        self.cloud.client("lambda").put_function_event_invoke_config(
            FunctionName=inputs["functionName"],
            DestinationConfig=destinations,
            **given(
                inputs,
                MaximumRetryAttempts="maximumRetryAttempts",
                MaximumEventAgeInSeconds="maximumEventAgeInSeconds",
            ),
        )

    def delete(self, identity: str) -> None:
        """Remove the configuration."""
        call = self.cloud.client("lambda").delete_function_event_invoke_config
        gone(call, FunctionName=identity)
