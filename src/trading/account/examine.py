"""The whole examination of an account."""

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from trading.account import access, limits
from trading.account.finding import Finding, failed
from trading.account.needs import Needs

# A check shall end, not hang: an unreachable region is a finding.
PATIENCE = Config(connect_timeout=10, read_timeout=20, retries={"max_attempts": 3})


def examine(needs: Needs) -> list[Finding]:
    """Return what was found of the account that this process's credentials lead to.

    Nothing in it is changed. Without credentials, or in a region that cannot be used, nothing more
    is asked.
    """
    core = botocore.session.get_session()
    core.set_default_client_config(PATIENCE)
    try:
        session = boto3.Session(botocore_session=core, region_name=needs.region)
    except BotoCoreError as error:
        return [failed(access.CREDENTIALS, str(error), "check AWS_PROFILE and ~/.aws/config")]
    arn, found = access.caller(session)
    findings = [found]
    if arn is None:
        return findings
    findings.append(access.region(session))
    if findings[-1].blocks:
        return findings
    findings += [
        access.permissions(session, arn),
        limits.training_quota(session, needs),
        limits.executions(session, needs),
        limits.mail(session, needs),
        limits.recorder(session, needs),
        *access.services(session),
    ]
    return findings
