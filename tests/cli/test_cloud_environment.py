"""What a command's environment is while it speaks to its embedded cloud."""

import os
from pathlib import Path
from urllib.request import getproxies_environment, proxy_bypass_environment

import pytest

from trading.cli.cloud import Cloud, _speaking_to

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
