"""A month's resources on moto's DynamoDB and folders: no network, no embedded cloud."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from month_tables import make_tables, resources_at
from moto import mock_aws

from trading.config import Settings, load_settings
from trading.month.resources import Resources


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
