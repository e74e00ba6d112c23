from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.deployer.errors import StackFileError, UnknownResourceError
from localcloud.deployer.plain import SECRET, SIGNATURE, masked, plain
from localcloud.deployer.stack_file import project_name, stack_configuration
from localcloud.deployer.state import Entry, State, input_hashes

ENTRY = Entry("t", "id", {"name": "0"}, ("urn:parent",), protect=True)


def test_a_state_reads_back_what_it_wrote(tmp_path: Path) -> None:
    state = State.load(tmp_path / "home" / "state.json")
    state.put("urn:a", ENTRY)
    loaded = State.load(state.path).entries["urn:a"]
    assert (loaded.type, loaded.id, loaded.protect) == ("t", "id", True)
    assert list(loaded.dependencies) == ["urn:parent"]
    assert [path.name for path in state.path.parent.iterdir()] == ["state.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 9, "resources": {}}'])
def test_a_broken_state_says_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(StackFileError, match="delete the file|delete it"):
        State.load(path)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=60))
def test_nothing_is_deleted_before_what_needs_it(edges: list[tuple[int, int]]) -> None:
    needs: dict[int, set[str]] = {node: set() for node in range(21)}
    for one, other in edges:
        if one != other:
            needs[max(one, other)].add(f"urn:{min(one, other)}")
    entries = {f"urn:{n}": Entry("t", "id", {}, tuple(needed)) for n, needed in needs.items()}
    order = State(Path("unused"), entries).deletion_order(list(entries))
    assert sorted(order) == sorted(entries)
    place = {urn: index for index, urn in enumerate(order)}
    assert all(place[u] < place[d] for u, e in entries.items() for d in e.dependencies)


def test_the_order_holds_across_what_stays() -> None:
    chain = {"urn:a": (), "urn:b": ("urn:a",), "urn:c": ("urn:b",)}
    entries = {urn: Entry("t", "id", {}, needed) for urn, needed in chain.items()}
    assert State(Path("unused"), entries).deletion_order(["urn:a", "urn:c"]) == ["urn:c", "urn:a"]


def test_hashes_tell_values_apart_and_leave_nothing_out() -> None:
    assert input_hashes({"a": 1, "b": None}).keys() == {"a"}
    assert input_hashes({"a": {"x": 1, "y": 2}}) == input_hashes({"a": {"y": 2, "x": 1}})
    here, there = "http://127.0.0.1:4566/", "http://127.0.0.1:9999/"
    assert input_hashes({"a": [f"{here}q"]}) == input_hashes({"a": [f"{there}q"]})
    assert input_hashes({"a": [f"{here}q"]}) != input_hashes({"a": [f"{here}p"]})
    assert input_hashes({"a": [1, 2]}) != input_hashes({"a": [2, 1]})


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
)


@given(values)
def test_plain_undoes_what_the_protocol_does_to_values(value: Any) -> None:
    assert plain(_as_protocol(value)) == value


def _as_protocol(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_protocol(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_protocol(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        return {SIGNATURE: SECRET, "value": value}
    return value


def test_whole_numbers_become_integers_and_others_stay() -> None:
    assert isinstance(plain(30.0), int)
    assert plain(0.5) == 0.5


def test_secrets_are_masked_for_show() -> None:
    assert masked({"a": [{SIGNATURE: SECRET, "value": "key"}], "b": 1.0}) == {
        "a": ["[secret]"],
        "b": 1,
    }


def test_assets_are_refused() -> None:
    import pulumi

    with pytest.raises(UnknownResourceError, match="asset"):
        plain({"code": pulumi.StringAsset("x")})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config:\n  aws:region: eu-west-1\n  trading:protect: false\n"
        "  trading:settings:\n    training: {folds: 3, seeds: [0]}\n"
    )
    return tmp_path


def test_the_configuration_is_the_file_and_what_the_caller_sets(folder: Path) -> None:
    assert project_name(folder) == "trading"
    overrides = {"settings": {"training": {"folds": 2}}, "aws:region": "us-east-1"}
    assert stack_configuration(folder, "dev", "trading", overrides) == {
        "aws:region": "us-east-1",
        "trading:protect": "false",
        "trading:settings": '{"training": {"folds": 2, "seeds": [0]}}',
    }


def test_a_missing_stack_names_those_there_are(folder: Path) -> None:
    with pytest.raises(StackFileError, match="the stacks are dev"):
        stack_configuration(folder, "test", "trading", {})


def test_an_encrypted_value_is_refused(folder: Path) -> None:
    path = folder / "Pulumi.dev.yaml"
    path.write_text("config:\n  trading:alertEmail:\n    secure: AAAB\n")
    with pytest.raises(StackFileError, match="trading:alertEmail encrypted"):
        stack_configuration(folder, "dev", "trading", {})
