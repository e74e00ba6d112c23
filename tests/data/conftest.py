"""What the tests of the data package share: stores, lakes and the folder of real bars."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pandas as pd
import pytest
from bar_examples import make_bars
from moto import mock_aws

from trading.config import Settings
from trading.data.lake import Lake
from trading.data.store.base import ObjectStore
from trading.data.store.folder import FolderStore
from trading.data.store.s3 import S3Store

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def settings() -> Settings:
    return Settings.model_validate({"data": {"min_symbols": 1}})


@pytest.fixture
def bars() -> pd.DataFrame:
    return make_bars()


@pytest.fixture
def s3_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="lake")
        yield S3Store("lake", "some/prefix")


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    s3: S3Store = request.getfixturevalue("s3_store")
    return s3


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(FolderStore(tmp_path / "lake"))


@pytest.fixture
def new_lake(tmp_path: Path) -> Callable[[str], Lake]:
    return lambda name: Lake(FolderStore(tmp_path / name))


@pytest.fixture
def real_prices() -> Path:
    folder = Path(os.environ.get("TRADING_REAL_DATA", REPOSITORY / "../shared/data")) / "prices"
    if not folder.is_dir():
        pytest.skip(f"no real market data at {folder.parent}; set TRADING_REAL_DATA")
    return folder
