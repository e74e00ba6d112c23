"""Who asks, whether it is let in, and what it may do."""

from collections.abc import Iterator

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
)

from trading.account.finding import Finding, failed, ok, unknown, warning
from trading.account.needs import DEPLOYING, SERVICES
from trading.account.unanswered import code_of, not_asked

CREDENTIALS = "credentials"
PERMISSIONS = "permissions"
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
REFUSED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
)
NOT_SUBSCRIBED = frozenset({"OptInRequired", "SubscriptionRequiredException"})
MANY = 10


def caller(session: boto3.Session) -> tuple[str | None, Finding]:
    """Return the ARN of who asks, None when AWS knows nobody, and what was found."""
    try:
        answer = session.client("sts").get_caller_identity()
    except (NoCredentialsError, PartialCredentialsError):
        return None, failed(
            CREDENTIALS,
            "there are none, or only a part",
            "run `aws configure sso` or set AWS_PROFILE, then ask again",
        )
    except EndpointConnectionError as error:
        return None, failed(
            CREDENTIALS, f"AWS cannot be reached: {error}", "check network and proxy settings"
        )
    except ClientError as error:
        code = code_of(error)
        way_out = (
            "sign in again (`aws sso login`)"
            if code in EXPIRED
            else "check the access key, its secret and this machine's clock"
        )
        return None, failed(CREDENTIALS, f"AWS does not accept them ({code})", way_out)
    except BotoCoreError as error:
        return None, failed(
            CREDENTIALS, f"they cannot be used: {error}", "check the profile in ~/.aws/config"
        )
    arn = str(answer["Arn"])
    if arn.endswith(":root"):
        return arn, warning(
            CREDENTIALS,
            f"account {answer['Account']} as its root user",
            "deploy as a role that can be revoked; keep root for the account itself",
        )
    return arn, ok(CREDENTIALS, f"account {answer['Account']} as {arn}")


def region(session: boto3.Session) -> Finding:
    """Find whether the account may use its region."""
    check, name = f"region {session.region_name}", session.region_name
    if name not in session.get_available_regions("sagemaker"):
        return failed(
            check,
            "SageMaker is not offered there, or there is no such region",
            "set aws:region in Pulumi.<stack>.yaml to one such as us-east-1",
        )
    try:
        found = session.client("ec2").describe_regions(RegionNames=[name], AllRegions=True)
    except (ClientError, BotoCoreError) as error:
        return not_asked(check, error, "allow ec2:DescribeRegions")
    if [one.get("OptInStatus") for one in found["Regions"]] == ["not-opted-in"]:
        return failed(
            check,
            "the account has not opted in to it",
            f"run `aws account enable-region --region-name {name}`, or choose another region",
        )
    return ok(check, "the account may use it")


def services(session: boto3.Session) -> Iterator[Finding]:
    """Find which services cannot be used; all that can are one finding."""
    usable = []
    for service, (operation, arguments) in SERVICES.items():
        check = f"service {service}"
        try:
            getattr(session.client(service), operation)(**arguments)
        except ClientError as error:
            code = code_of(error)
            if code in NOT_SUBSCRIBED:
                yield failed(
                    check,
                    f"the account is not signed up for it ({code})",
                    "finish the account's registration, payment method included",
                )
            else:
                yield unknown(
                    check,
                    f"it answers {code}",
                    f"allow {service}: {operation}, or have who deploys ask",
                )
        except BotoCoreError as error:
            yield failed(check, f"it cannot be reached: {error}", "choose a region that has it")
        else:
            usable.append(service)
    if usable:
        yield ok("services", f"{len(usable)} of {len(SERVICES)} answer")


def permissions(session: boto3.Session, arn: str) -> Finding:
    """Find which actions of a deployment the policies of who asks do not allow."""
    if arn.endswith(":root"):
        return ok(PERMISSIONS, "the root user may do everything")
    principal = principal_of(arn)
    try:
        pages = session.client("iam").get_paginator("simulate_principal_policy")
        results = [
            one
            for page in pages.paginate(PolicySourceArn=principal, ActionNames=list(DEPLOYING))
            for one in page["EvaluationResults"]
        ]
    except (ClientError, BotoCoreError) as error:
        return not_asked(
            PERMISSIONS,
            error,
            "allow iam:SimulatePrincipalPolicy, or deploy with AdministratorAccess",
        )
    denied = sorted(one["EvalActionName"] for one in results if one["EvalDecision"] != "allowed")
    if denied:
        more = f" and {len(denied) - MANY} more" if len(denied) > MANY else ""
        return failed(
            PERMISSIONS,
            f"{principal} may not {', '.join(denied[:MANY])}{more}",
            "deploy as a role with these, or with AdministratorAccess",
        )
    return ok(PERMISSIONS, f"all {len(results)} actions that a deployment begins with are allowed")


def principal_of(arn: str) -> str:
    """Return the role of an assumed role's session, whose policies are simulated."""
    head, _, tail = arn.partition(":assumed-role/")
    if not tail:
        return arn
    return f"{head.replace(':sts:', ':iam:')}:role/{tail.partition('/')[0]}"
