"""The proxy of the environment is used, told apart by scheme and host, and never printed."""

import asyncio

import httpx
import pytest
from faulty_server import FaultyServer
from provider_examples import LAST, MORNING_AFTER, make_providers, make_settings, small_market
from vendor_services import Services

from trading.data.providers.proxy import proxy_of
from trading.errors import ConfigurationError, ProviderUnavailable

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method")
PROXY = "http://relay.test:3128"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "https://api.polygon.io", None),
        ({"HTTPS_PROXY": PROXY}, "https://api.polygon.io", PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other.test"}, "https://a.test", PROXY),
        ({"HTTPS_PROXY": "relay.test:3128"}, "https://api.polygon.io", PROXY),
        ({"HTTP_PROXY": PROXY}, "https://api.polygon.io", None),
        ({"HTTP_PROXY": PROXY}, "http://api.polygon.io", PROXY),
        ({"ALL_PROXY": PROXY}, "https://api.polygon.io", PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, "https://api.polygon.io", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "x.test, polygon.io"}, "https://api.polygon.io", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": ".polygon.io"}, "https://api.polygon.io", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "notpolygon.io"}, "https://api.polygon.io", PROXY),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "a.test:81"}, "http://a.test:81/x", None),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "a.test:81"}, "http://a.test:82/x", PROXY),
        ({"HTTP_PROXY": PROXY}, "http://127.0.0.1:9/polygon", None),
        ({"HTTP_PROXY": PROXY}, "http://localhost/polygon", None),
        ({"HTTP_PROXY": PROXY}, "http://[::1]:80/polygon", None),
    ],
)
def test_which_proxy_an_address_is_asked_through(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = proxy_of(url)
    assert (None if found is None else str(found.url)) == proxy


@pytest.mark.parametrize("address", ["socks5://relay.test:1", "http://", "ftp://a b", "http://[::"])
def test_what_is_no_http_proxy_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address.replace("//", "//user:canary@"))
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY names no HTTP proxy") as refused:
        proxy_of("https://api.polygon.io")
    assert "canary" not in str(refused.value)


def test_a_provider_is_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    market = small_market(3)
    settings = make_settings("http://nowhere.invalid")
    with FaultyServer(Services(market), MORNING_AFTER) as server:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:secret@127.0.0.1:{server.port}")
        provider = make_providers(settings, ["polygon"])[0]
        result = asyncio.run(provider.fetch(market.symbols, LAST, LAST))
        assert len(result.bars) == 3
        assert server.services.seen == {"polygon": 1}
    assert provider.client.calls.answered == 1
    assert provider.client.calls.answering > 0


def test_a_dead_proxy_is_a_failure_that_names_no_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:canary@127.0.0.1:9")
    provider = make_providers(make_settings("http://nowhere.invalid", attempts=2), ["yahoo"])[0]
    with pytest.raises(ProviderUnavailable, match="ConnectError") as failed:
        asyncio.run(provider.fetch(["T0001"], LAST, LAST))
    assert "canary" not in str(failed.value)
    assert not isinstance(failed.value.__cause__, httpx.HTTPError)
