"""What the engine would write into its state: a secret is marked, and then encrypted there."""

import json

from stackcheck.monitor import ANSWERS
from stackcheck.recording import Recording

CANARY = str(ANSWERS["password"])


def test_the_password_of_the_registry_is_marked_wherever_it_is(recording: Recording) -> None:
    holding = [
        (one.name, key)
        for one in recording.resources
        for key, value in one.inputs.items()
        if CANARY in json.dumps(value)
    ]
    assert {name for name, _ in holding} == {"dashboard", "functions", "training"}
    marked = {(one.name, key) for one in recording.resources for key in one.secret}
    assert set(holding) <= marked


def test_no_output_of_the_stack_is_a_secret(recording: Recording) -> None:
    assert recording.outputs
    assert CANARY not in json.dumps(recording.outputs)


def test_secrets_are_registered_without_values(recording: Recording) -> None:
    for one in recording.of("aws:secretsmanager/secret:Secret"):
        assert not {"secretString", "secretBinary"} & set(one.inputs)
    assert recording.of("aws:secretsmanager/secretVersion:SecretVersion") == []
