"""Policies: what their statements allow and deny."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from whole_cloud import allow, deny

from localcloud.errors import CloudError
from localcloud.identity.conditions import holds, pattern
from localcloud.identity.policy import Decision, Requirement, evaluate, parse

OBJECT = "arn:aws:s3:::runs/2026-11/scores.npz"


def decide(
    *statements: dict[str, Any],
    action: str = "s3:GetObject",
    resource: str = OBJECT,
    **context: Any,
) -> Decision:
    keys = {name.replace("_", ":", 1): (value,) for name, value in context.items()}
    parsed = parse("p", json.dumps({"Statement": list(statements)}))
    return evaluate(parsed, Requirement(action, resource, keys))


def test_nothing_is_allowed_without_a_statement() -> None:
    decision = decide()
    assert not decision.allowed
    assert decision.reason == "because no identity-based policy allows it"


def test_the_allowing_statement_is_named() -> None:
    assert decide(allow("s3:Get*", "arn:aws:s3:::runs/*", Sid="Read")).statement == "p#Read"


def test_a_deny_wins_wherever_it_stands() -> None:
    statements = [allow("s3:*"), deny("s3:GetObject", "arn:aws:s3:::runs/*", Sid="No")]
    for order in (statements, statements[::-1]):
        decision = decide(*order)
        assert not decision.allowed
        assert decision.reason == "with an explicit deny in p#No"


@pytest.mark.parametrize(
    ("actions", "resource", "allowed"),
    [
        ("s3:getobject", "*", True),
        ("s3:GetObjec?", "*", True),
        ("s3:PutObject", "*", False),
        ("dynamodb:*", "*", False),
        ("s3:GetObject", "arn:aws:s3:::runs/2026-*", True),
        ("s3:GetObject", "arn:aws:s3:::runs", False),
        ("s3:GetObject", "arn:aws:s3:::RUNS/*", False),
    ],
)
def test_wildcards(actions: str, resource: str, allowed: bool) -> None:
    assert decide(allow(actions, resource)).allowed is allowed


def test_not_action_and_not_resource_turn_the_match_round() -> None:
    but_deletes = {"Effect": "Allow", "NotAction": "s3:Delete*", "Resource": "*"}
    assert decide(but_deletes).allowed
    assert not decide(but_deletes, action="s3:DeleteObject").allowed
    but_models = {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::models/*"}
    assert decide(but_models).allowed
    assert not decide(but_models, resource="arn:aws:s3:::models/x").allowed


def test_variables_are_filled_from_the_context() -> None:
    own = allow("s3:GetObject", "arn:aws:s3:::runs/${aws:PrincipalAccount}/*")
    inside = "arn:aws:s3:::runs/123/x"
    assert decide(own, resource=inside, aws_PrincipalAccount="123").allowed
    assert not decide(own, resource=inside, aws_PrincipalAccount="124").allowed
    assert not decide(own, resource=inside).allowed


def test_every_key_and_operator_of_a_condition_must_hold() -> None:
    statement = allow(
        "s3:GetObject",
        Condition={"StringEquals": {"a:x": ["1", "2"], "a:y": "3"}, "Bool": {"a:z": True}},
    )
    assert decide(statement, a_x="2", a_y="3", a_z="true").allowed
    assert not decide(statement, a_x="3", a_y="3", a_z="true").allowed
    assert not decide(statement, a_x="2", a_z="true").allowed
    assert not decide(statement, a_x="2", a_y="3", a_z="false").allowed


@pytest.mark.parametrize(
    ("operator", "expected", "actual", "result"),
    [
        ("StringLike", ["pre/*"], ("pre/a",), True),
        ("StringNotEquals", ["a"], ("b",), True),
        ("StringNotEquals", ["a"], ("a",), False),
        ("StringNotEquals", ["a"], None, True),
        ("StringEquals", ["a"], None, False),
        ("StringEqualsIfExists", ["a"], None, True),
        ("StringEqualsIfExists", ["a"], ("b",), False),
        ("Null", ["true"], None, True),
        ("Null", ["false"], None, False),
        ("ArnLike", ["arn:aws:sns:*:1:t"], ("arn:aws:sns:us:1:t",), True),
        ("ArnLike", ["arn:aws:*"], ("arn:aws:sns:us:1:t",), False),
        ("NumericLessThan", ["5"], ("4.5",), True),
        ("NumericLessThan", ["5"], ("five",), False),
        ("DateLessThan", ["2030-01-01"], ("2029-12-31T23:59:59Z",), True),
        ("DateLessThan", ["2030-01-01T00:00:00Z"], ("2030-01-01T00:00:00Z",), False),
        ("DateLessThanEquals", ["1893456000"], ("2030-01-01T00:00:00Z",), True),
        ("DateGreaterThan", ["2030-01-01T01:00:00+01:00"], ("2030-01-01T00:00:01Z",), True),
        ("DateNotEquals", ["2030-01-01"], ("2030-01-01T00:00:00Z",), False),
        ("DateEquals", ["someday"], ("2030-01-01",), False),
        ("IpAddress", ["127.0.0.0/8", "10.0.0.1"], ("127.0.0.1",), True),
        ("IpAddress", ["2001:db8::/32"], ("2001:db8::1",), True),
        ("IpAddress", ["127.0.0.0/8"], ("nowhere",), False),
        ("NotIpAddress", ["127.0.0.0/8"], ("127.0.0.1",), False),
        ("NotIpAddress", ["10.0.0.0/8"], ("127.0.0.1",), True),
        ("BinaryEquals", ["AQI="], ("AQI=",), True),
        ("BinaryEquals", ["AQI="], ("not base64",), False),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
        ("ForAllValues:StringEquals", ["a"], ("a", "b"), False),
        ("ForAllValues:StringEquals", ["a"], None, True),
        ("ForAnyValue:StringEquals", ["a"], ("b", "a"), True),
    ],
)
def test_condition_operators(
    operator: str, expected: list[str], actual: tuple[str, ...] | None, result: bool
) -> None:
    assert holds(operator, expected, actual) is result


def test_an_operator_that_is_not_evaluated_is_refused_and_not_ignored() -> None:
    with pytest.raises(CloudError, match="StringMatches"):
        decide(deny("s3:*", Condition={"StringMatches": {"aws:CurrentTime": "2030-01-01"}}))
    with pytest.raises(CloudError, match="NotPrincipal"):
        decide({"Effect": "Deny", "NotPrincipal": "*", "Action": "*", "Resource": "*"})


@given(st.text(max_size=20))
def test_a_text_without_wildcards_matches_itself_only(text: str) -> None:
    plain = text.replace("*", "").replace("?", "")
    assert pattern(plain).fullmatch(plain)
    assert not pattern(plain).fullmatch(plain + "x")
    assert pattern("*").fullmatch(text)


@given(st.text(max_size=10), st.text(max_size=10), st.text(max_size=10))
def test_a_star_matches_whatever_is_between(first: str, middle: str, last: str) -> None:
    assert pattern(f"{first}*{last}").fullmatch(first + middle + last)
