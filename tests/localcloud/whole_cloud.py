"""The whole cloud inside the test's process, without a deployed stack."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localcloud.context import ACCOUNT, CloudContext
from localcloud.home import Home

SERVICES = (
    *("lambda", "events", "scheduler", "sns", "sqs", "ses", "sesv2", "logs", "iam", "sts"),
    *("s3", "stepfunctions", "dynamodb", "sagemaker", "secretsmanager", "kms"),
)


@contextmanager
def whole_cloud(home: Path, repository: Path | None = None) -> Iterator[CloudContext]:
    """Start a cloud on `home` with moto's services empty, and stop it at the end."""
    from moto.backends import get_backend
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    from localcloud.server import Cloud

    for service in SERVICES:
        get_backend(service).reset()
    stepfunctions_parser_backends.reset()
    cloud = Cloud(Home(home))
    if repository is not None:
        cloud.context.repository = repository
    try:
        yield cloud.context
    finally:
        cloud.stop()


def make_role(
    context: CloudContext, name: str, service: str, *statements: Mapping[str, Any]
) -> str:
    """Create a role that a service may assume; return its ARN."""
    iam = context.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
    if statements:
        iam.put_role_policy(
            RoleName=name, PolicyName="inline", PolicyDocument=document(*statements)
        )
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def document(*statements: Mapping[str, Any]) -> str:
    """Return a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """Return a statement that allows something."""
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def deny(actions: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """Return a statement that denies something."""
    return {"Effect": "Deny", "Action": actions, "Resource": resource, **more}
