"""The engine, against a server: create, adopt, update, replace, prune, protect, destroy."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployer_endpoint import endpoint

import localcloud.deployer.resources  # noqa: F401  registers the handlers
from localcloud.deployer.cloud import Cloud
from localcloud.deployer.engine import Action, Engine, Registration
from localcloud.deployer.errors import DeployError, ProtectedError, UnknownResourceError
from localcloud.deployer.state import State

ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/rolePolicy:RolePolicy"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": "lambda.amazonaws.com"},
            }
        ],
    }
)
DOCUMENT = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
        ],
    }
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with endpoint() as served:
        yield served


@pytest.fixture
def cloud(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "operator")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    found = Cloud(url, "us-east-1")
    yield found
    iam = found.client("iam")
    for role in iam.list_roles()["Roles"]:
        for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            iam.delete_role_policy(RoleName=role["RoleName"], PolicyName=name)
        iam.delete_role(RoleName=role["RoleName"])


def role(name: str = "reader", **options: Any) -> Registration:
    changed = options.pop("inputs", {})
    inputs = {"name": name, "assumeRolePolicy": TRUST, "description": "Reads"} | changed
    options.setdefault("shown", inputs)
    return Registration(f"urn:{ROLE}::role", ROLE, "role", inputs, **options)


def policy(of: str = "reader") -> Registration:
    inputs = {"name": "read", "role": of, "policy": DOCUMENT}
    needs = (f"urn:{ROLE}::role",)
    return Registration(f"urn:{POLICY}::policy", POLICY, "policy", inputs, needs)


class Stack:
    """A program of registrations, run again and again on one state file."""

    def __init__(self, cloud: Cloud, path: Path) -> None:
        self.cloud, self.path = cloud, path

    def up(self, *registrations: Registration, preview: bool = False) -> Engine:
        engine = Engine(self.cloud, State.load(self.path), preview=preview)
        for registration in registrations:
            engine.register(registration)
        engine.prune()
        return engine

    def roles(self) -> set[str]:
        return {one["RoleName"] for one in self.cloud.client("iam").list_roles()["Roles"]}


@pytest.fixture
def stack(cloud: Cloud, tmp_path: Path) -> Stack:
    return Stack(cloud, tmp_path / "state.json")


def actions(engine: Engine) -> list[Action]:
    return [change.action for change in engine.changes]


def test_create_gives_the_id_and_outputs_of_the_cloud(stack: Stack) -> None:
    engine = Engine(stack.cloud, State.load(stack.path))
    identity, outputs = engine.register(role())
    assert identity == "reader"
    assert outputs["arn"] == "arn:aws:iam::123456789012:role/reader"
    assert outputs["description"] == "Reads"


def test_a_second_run_changes_nothing(stack: Stack) -> None:
    stack.up(role(), policy())
    written = stack.path.read_bytes()
    assert actions(stack.up(role(), policy())) == [Action.UNCHANGED, Action.UNCHANGED]
    assert stack.path.read_bytes() == written


def test_what_exists_without_state_is_adopted(stack: Stack) -> None:
    stack.up(role())
    stack.path.unlink()
    again = stack.up(role(inputs={"description": "Writes"}))
    assert actions(again) == [Action.ADOPTED]
    found = stack.cloud.client("iam").get_role(RoleName="reader")["Role"]
    assert found["Description"] == "Writes"


def test_what_the_cloud_has_lost_is_restored(stack: Stack) -> None:
    stack.up(role())
    stack.cloud.client("iam").delete_role(RoleName="reader")
    assert actions(stack.up(role(), preview=True)) == [Action.RESTORED]
    assert actions(stack.up(role())) == [Action.RESTORED]
    assert stack.roles() == {"reader"}


def test_what_the_cloud_has_lost_and_the_program_changed_is_updated(stack: Stack) -> None:
    stack.up(role())
    stack.cloud.client("iam").delete_role(RoleName="reader")
    assert actions(stack.up(role(inputs={"description": "Writes"}))) == [Action.UPDATED]
    found = stack.cloud.client("iam").get_role(RoleName="reader")["Role"]
    assert found["Description"] == "Writes"


def test_a_changed_input_updates_in_place_and_is_named(stack: Stack) -> None:
    stack.up(role())
    engine = stack.up(role(inputs={"description": "Writes"}))
    assert [(c.action, list(c.keys)) for c in engine.changes] == [(Action.UPDATED, ["description"])]


def test_a_changed_policy_names_what_changed_inside_it(stack: Stack) -> None:
    stack.up(role())
    trust = json.loads(TRUST)
    trust["Statement"][0]["Principal"]["Service"] = "states.amazonaws.com"
    changed = role(inputs={"assumeRolePolicy": json.dumps(trust), "description": None})
    (change,) = stack.up(changed, preview=True).changes
    assert [(one.path, one.old, one.new) for one in change.properties] == [
        (
            "assumeRolePolicy.Statement[0].Principal.Service",
            "lambda.amazonaws.com",
            "states.amazonaws.com",
        ),
        ("description", "Reads", None),
    ]


def test_a_changed_secret_says_only_that_it_changed(stack: Stack) -> None:
    stack.up(role(inputs={"description": "s3cr3t"}, shown={"description": "[secret]"}))
    changed = role(inputs={"description": "n3w"}, shown={"description": "[secret]"})
    (change,) = stack.up(changed, preview=True).changes
    (shown,) = change.properties
    assert (shown.path, shown.old, shown.new) == ("description", "[secret]", "[secret]")
    stack.up(changed)
    kept = stack.path.read_text()
    assert "s3cr3t" not in kept
    assert "n3w" not in kept


def test_an_ignored_change_is_no_change(stack: Stack) -> None:
    stack.up(role())
    engine = stack.up(role(inputs={"description": "Writes"}, ignored=("description",)))
    assert actions(engine) == [Action.UNCHANGED]


def test_a_changed_name_replaces(stack: Stack) -> None:
    stack.up(role())
    assert actions(stack.up(role("writer"))) == [Action.REPLACED]
    assert stack.roles() == {"writer"}


def test_what_leaves_the_program_is_deleted_last_needed_first(stack: Stack) -> None:
    stack.up(role(), policy())
    engine = stack.up()
    assert [c.urn for c in engine.changes] == [policy().urn, role().urn]
    assert stack.roles() == set()
    assert State.load(stack.path).entries == {}


def test_a_failed_run_deletes_nothing(stack: Stack) -> None:
    stack.up(role())
    engine = Engine(stack.cloud, State.load(stack.path))
    with pytest.raises(UnknownResourceError):
        engine.register(Registration("urn:x", "aws:ec2/instance:Instance", "x", {}))
    assert stack.roles() == {"reader"}


def test_a_preview_says_what_would_be_done_and_does_not(stack: Stack) -> None:
    assert actions(stack.up(role(), preview=True)) == [Action.CREATED]
    assert stack.roles() == set()
    stack.up(role())
    assert actions(stack.up(preview=True)) == [Action.DELETED]
    assert actions(stack.up(role("writer"), preview=True)) == [Action.REPLACED]
    assert stack.roles() == {"reader"}


def test_a_protected_resource_is_neither_deleted_nor_replaced(stack: Stack) -> None:
    stack.up(role(protect=True))
    with pytest.raises(ProtectedError, match="would be deleted"):
        stack.up()
    with pytest.raises(ProtectedError):
        stack.up(role("writer", protect=True))
    with pytest.raises(ProtectedError):
        Engine(stack.cloud, State.load(stack.path)).destroy()
    assert stack.roles() == {"reader"}
    stack.up(role())
    Engine(stack.cloud, State.load(stack.path)).destroy()
    assert stack.roles() == set()


def test_a_retained_resource_stays_in_the_cloud(stack: Stack) -> None:
    stack.up(role(retain=True))
    assert actions(stack.up()) == [Action.RETAINED]
    assert stack.roles() == {"reader"}
    assert State.load(stack.path).entries == {}


def test_an_unknown_type_is_named_with_its_urn(stack: Stack) -> None:
    with pytest.raises(UnknownResourceError, match=r"urn:x is of type aws:ec2/instance:Instance"):
        stack.up(Registration("urn:x", "aws:ec2/instance:Instance", "x", {}))


def test_a_urn_is_registered_once(stack: Stack) -> None:
    with pytest.raises(DeployError, match="registered twice"):
        stack.up(role(), role())


def test_an_inert_resource_is_listed_with_its_reason(stack: Stack) -> None:
    tag = "registry/trading:abc"
    image = Registration("urn:i", "docker-build:index:Image", "i", {"tags": [tag], "push": True})
    engine = Engine(stack.cloud, State.load(stack.path))
    assert engine.register(image)[1]["ref"] == tag
    assert engine.changes[0].reason
    assert State.load(stack.path).entries == {}


def test_an_error_of_the_cloud_names_the_resource(stack: Stack) -> None:
    with pytest.raises(DeployError, match=r"urn:.*policy could not be deployed: .*nobody"):
        stack.up(policy("nobody"))


def test_looking_up_never_creates(stack: Stack) -> None:
    engine = Engine(stack.cloud, State.load(stack.path))
    with pytest.raises(DeployError, match="there is no aws:iam/role:Role with the id reader"):
        engine.look_up(ROLE, "urn:r", "reader")
    stack.up(role())
    assert engine.look_up(ROLE, "urn:r", "reader")["name"] == "reader"
