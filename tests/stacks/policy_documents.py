"""The IAM documents of a recording."""

import json
from fnmatch import fnmatchcase
from typing import Any

from stackcheck.recording import Recorded, Recording

IDENTITY_POLICY = "aws:iam/rolePolicy:RolePolicy"
POLICY_INPUTS = {
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "policy",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "policy",
    "aws:iam/policy:Policy": "policy",
    "aws:iam/role:Role": "assumeRolePolicy",
    IDENTITY_POLICY: "policy",
    "aws:kms/key:Key": "policy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    "aws:sqs/queuePolicy:QueuePolicy": "policy",
}


def policies(recording: Recording) -> list[tuple[Recorded, dict[str, Any]]]:
    """Return every resource that has a document, with it."""
    return [
        (one, json.loads(one.inputs[POLICY_INPUTS[one.type]]))
        for one in recording.resources
        if one.type in POLICY_INPUTS
    ]


def of_roles(recording: Recording) -> list[tuple[Recorded, dict[str, Any]]]:
    """Return the policies of roles."""
    return [pair for pair in policies(recording) if pair[0].type == IDENTITY_POLICY]


def statements_with(recording: Recording, action: str) -> dict[str, dict[str, Any]]:
    """Return, by the role that has it, the statement that grants an action."""
    return {
        one.name: statement
        for one, policy in of_roles(recording)
        for statement in policy["Statement"]
        if action in statement["Action"]
    }


def allows(policy: dict[str, Any], action: str, resource: str) -> bool:
    """Tell whether a document allows an action on a resource, or on all that a pattern covers.

    Conditions are left out: what a boundary asks for is asked of the role's statement as well.
    """
    return any(
        statement["Effect"] == "Allow"
        and action in statement["Action"]
        and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        for statement in policy["Statement"]
    )
