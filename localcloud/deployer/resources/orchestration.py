"""Step Functions state machines."""

from typing import Any

from localcloud.deployer.handler import Handler, Inputs, Live, found, gone, handles, tag_list


@handles("aws:sfn/stateMachine:StateMachine")
class StateMachine(Handler):
    """A state machine; its id is its ARN."""

    replace_on = frozenset({"name", "type"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the machine's ARN."""
        place = f"{self.cloud.region}:{self.cloud.account}"
        return f"arn:aws:states:{place}:stateMachine:{inputs['name']}"

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return ARN and name."""
        call = self.cloud.client("stepfunctions").describe_state_machine
        answer = found(call, stateMachineArn=identity)
        return None if answer is None else Live(identity, {"arn": identity, "name": answer["name"]})

    def create(self, inputs: Inputs) -> Live:
        """Create the machine."""
        answer = self.cloud.client("stepfunctions").create_state_machine(
            name=inputs["name"],
            type=inputs.get("type", "STANDARD"),
            tags=tag_list(inputs, "key", "value"),
            **_configuration(inputs),
        )
        arn = str(answer["stateMachineArn"])
        return Live(arn, {"arn": arn, "name": inputs["name"]})

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put definition, role, logging and tracing; running executions keep the old ones."""
        self.cloud.client("stepfunctions").update_state_machine(
            stateMachineArn=identity, **_configuration(inputs)
        )

    def delete(self, identity: str) -> None:
        """Delete the machine."""
        gone(self.cloud.client("stepfunctions").delete_state_machine, stateMachineArn=identity)


def _configuration(inputs: Inputs) -> dict[str, Any]:
    configuration: dict[str, Any] = {
        "definition": inputs["definition"],
        "roleArn": inputs["roleArn"],
    }
    if logging := inputs.get("loggingConfiguration"):
        group = {"cloudWatchLogsLogGroup": {"logGroupArn": logging["logDestination"]}}
        configuration["loggingConfiguration"] = {
            "level": logging["level"],
            "includeExecutionData": bool(logging.get("includeExecutionData")),
            "destinations": [group],
        }
    if tracing := inputs.get("tracingConfiguration"):
        configuration["tracingConfiguration"] = {"enabled": bool(tracing.get("enabled"))}
    return configuration
