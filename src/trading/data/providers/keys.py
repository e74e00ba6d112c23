"""API keys: from the environment locally, from Secrets Manager at the edge; never printed."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError
from pydantic import SecretStr

from trading.errors import ConfigurationError

KeyResolver = Callable[[str], SecretStr | None]
VARIABLES: Final = {
    "polygon": "POLYGON_API_KEY",
    "alpha_vantage": "ALPHA_VANTAGE_API_KEY",
    "iex": "IEX_TOKEN",
}


def environment_keys(environ: Mapping[str, str] | None = None) -> KeyResolver:
    """Return a resolver of keys in `$POLYGON_API_KEY`, `$ALPHA_VANTAGE_API_KEY`, `$IEX_TOKEN`."""
    source = os.environ if environ is None else environ

    def resolve(provider: str) -> SecretStr | None:
        value = source.get(VARIABLES.get(provider, ""), "").strip()
        return SecretStr(value) if value else None

    return resolve


def secrets_manager_keys(client: Any, prefix: str) -> KeyResolver:
    """Return a resolver of keys in Secrets Manager: one secret a provider, `<prefix><provider>`.

    `client` is a Secrets Manager client of boto3. A secret is read once, at the first question; one
    that does not exist, or has no value yet, is no key. Raises `ConfigurationError`, without any
    part of the secret, when it cannot be read or is not the key alone.
    """
    held: dict[str, SecretStr | None] = {}

    def resolve(provider: str) -> SecretStr | None:
        if provider not in VARIABLES:
            return None
        if provider not in held:
            held[provider] = _read_secret(client, f"{prefix}{provider}")
        return held[provider]

    return resolve


def put_keys(client: Any, prefix: str, keys: KeyResolver) -> tuple[str, ...]:
    """Put the keys that there are into their secrets, which exist; return whose were put."""
    put = []
    for provider in VARIABLES:
        if (key := keys(provider)) is not None:
            client.put_secret_value(
                SecretId=f"{prefix}{provider}", SecretString=key.get_secret_value()
            )
            put.append(provider)
    return tuple(put)


def require_key(provider: str, keys: KeyResolver) -> SecretStr:
    """Return the key of `provider`; raises `ConfigurationError` when there is none."""
    if (key := keys(provider)) is None:
        raise ConfigurationError(
            f"{provider} needs an API key and none was found: set ${VARIABLES[provider]}; on AWS "
            f"put it into the secret <project>-<environment>/providers/{provider} (aws "
            "secretsmanager put-secret-value)"
        )
    if not key.get_secret_value().isascii() or not key.get_secret_value().isprintable():
        raise ConfigurationError(
            f"the API key of {provider} holds characters that no key has; copy it again"
        )
    return key


def _read_secret(client: Any, secret_id: str) -> SecretStr | None:
    try:
        text = client.get_secret_value(SecretId=secret_id).get("SecretString") or ""
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            return None
        raise ConfigurationError(
            f"the secret {secret_id} cannot be read ({code}): let this role call "
            "secretsmanager:GetSecretValue on it"
        ) from error
    return key_in_secret(text, secret_id)


def key_in_secret(text: str, secret_id: str) -> SecretStr | None:
    """Return the key that a secret's value is; None for an empty one.

    Raises `ConfigurationError`, without any part of the value, when it is not the key alone.
    """
    key = text.strip()
    if key[:1] in ("{", "[", '"'):
        raise ConfigurationError(
            f"the secret {secret_id} is JSON; expected the API key alone: put it again with "
            "--secret-string KEY"
        )
    return SecretStr(key) if key else None
