"""The limits of an account that a month would run into."""

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from trading.account.finding import Finding, failed, ok, unknown, warning
from trading.account.needs import Needs
from trading.account.unanswered import code_of, not_asked

MAIL = "mail"
EXECUTIONS = "concurrent executions"
RECORDER = "AWS Config"
# Nine scoring batches, with room for the schedules beside them.
NEEDED_EXECUTIONS = 20
# What the functions reserve, beside the hundred that AWS keeps unreserved.
RESERVING_EXECUTIONS = 200


def training_quota(session: boto3.Session, needs: Needs) -> Finding:
    """Find whether the month's training jobs may run at once on their instances."""
    training = needs.settings.training
    kind = "spot training job" if training.spot else "training job"
    name = f"{training.instance_type} for {kind} usage"
    check = f"quota: {name}"
    try:
        client = session.client("service-quotas")
        # The account's own values come last and win: of some quotas there is only the default.
        quotas = {
            one["QuotaName"]: (float(one["Value"]), str(one["QuotaCode"]))
            for listing in ("list_aws_default_service_quotas", "list_service_quotas")
            for page in client.get_paginator(listing).paginate(ServiceCode="sagemaker")
            for one in page["Quotas"]
        }
    except (ClientError, BotoCoreError) as error:
        return not_asked(
            check, error, "allow servicequotas:ListServiceQuotas, or look it up in the console"
        )
    if name not in quotas:
        return failed(
            check,
            f"SageMaker has no such quota in {session.region_name}",
            "choose another training.instance_type",
        )
    allowed, code = quotas[name]
    request = (
        "aws service-quotas request-service-quota-increase --service-code sagemaker"
        f" --quota-code {code} --desired-value {needs.training_jobs} --region {session.region_name}"
    )
    if allowed < 1:
        return failed(check, "it is zero: no training job can start", f"run `{request}`")
    if allowed < needs.training_jobs:
        return failed(
            check,
            f"{allowed:g} of the {needs.training_jobs} jobs of a month may run at once",
            f"run `{request}`, or set training.max_parallel_jobs to {allowed:g}",
        )
    return ok(check, f"{allowed:g}, of which a month needs {needs.training_jobs}")


def executions(session: boto3.Session, needs: Needs) -> Finding:
    """Find whether the account has the concurrent executions that the functions need."""
    needed = RESERVING_EXECUTIONS if needs.reserves_concurrency else NEEDED_EXECUTIONS
    try:
        limits = session.client("lambda").get_account_settings()["AccountLimit"]
    except (ClientError, BotoCoreError) as error:
        return not_asked(EXECUTIONS, error, "allow lambda:GetAccountSettings")
    allowed = int(limits["ConcurrentExecutions"])
    if allowed < needed:
        way_out = (
            "ask for 1,000 with `aws service-quotas request-service-quota-increase"
            " --service-code lambda --quota-code L-B99A9384 --desired-value 1000`"
        )
        if needs.reserves_concurrency:
            way_out += ", or set trading:reservedConcurrency to false"
            return failed(EXECUTIONS, f"{allowed}, and the functions reserve some", way_out)
        return warning(EXECUTIONS, f"{allowed}: scoring will be throttled and retried", way_out)
    return ok(EXECUTIONS, f"{allowed}")


def mail(session: boto3.Session, needs: Needs) -> Finding:
    """Find whether mail reaches the recipients: the sandbox, a pause, the day's quota."""
    try:
        account = session.client("sesv2").get_account()
    except ClientError as error:
        return unknown(MAIL, f"SES cannot be asked ({code_of(error)})", "allow ses:GetAccount")
    except BotoCoreError as error:
        return failed(MAIL, f"SES cannot be reached: {error}", "choose a region that has it")
    if not account.get("SendingEnabled"):
        status = account.get("EnforcementStatus", "no status")
        return failed(
            MAIL,
            f"sending is paused ({status})",
            "open the SES console's account dashboard and follow the case there",
        )
    quota = float((account.get("SendQuota") or {}).get("Max24HourSend", 0))
    if 0 <= quota < len(needs.recipients):
        return failed(
            MAIL,
            f"{quota:g} mails a day may be sent, and there are {len(needs.recipients)} recipients",
            "ask for production access in the SES console",
        )
    if account.get("ProductionAccessEnabled"):
        return ok(MAIL, "out of the sandbox")
    if needs.verifies_recipients:
        return warning(
            MAIL,
            "in the sandbox: each recipient must confirm the mail that the deployment sends",
            "ask for production access in the SES console before others are added",
        )
    return failed(
        MAIL,
        "in the sandbox: mail goes to verified addresses only",
        "ask for production access in the SES console, or set trading:verifyRecipients to true",
    )


def recorder(session: boto3.Session, needs: Needs) -> Finding:
    """Find whether AWS Config's recorder, the region's only one, is as the environment needs it.

    A deployment that records makes its own; one that only judges needs another's.
    """
    if not needs.judges_configuration:
        return ok(RECORDER, "the environment does not use it")
    try:
        found = session.client("config").describe_configuration_recorders()
    except (ClientError, BotoCoreError) as error:
        return not_asked(RECORDER, error, "allow config:DescribeConfigurationRecorders")
    names = [str(one["name"]) for one in found["ConfigurationRecorders"]]
    own = f"trading-{needs.environment}-recorder"
    others = [name for name in names if name != own]
    if not needs.records_configuration:
        if others:
            return ok(RECORDER, f"the rules judge what {others[0]} records")
        says = f"{own} goes with this setting" if names else "the region has none"
        return failed(
            RECORDER,
            f"the rules need a recorder, and {says}",
            "set trading:awsConfig to full, which makes one, or to off",
        )
    if others:
        return failed(
            RECORDER,
            f"the region has the recorder {others[0]} already, and can have only one",
            "set trading:awsConfig to rules, which uses that one",
        )
    return ok(RECORDER, f"{own} is the environment's own" if names else f"room for {own}")
