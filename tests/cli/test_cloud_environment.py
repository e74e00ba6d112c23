"""What a command's environment is while it speaks to its embedded cloud."""

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import getproxies_environment, proxy_bypass_environment

import boto3
import pytest

from trading.cli.cloud import Cloud, _awaited, _speaking_to, embedded_cloud
from trading.config import load_settings

ENDPOINT = "http://127.0.0.1:4566"


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path, ENDPOINT, "us-east-1", "key", "secret", {})


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_a_proxy_of_the_environment_is_kept_away_from_the_cloud(
    monkeypatch: pytest.MonkeyPatch, cloud: Cloud, name: str
) -> None:
    for variable in ("NO_PROXY", "no_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv(name, "intern.test")
    before = dict(os.environ)
    with _speaking_to(cloud):
        proxies = getproxies_environment()
        assert proxies["http"] == "http://proxy.test:3128"
        assert proxy_bypass_environment("127.0.0.1:4566", proxies)
        assert proxy_bypass_environment("www.intern.test", proxies)
        assert not proxy_bypass_environment("api.polygon.io", proxies)
    assert dict(os.environ) == before


def test_the_operators_own_aws_is_set_aside_and_put_back(
    monkeypatch: pytest.MonkeyPatch, cloud: Cloud
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    inside = {}

    def fail_inside() -> None:
        with _speaking_to(cloud):
            inside.update(os.environ)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert "AWS_PROFILE" not in inside
    assert inside["AWS_ENDPOINT_URL"] == ENDPOINT
    assert inside["AWS_REGION"] == "us-east-1"
    assert os.environ["AWS_PROFILE"] == "production"
    assert os.environ["AWS_REGION"] == "eu-west-1"
    assert "AWS_ENDPOINT_URL" not in os.environ


CARD = {
    "pid": os.getpid(),
    "parent": os.getppid(),
    "endpoint": ENDPOINT,
    "region": "us-east-1",
    "access_key_id": "key",
    "secret_access_key": "secret",
}


def test_a_cloud_that_only_reads_is_no_deployment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    card = tmp_path / "cloud.json"
    card.write_text(json.dumps({**CARD, "deployed": False}))
    waited: list[float] = []

    def deploy(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            card.write_text(json.dumps({**CARD, "deployed": True}))

    monkeypatch.setattr("trading.cli.cloud.time.sleep", deploy)
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert _awaited(tmp_path, deployed=False) is not None
        assert not waited
        phases: list[str] = []
        with embedded_cloud(tmp_path, load_settings(), phase=phases.append) as found:
            assert (found.endpoint, len(waited)) == (ENDPOINT, 3)
        assert phases == ["as another command deployed it"]


def test_a_cloud_that_only_begins_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waited: list[float] = []

    def announce(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            (tmp_path / "cloud.json").write_text(json.dumps(CARD))

    monkeypatch.setattr("trading.cli.cloud.time.sleep", announce)
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with embedded_cloud(tmp_path, load_settings(), deploy=False) as found:
            assert (found.endpoint, len(waited)) == (ENDPOINT, 3)
    (tmp_path / "cloud.json").unlink()
    assert _awaited(tmp_path, deployed=False) is None
    assert _awaited(tmp_path / "nowhere", deployed=False) is None
    assert len(waited) == 3


PROFILES = """
[default]
ignore_configured_endpoint_urls = true
region = eu-west-1
[profile production]
endpoint_url = {address}
region = eu-west-1
services = elsewhere
[services elsewhere]
s3 =
  endpoint_url = {address}
"""


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """An address that stands for AWS, and what was asked there."""
    asked: list[str] = []

    class Noting(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            asked.append(self.rfile.readline(2000).decode("latin-1"))
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Noting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def pointed_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, elsewhere: tuple[str, list[str]]
) -> None:
    """A shell that leads to somebody's AWS account in every way that the SDK knows.

    Its proxy takes what would go to AWS itself.
    """
    address = elsewhere[0]
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    file = tmp_path / "profiles"
    file.write_text(PROFILES.format(address=address))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name, value in {
        "AWS_CONFIG_FILE": str(file),
        "AWS_PROFILE": "production",
        "AWS_ACCESS_KEY_ID": "AKIAOPERATOR",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "eu-west-1",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_ENDPOINT_URL": address,
        "AWS_ENDPOINT_URL_S3": address,
        "HTTP_PROXY": address,
        "HTTPS_PROXY": address,
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["production", None])
@pytest.mark.usefixtures("pointed_elsewhere")
def test_clients_speak_to_the_cloud_whatever_the_shell_points_at(
    monkeypatch: pytest.MonkeyPatch, cloud: Cloud, profile: str | None
) -> None:
    if profile is None:
        monkeypatch.delenv("AWS_PROFILE")
    with _speaking_to(cloud):
        for service in ("s3", "dynamodb", "lambda", "sts", "sesv2", "sagemaker"):
            client = boto3.Session().client(service)
            assert client.meta.endpoint_url == ENDPOINT, service
            assert client.meta.region_name == "us-east-1"
            keys = client._request_signer._credentials.get_frozen_credentials()
            assert (keys.access_key, keys.token) == ("key", None)


@pytest.mark.slow
@pytest.mark.usefixtures("pointed_elsewhere")
def test_nothing_reaches_the_account_that_the_shell_points_at(
    tmp_path: Path, elsewhere: tuple[str, list[str]]
) -> None:
    """The deployer, the cloud and a function of it, beside this process, ask the cloud alone."""
    with embedded_cloud(tmp_path / "home", load_settings()) as running:
        health = running.outputs["functions"]["api_health"]
        answer = boto3.client("lambda").invoke(FunctionName=health, Payload=b"{}")
        assert "FunctionError" not in answer, answer["Payload"].read()
        assert json.loads(answer["Payload"].read())["statusCode"] in (200, 503)
        boto3.client("s3").put_object(
            Bucket=str(running.outputs["runs_store"]).removeprefix("s3://"), Key="k", Body=b"x"
        )
    assert elsewhere[1] == []
