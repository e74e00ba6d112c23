"""Stage a provider's new API key, and have Secrets Manager rotate to it now."""

import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import ClientError
from pydantic import SecretStr

from trading.errors import ConfigurationError, TradingError
from trading.month.key_rotation import CURRENT, PENDING, holds_key

WAIT_SECONDS: Final = 180.0
PAUSE_SECONDS: Final = 2.0


class KeyNotPromoted(TradingError):
    """A staged key did not become the current one."""


def rotate_to(
    client: Any,
    secret: str,
    key: SecretStr,
    *,
    wait: float = WAIT_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Stage `key`, start the rotation, wait until it is the current one; return its version.

    Parameters
    ----------
    client : Secrets Manager's, of boto3
    secret : name of the provider's secret
    key : the new key
    wait : seconds for the provider to be asked and the key to be promoted

    Raises
    ------
    ConfigurationError
        The secret holds no key yet. Secrets Manager makes the first version of a secret the
        current one under whatever label it is put: the key would be in use and never tested.
    KeyNotPromoted
        The time is over: the key was refused, or the provider not reached. The old one stays.
    """
    if not holds_key(client.describe_secret(SecretId=secret)):
        raise ConfigurationError(
            f"{secret} holds no key yet: put the first one in with `aws secretsmanager"
            f" put-secret-value --secret-id {secret} --secret-string file://KEY.txt`; a rotation"
            " needs one to replace"
        )
    version = str(uuid.uuid4())
    client.put_secret_value(
        SecretId=secret,
        SecretString=key.get_secret_value(),
        ClientRequestToken=version,
        VersionStages=[PENDING],
    )
    _start(client, secret)
    for _ in range(max(1, round(wait / PAUSE_SECONDS))):
        described = client.describe_secret(SecretId=secret)
        if CURRENT in (described.get("VersionIdsToStages") or {}).get(version, ()):
            return version
        sleep(PAUSE_SECONDS)
    raise KeyNotPromoted(
        f"the new key of {secret} was not promoted within {wait:.0f} s and the old one stays in "
        "use: the provider refused it, or could not be asked; the warning to the operator and the "
        "log of rotate_key say which"
    )


def _start(client: Any, secret: str) -> None:
    """Start the rotation; where one has begun before, Secrets Manager says so and goes on with it.

    Source: "Troubleshoot AWS Secrets Manager rotation", AWS Secrets Manager user guide.
    """
    try:
        client.rotate_secret(SecretId=secret)
    except ClientError as error:
        text = error.response["Error"].get("Message", "")
        if "previous rotation" not in text.lower():
            raise
