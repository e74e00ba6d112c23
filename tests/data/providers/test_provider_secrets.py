"""API keys in Secrets Manager: one secret a provider, read once, never told."""

import traceback
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from trading.data.providers.keys import (
    VARIABLES,
    environment_keys,
    put_keys,
    require_key,
    secrets_manager_keys,
)
from trading.errors import ConfigurationError

PREFIX = "trading-test/providers/"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        made = boto3.client("secretsmanager", region_name="us-east-1")
        for provider in VARIABLES:
            made.create_secret(Name=PREFIX + provider)
        yield made


class Counting:
    """A client that counts what is read, or fails with a code."""

    def __init__(self, inner: Any = None, code: str = "") -> None:
        self.inner, self.code, self.asked = inner, code, 0

    def get_secret_value(self, **request: str) -> Any:
        self.asked += 1
        if self.code:
            raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "GetSecretValue")
        return self.inner.get_secret_value(**request)


def test_a_key_is_read_once_from_the_secret_of_its_provider(client: Any) -> None:
    put = put_keys(client, PREFIX, environment_keys({"POLYGON_API_KEY": "p1", "IEX_TOKEN": "i1\n"}))
    assert put == ("polygon", "iex")
    counting = Counting(client)
    keys = secrets_manager_keys(counting, PREFIX)
    found = [keys(name) for name in ("polygon", "polygon", "iex", "yahoo", "alpha_vantage")]
    assert [key and key.get_secret_value() for key in found] == ["p1", "p1", "i1", None, None]
    assert counting.asked == 3
    assert "p1" not in repr(found)


def test_a_secret_without_a_value_is_a_missing_key_that_says_where_to_put_it(client: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"providers/polygon .*put-secret-value"):
        require_key("polygon", secrets_manager_keys(client, PREFIX))
    with pytest.raises(ConfigurationError, match="none was found"):
        require_key("polygon", secrets_manager_keys(client, "nowhere/"))


def test_a_refused_secret_names_the_permission(client: Any) -> None:
    keys = secrets_manager_keys(Counting(code="AccessDeniedException"), PREFIX)
    with pytest.raises(ConfigurationError, match="secretsmanager:GetSecretValue"):
        keys("polygon")


@pytest.mark.parametrize(
    "bad", ['["leaky-canary"]', '{"polygon": "leaky-canary"}', '"leaky-canary']
)
def test_what_is_not_the_key_alone_is_refused_without_telling_it(client: Any, bad: str) -> None:
    client.put_secret_value(SecretId=PREFIX + "polygon", SecretString=bad)
    with pytest.raises(ConfigurationError, match=PREFIX) as raised:
        secrets_manager_keys(client, PREFIX)("polygon")
    assert "leaky-canary" not in "".join(traceback.format_exception(raised.value))
