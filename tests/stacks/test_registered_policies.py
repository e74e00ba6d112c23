"""Properties of every IAM document: least privilege, and a ceiling over all of it."""

import json
from fnmatch import fnmatchcase

from policy_documents import IDENTITY_POLICY, allows, of_roles, policies, statements_with
from policy_linter import findings

from stackcheck.recording import Recording
from stacks.policies import WILDCARD_REASONS
from trading.data.providers.keys import VARIABLES


def test_only_explained_statements_cover_every_resource(recording: Recording) -> None:
    for one, policy in policies(recording):
        for statement in policy["Statement"]:
            resources = statement.get("Resource", [])
            if statement["Effect"] == "Allow" and "*" in resources:
                assert resources == ["*"]
                assert statement["Sid"] in WILDCARD_REASONS, one.urn
            if one.type == IDENTITY_POLICY:
                assert all("*" not in action for action in statement["Action"]), one.urn


def test_every_reason_is_needed(dev: Recording, prod: Recording) -> None:
    documents = [policy for recording in (dev, prod) for _, policy in policies(recording)]
    statements = [one for document in documents for one in document["Statement"]]
    used = {one["Sid"] for one in statements if "*" in one.get("Resource", [])}
    assert used == set(WILDCARD_REASONS)


def test_parliament_finds_nothing_wrong_with_the_policies_of_roles(recording: Recording) -> None:
    linted = of_roles(recording)
    assert len(linted) == len(recording.of("aws:iam/role:Role"))
    for one, policy in linted:
        assert findings(policy) == [], one.urn


def test_the_linter_would_find_a_mistake(dev: Recording) -> None:
    _, policy = of_roles(dev)[0]
    policy["Statement"][0]["Action"] = ["logs:PutLogEvent"]
    assert findings(policy)


def test_policies_fit_the_quotas(recording: Recording) -> None:
    """10,240 characters for the inline policies of a role, 6,144 for a managed one."""
    for one, policy in policies(recording):
        room = 6_144 if one.type == "aws:iam/policy:Policy" else 10_240
        assert len(json.dumps(policy, separators=(",", ":"))) <= room, one.urn


def test_every_role_is_capped_by_the_boundary(recording: Recording) -> None:
    (boundary,) = recording.of("aws:iam/policy:Policy")
    for role in recording.of("aws:iam/role:Role"):
        assert role.inputs["permissionsBoundary"] == boundary.outputs["arn"], role.urn


def test_the_boundary_covers_what_the_roles_may_do(recording: Recording) -> None:
    """A grant beyond it would be refused on AWS: widen `stacks/boundary.py`, by intent."""
    (boundary,) = recording.of("aws:iam/policy:Policy")
    ceiling = json.loads(boundary.inputs["policy"])
    for one, policy in of_roles(recording):
        for statement in policy["Statement"]:
            for action in statement["Action"]:
                for resource in statement["Resource"]:
                    assert allows(ceiling, action, resource), (one.name, action, resource)


def test_the_boundary_keeps_out_of_administration_and_other_environments(dev: Recording) -> None:
    (boundary,) = dev.of("aws:iam/policy:Policy")
    ceiling = json.loads(boundary.inputs["policy"])
    place = "us-east-1:123456789012"
    refused = {
        "iam:PutRolePolicy": "arn:aws:iam::123456789012:role/trading-dev-rank",
        "iam:DeleteRolePermissionsBoundary": "arn:aws:iam::123456789012:role/trading-dev-rank",
        "dynamodb:DeleteTable": f"arn:aws:dynamodb:{place}:table/trading-dev-ledger",
        "dynamodb:GetItem": f"arn:aws:dynamodb:{place}:table/trading-prod-ledger",
        "s3:PutBucketPolicy": "arn:aws:s3:::trading-dev-data-123456789012",
        "s3:GetObject": "arn:aws:s3:::trading-prod-data-123456789012/bars/year=2020.parquet",
        "secretsmanager:PutSecretValue": f"arn:aws:secretsmanager:{place}:secret:trading-dev/x",
        "kms:ScheduleKeyDeletion": f"arn:aws:kms:{place}:key/1",
    }
    for action, resource in refused.items():
        assert not allows(ceiling, action, resource), action


def test_roles_are_assumed_for_this_account_alone(recording: Recording) -> None:
    """Lambda and CloudTrail's log delivery tell no account: a condition on it refuses them."""
    silent = [{"Service": "cloudtrail.amazonaws.com"}, {"Service": "lambda.amazonaws.com"}]
    for role in recording.of("aws:iam/role:Role"):
        (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        assert statement["Action"] == ["sts:AssumeRole"]
        if statement["Principal"] in silent:
            assert "Condition" not in statement, role.urn
        else:
            asked = statement["Condition"]
            assert any("aws:SourceAccount" in keys for keys in asked.values()), role.urn


def test_passing_a_role_is_limited_to_training(dev: Recording) -> None:
    passing = list(statements_with(dev, "iam:PassRole").values())
    assert [statement["Resource"] for statement in passing] == [
        ["arn:aws:iam::123456789012:role/trading-dev-training"]
    ]
    assert passing[0]["Condition"] == {
        "StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}
    }


def test_mail_is_sent_only_from_the_sender(dev: Recording) -> None:
    sending = statements_with(dev, "ses:SendEmail")
    assert set(sending) == {"notify"}
    assert sending["notify"]["Condition"] == {
        "StringEquals": {"ses:FromAddress": "signals@trading.example"}
    }


def test_only_fetch_and_rotation_read_the_keys_of_providers(dev: Recording) -> None:
    secrets = {one.inputs["name"] for one in dev.of("aws:secretsmanager/secret:Secret")}
    assert secrets == {f"trading-dev/providers/{name}" for name in VARIABLES}
    reading = statements_with(dev, "secretsmanager:GetSecretValue")
    assert set(reading) == {"fetch_daily", "rotate_key"}
    for statement in reading.values():
        assert len(statement["Resource"]) == len(secrets)
        assert not any(arn.endswith("*") for arn in statement["Resource"])
    moving = statements_with(dev, "secretsmanager:UpdateSecretVersionStage")
    assert set(moving) == {"rotate_key"}


def test_the_data_key_is_used_through_services_of_this_account_only(recording: Recording) -> None:
    (key,) = (one for one in recording.of("aws:kms/key:Key") if one.name == "data")
    for statement in json.loads(key.inputs["policy"])["Statement"]:
        if statement["Principal"] == {"AWS": "*"}:
            asked = statement["Condition"]["StringEquals"]
            assert asked["kms:CallerAccount"] == "123456789012"
            assert all(
                fnmatchcase(service, "*.us-east-1.amazonaws.com")
                for service in asked["kms:ViaService"]
            )
        elif "Service" in statement["Principal"]:
            assert statement["Condition"], statement["Sid"]
