"""The command that stages a key: what it refuses, what it says, and that it never shows the key."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from pydantic import SecretStr
from typer.testing import CliRunner

from trading.cli.app import app
from trading.errors import ConfigurationError
from trading.month.key_staging import KeyNotPromoted, rotate_to

SECRET = "trading-staging/providers/polygon"
KEY = "new-key-canary-2207"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Stand in for the deployment: a secret whose rotation succeeds at once, as moto has it."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "TRADING_LEDGER_TABLE": "ledger",
        "TRADING_ENVIRONMENT": "staging",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("secretsmanager")
        client.create_secret(Name=SECRET, SecretString="old-key-canary")
        yield client


class Service:
    """Secrets Manager as `rotate_to` asks it: a rotation ends after some looks, or never.

    As there, the first version of a secret is the current one, under whatever label it was put.
    """

    def __init__(self, looks: int | None, *, begun: bool = False, empty: bool = False) -> None:
        self.looks, self.begun = looks, begun
        self.versions: dict[str, list[str]] = {} if empty else {"old": ["AWSCURRENT"]}
        self.version = ""
        self.rotations = 0

    def put_secret_value(self, **given: Any) -> None:
        assert given["VersionStages"] == ["AWSPENDING"]
        first = [] if self.versions else ["AWSCURRENT"]
        self.version = given["ClientRequestToken"]
        self.versions[self.version] = ["AWSPENDING", *first]

    def rotate_secret(self, SecretId: str) -> None:
        self.rotations += 1
        if self.begun:
            raise ClientError(
                {
                    "Error": {
                        "Code": "InvalidRequestException",
                        "Message": "A previous rotation isn't complete. That rotation will be"
                        " reattempted.",
                    }
                },
                "RotateSecret",
            )

    def describe_secret(self, SecretId: str) -> dict[str, Any]:
        if self.rotations and self.looks is not None:
            self.looks -= 1
            if self.looks <= 0:
                self.versions = {"old": ["AWSPREVIOUS"], self.version: ["AWSCURRENT"]}
        return {"VersionIdsToStages": self.versions} if self.versions else {}


@pytest.mark.parametrize("begun", [False, True], ids=["fresh", "goes on"])
def test_it_waits_until_the_key_is_the_current_one(begun: bool) -> None:
    service, slept = Service(3, begun=begun), list[float]()
    version = rotate_to(service, SECRET, SecretStr(KEY), sleep=slept.append)
    assert version == service.version
    assert (service.rotations, len(slept)) == (1, 2)


def test_a_key_that_is_not_promoted_is_said_without_showing_it() -> None:
    with pytest.raises(KeyNotPromoted, match="the old one stays in use") as failed:
        rotate_to(Service(None), SECRET, SecretStr(KEY), wait=6.0, sleep=lambda _: None)
    assert KEY not in str(failed.value)


def test_the_first_key_of_a_secret_is_not_taken_for_a_rotated_one() -> None:
    service = Service(1, empty=True)
    with pytest.raises(ConfigurationError, match="holds no key yet: put the first one in") as found:
        rotate_to(service, SECRET, SecretStr(KEY), sleep=lambda _: None)
    assert f"put-secret-value --secret-id {SECRET} " in str(found.value)
    assert KEY not in str(found.value)
    assert (service.versions, service.rotations) == ({}, 0)


def test_an_empty_secret_stays_empty(secrets: Any) -> None:
    secrets.create_secret(Name="trading-staging/providers/iex")
    ran = CliRunner().invoke(app, ["rotate-key", "iex"], input=KEY)
    assert ran.exit_code != 0
    assert "trading-staging/providers/iex holds no key yet" in f"{ran.output}{ran.exception}"
    found = secrets.describe_secret(SecretId="trading-staging/providers/iex")
    assert "VersionIdsToStages" not in found


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(
    ("arguments", "given", "sentence"),
    [
        (["yahoo"], KEY, "yahoo has no API key"),
        (["polygon"], "", "no API key of polygon was given"),
        (["polygon"], "  \n", "no API key of polygon was given"),
        (["polygon"], '{"key": "new-key-canary-2207"}', "expected the API key alone"),
        (["polygon"], "schlüssel", "no API key of polygon was given"),
    ],
    ids=["no key", "empty", "blank", "object", "unicode"],
)
def test_what_is_no_key_is_refused_with_a_sentence(
    arguments: list[str], given: str, sentence: str
) -> None:
    ran = CliRunner().invoke(app, ["rotate-key", *arguments], input=given)
    assert ran.exit_code != 0
    said = f"{ran.output}{ran.exception}"
    assert sentence in said
    assert KEY not in said


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.usefixtures("secrets")
def test_the_key_is_staged_as_it_was_given_and_never_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piped: bool
) -> None:
    staged: list[tuple[str, str]] = []

    def rotate(client: Any, secret: str, key: SecretStr, *, wait: float) -> str:
        assert (client.meta.service_model.service_name, wait) == ("secretsmanager", 7.0)
        staged.append((secret, key.get_secret_value()))
        return "version-1"

    monkeypatch.setattr("trading.cli.rotate_key.rotate_to", rotate)
    file = tmp_path / "key.txt"
    file.write_text(f" {KEY}\n")
    given = [] if piped else ["--key-file", str(file)]
    asked = ["rotate-key", "polygon", *given, "--wait", "7", "--json"]
    ran = CliRunner().invoke(app, asked, input=f"{KEY}\n" if piped else None)
    assert staged == [(SECRET, KEY)]
    assert json.loads(ran.stdout) == {
        "provider": "polygon",
        "secret": SECRET,
        "version": "version-1",
    }
    assert KEY not in ran.output


@pytest.mark.slow
@pytest.mark.usefixtures("secrets")
def test_a_rotation_that_does_not_end_is_a_failure() -> None:
    ran = CliRunner().invoke(app, ["rotate-key", "polygon", "--wait", "1"], input=KEY)
    assert ran.exit_code != 0
    assert "the old one stays in use" in f"{ran.output}{ran.exception}"
