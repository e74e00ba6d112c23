import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.definition import integrations, render, substitutions
from trading.errors import ConfigurationError

TEMPLATE = json.dumps(
    {
        "StartAt": "Work",
        "States": {
            "Work": {"Type": "Task", "Resource": "${WorkFunctionArn}", "Next": "Each"},
            "Each": {
                "Type": "Map",
                "ItemProcessor": {
                    "StartAt": "Tell",
                    "States": {
                        "Tell": {
                            "Type": "Task",
                            "Resource": "arn:aws:states:::sns:publish",
                            "Parameters": {"TopicArn": "${AlertTopicArn}"},
                            "End": True,
                        }
                    },
                },
                "End": True,
            },
        },
    }
)
VALUES = {"WorkFunctionArn": "arn:work", "AlertTopicArn": "arn:topic"}


def test_substitutions_are_found_and_replaced() -> None:
    assert substitutions(TEMPLATE) == set(VALUES)
    rendered = json.loads(render(TEMPLATE, VALUES))
    assert rendered["States"]["Work"]["Resource"] == "arn:work"


def test_an_unknown_substitution_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"asks for \$\{WorkFunctionArn\}"):
        render(TEMPLATE, {"AlertTopicArn": "arn:topic"})


def test_an_unused_value_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"gives \$\{Spare\}, which .* does not use"):
        render(TEMPLATE, {**VALUES, "Spare": "x"})


def test_a_template_that_is_no_json_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not valid JSON"):
        render("{${A}", {"A": "x"})


@given(st.text())
def test_any_value_survives_the_substitution(value: str) -> None:
    rendered = json.loads(render('{"a": "${Name}"}', {"Name": value}))
    assert rendered == {"a": value}


def test_integrations_are_found_at_any_depth_and_functions_are_not() -> None:
    assert integrations(TEMPLATE) == {"sns:publish"}
