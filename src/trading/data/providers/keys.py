"""API keys: from the environment locally, from Secrets Manager at the edge; never printed."""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

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


def secrets_manager_keys(client: Any, secret_id: str) -> KeyResolver:
    """Return a resolver of the keys in one secret, a JSON object of provider -> key.

    `client` is a Secrets Manager client of boto3. The secret is read once, at the first question.
    Raises `ConfigurationError`, without any part of the secret, when it is not such an object.
    """
    held: dict[str, SecretStr] = {}

    def resolve(provider: str) -> SecretStr | None:
        if not held:
            held.update(_read_secret(client, secret_id))
        return held.get(provider)

    return resolve


def require_key(provider: str, keys: KeyResolver) -> SecretStr:
    """Return the key of `provider`; raises `ConfigurationError` when there is none."""
    if (key := keys(provider)) is None:
        raise ConfigurationError(
            f"{provider} needs an API key and none was found: set ${VARIABLES[provider]}, or add "
            f"{provider!r} to the secret of the deployment"
        )
    if not key.get_secret_value().isascii() or not key.get_secret_value().isprintable():
        raise ConfigurationError(
            f"the API key of {provider} holds characters that no key has; copy it again"
        )
    return key


def _read_secret(client: Any, secret_id: str) -> dict[str, SecretStr]:
    text = client.get_secret_value(SecretId=secret_id).get("SecretString") or ""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise ConfigurationError(
            f"the secret {secret_id} is not a JSON object of provider names and API keys; expected "
            '{"polygon": "...", "alpha_vantage": "..."}'
        )
    return {name: SecretStr(value.strip()) for name, value in found.items() if value.strip()}
