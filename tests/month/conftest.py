"""A month's resources on moto's DynamoDB and folders: no network, no embedded cloud."""

from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from trading.config import Settings, load_settings
from trading.month.resources import Resources

TABLES = {
    "ledger": ("pk", "sk"),
    "signals": ("month", "symbol"),
    "performance": ("month",),
    "idempotency": ("id",),
}


def make_tables(prefix: str = "") -> None:
    client = boto3.client("dynamodb")
    for table, keys in TABLES.items():
        client.create_table(
            TableName=prefix + table,
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
        )


def resources_at(folder: Path, settings: Settings, prefix: str = "", **more: str) -> Resources:
    names = {f"TRADING_{name.upper()}_TABLE": prefix + name for name in TABLES}
    names |= {
        f"TRADING_{name.upper()}_STORE": str(folder / name) for name in ("data", "models", "runs")
    }
    return Resources(settings, names | more)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        make_tables()
        yield


@pytest.fixture
def make_resources(aws: None, tmp_path: Path) -> Callable[..., Resources]:
    """Make resources with further `TRADING_*` names, or other settings."""

    def make(settings: Settings | None = None, **names: str) -> Resources:
        return resources_at(tmp_path, settings or load_settings(environ={}), **names)

    return make


@pytest.fixture
def resources(make_resources: Callable[..., Resources]) -> Resources:
    return make_resources()
