"""What differs between two inputs, named property by property."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.deployer.diff import Difference, differences

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (1, 1, []),
        (1, 2, [("", 1, 2)]),
        (None, "x", [("", None, "x")]),
        ({"a": 1, "b": {"c": [1, 2]}}, {"a": 1, "b": {"c": [1, 3]}}, [("b.c[1]", 2, 3)]),
        ([1], [1, 2], [("[1]", None, 2)]),
        ({"a": 1}, {}, [("a", 1, None)]),
        ('{"S": [{"A": "x"}]}', '{"S": [{"A": "y"}]}', [("S[0].A", "x", "y")]),
        ('{"S": 1}', '{ "S": 1 }', []),
        ("{not json", "{nor this", [("", "{not json", "{nor this")]),
        ({"a": 1}, "text", [("", {"a": 1}, "text")]),
        ("é", "e", [("", "é", "e")]),
    ],
)
def test_each_property_that_differs_is_named(old: Any, new: Any, found: list[Any]) -> None:
    assert list(differences(old, new)) == [Difference(*one) for one in found]


@given(JSON)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert list(differences(value, json.loads(json.dumps(value)))) == []
