"""The client: retries, waits, limits and the breaker; the key is seen by the service only."""

import asyncio
import gzip
import logging
import traceback
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
from faulty_server import FaultyServer
from provider_examples import LAST, MORNING_AFTER, make_providers, make_settings, small_market
from pydantic import SecretStr
from vendor_services import FAULTS, KEYS, Services
from virtual_time import VirtualClock, run_virtually

from trading.config import ProvidersSettings
from trading.data.providers import open_provider
from trading.data.providers.body import MAX_ANSWER_BYTES
from trading.data.providers.client import ProviderClient
from trading.data.providers.failures import CircuitOpen, MalformedAnswer, QuotaExhausted
from trading.data.providers.keys import environment_keys, require_key
from trading.data.providers.plans import PLANS, Plan
from trading.data.providers.secrecy import KeyPlacement
from trading.errors import (
    ConfigurationError,
    ProviderError,
    ProviderRefused,
    ProviderStopped,
    ProviderUnavailable,
)

Handler = Callable[[httpx.Request], Any]


class Script(httpx.AsyncBaseTransport):
    """Answers by a list of replies, the last one again and again; keeps what it was asked."""

    def __init__(self, *replies: httpx.Response | Exception) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[float, httpx.Request]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((asyncio.get_running_loop().time(), request))
        reply = self.replies[min(len(self.asked), len(self.replies)) - 1]
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)


def text(status: int = 200, body: bytes = b"fine", **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=body, headers=names)


def make_client(script: httpx.AsyncBaseTransport, plan: Plan | None = None, **settings: Any) -> Any:
    chosen = ProvidersSettings.model_validate({"attempts": 4} | settings)
    return ProviderClient(
        "polygon",
        "http://services.test/root",
        plan or Plan(60_000),
        chosen,
        clock=VirtualClock(MORNING_AFTER),
        transport=script,
        random=Random(3),
    )


def ask(client: ProviderClient, times: int = 1) -> Any:
    async def work() -> Any:
        async with client:
            asked = (client.get("/it", {}, lambda a: a.body, what="it") for _ in range(times))
            return await asyncio.gather(*asked, return_exceptions=True)

    answers = run_virtually(work())
    if times == 1 and isinstance(answers[0], BaseException):
        raise answers[0]
    return answers[0] if times == 1 else answers


def test_a_failure_that_passes_is_retried() -> None:
    script = Script(text(500), httpx.ReadTimeout("x"), text(502), text())
    client = make_client(script)
    assert ask(client) == b"fine"
    assert (client.calls.attempts, client.calls.retries) == (4, 3)


def test_attempts_end() -> None:
    script = Script(text(500))
    with pytest.raises(ProviderUnavailable, match="polygon answered 500 for it"):
        ask(make_client(script))
    assert len(script.asked) == 4


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (text(404), ProviderRefused),
        (text(401), ProviderStopped),
        (text(301, location="http://evil.test/"), ProviderStopped),
        (text(308, location="http://evil.test/"), ProviderStopped),
        (text(407, b"<html>"), ProviderStopped),
        (httpx.InvalidURL("x"), ProviderStopped),
        (httpx.TooManyRedirects("x"), ProviderRefused),
    ],
)
def test_what_cannot_pass_is_not_retried(reply: Any, kind: type[ProviderError]) -> None:
    script = Script(reply)
    with pytest.raises(kind):
        ask(make_client(script))
    assert len(script.asked) == 1


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_holds_back_every_request_of_the_service(as_date: bool) -> None:
    late = format_datetime(MORNING_AFTER + timedelta(seconds=40), usegmt=True)
    script = Script(text(429, retry_after=late if as_date else "40"), text())
    client = make_client(script, Plan(60_000, concurrency=1))
    assert ask(client, 3) == [b"fine"] * 3
    times = [at for at, _ in script.asked]
    assert times[0] == 0.0
    assert min(times[1:]) >= 40.0


def test_a_retry_after_that_is_too_long_goes_to_the_next_provider() -> None:
    script = Script(text(429, retry_after="3600"))
    with pytest.raises(CircuitOpen, match="max_wait_seconds"):
        ask(make_client(script))
    assert len(script.asked) == 1


def test_retries_stay_within_their_budget() -> None:
    script = Script(text(500))
    client = make_client(script, attempts=10, retry_ratio=0.1, breaker_failures=10_000)
    ask(client, 100)
    assert client.calls.retries <= 30 + 100 * 0.1


def test_the_breaker_leaves_a_dead_service_alone() -> None:
    script = Script(httpx.ConnectError("refused"))
    client = make_client(script, Plan(60_000, concurrency=1), breaker_failures=5)
    failed = ask(client, 50)
    assert len(script.asked) < 30
    assert any(isinstance(error, CircuitOpen) for error in failed)


def test_after_a_stop_nothing_more_is_asked_in_this_run() -> None:
    script = Script(text(401))
    client = make_client(script, Plan(60_000, concurrency=1))
    assert all(isinstance(error, ProviderStopped) for error in ask(client, 20))
    assert len(script.asked) == 1
    script.replies = [text()]
    assert ask(client) == b"fine", "the next run asks again"


def test_the_quota_of_a_day_is_kept_and_comes_back_at_midnight() -> None:
    script = Script(text())
    client = make_client(script, Plan(60_000, per_day=3))

    async def work() -> list[Any]:
        async with client:
            done: list[Any] = []
            for _ in range(5):
                try:
                    done.append(await client.get("/it", {}, lambda a: a.body, what="it"))
                except QuotaExhausted as error:
                    done.append(type(error))
            await client.clock.sleep(18 * 3600 + 1)
            done.append(await client.get("/it", {}, lambda a: a.body, what="it"))
            return done

    assert run_virtually(work()) == [b"fine"] * 3 + [QuotaExhausted] * 2 + [b"fine"]


def test_a_server_that_drips_runs_into_the_timeout() -> None:
    class Drip(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            for _ in range(10_000):
                await asyncio.sleep(1)
                yield b" "

    class Dripping(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Drip())

    with pytest.raises(ProviderUnavailable, match="TimeoutError"):
        ask(make_client(Dripping(), timeout_seconds=5.0))


def test_an_answer_without_end_is_cut_off() -> None:
    bomb = gzip.compress(b" " * (MAX_ANSWER_BYTES + 1))
    script = Script(text(200, bomb, content_encoding="gzip"))
    script.replies[0] = httpx.Response(200)

    class Bomb(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            stream = httpx.ByteStream(bomb)
            return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=stream)

    with pytest.raises(MalformedAnswer, match="16,777,216 bytes"):
        ask(make_client(Bomb(), attempts=1))


def test_a_mistake_in_the_program_is_not_hidden() -> None:
    async def work() -> None:
        client = make_client(Script(text()))
        async with client:
            await client.get("/it", {}, lambda a: {}["no"], what="it")

    with pytest.raises(KeyError):
        run_virtually(work())


CANARY = "cAn/4ry+key&=%"
SPELLINGS = {CANARY, quote(CANARY, safe=""), quote_plus(CANARY)}


@pytest.mark.parametrize("placement", [{"header": "X-Key"}, {"parameter": "token"}])
@pytest.mark.parametrize(
    "reply",
    [
        text(401, f"bad key {CANARY}".encode()),
        text(400, f"bad key {quote(CANARY, safe='')}".encode()),
        text(500, f"oops {quote_plus(CANARY)}".encode()),
        httpx.ConnectTimeout("slow"),
        httpx.InvalidURL("bad"),
    ],
)
def test_the_key_is_in_no_log_no_error_and_no_trace(
    placement: dict[str, str], reply: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    script = Script(reply)
    key = KeyPlacement(SecretStr(CANARY), **placement)  # type: ignore[arg-type]
    client = ProviderClient(
        "iex",
        "http://services.test",
        Plan(60_000),
        ProvidersSettings(attempts=2),
        key=key,
        clock=VirtualClock(MORNING_AFTER),
        transport=script,
    )
    with pytest.raises(ProviderError) as raised:
        ask(client)
    sent = script.asked[0][1]
    assert CANARY in (sent.url.params.get("token", ""), sent.headers.get("X-Key", ""))
    trace = "".join(traceback.format_exception(raised.value))
    shown = caplog.text + trace + repr(raised.value) + repr(client.__dict__) + repr(key)
    for spelling in SPELLINGS:
        assert spelling not in shown


@pytest.mark.parametrize("name", list(KEYS))
def test_no_key_leaks_over_real_sockets_whatever_fails(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    market = small_market(6)
    services = Services(market, rate=0.9, seed=1, faults=[f for f in FAULTS if f != "timeout"])
    said = ""
    with FaultyServer(services, MORNING_AFTER) as server:
        settings = make_settings(f"http://127.0.0.1:{server.port}", attempts=2)
        provider = make_providers(settings, [name])[0]
        try:
            said = str(asyncio.run(provider.fetch(market.symbols[1:], LAST, LAST)).missing)
        except ProviderError as error:
            said = "".join(traceback.format_exception(error))
    assert sum(services.seen.values()) > 0
    for spelling in {KEYS[name], quote(KEYS[name], safe="")}:
        assert spelling not in caplog.text + said


def test_a_wrong_key_stops_and_tells_without_the_key() -> None:
    services = Services(small_market(3))
    clock = VirtualClock(MORNING_AFTER)
    for name in KEYS:
        right = KEYS[name]
        KEYS[name] = "other"
        try:
            provider = make_providers(make_settings(), [name], services=services, clock=clock)[0]
        finally:
            KEYS[name] = right
        with pytest.raises(ProviderStopped, match=name) as raised:
            run_virtually(provider.fetch(["T0001", "T0002"], LAST, LAST))
        assert "other" not in str(raised.value).replace("another", "")


def test_keys_come_from_the_environment() -> None:
    resolve = environment_keys({"POLYGON_API_KEY": " abc ", "IEX_TOKEN": ""})
    key = resolve("polygon")
    assert key is not None
    assert key.get_secret_value() == "abc"
    assert "abc" not in repr(key) + str(key)
    assert resolve("iex") is None
    assert resolve("yahoo") is None
    with pytest.raises(ConfigurationError, match=r"\$IEX_TOKEN"):
        require_key("iex", resolve)


def test_the_settings_choose_provider_backups_and_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGON_API_KEY", "k")
    settings = make_settings(backups=["yahoo", "polygon"])
    chosen = settings.data.model_copy(update={"provider": "polygon"})
    provider = open_provider(settings.model_copy(update={"data": chosen}))
    assert provider.name == "polygon"
    assert [p.name for p in provider._providers] == ["polygon", "yahoo"]  # type: ignore[attr-defined]
    monkeypatch.delenv("POLYGON_API_KEY")
    with pytest.raises(ConfigurationError, match="POLYGON_API_KEY"):
        open_provider(settings.model_copy(update={"data": chosen}))


def test_iex_says_that_the_service_was_shut_down() -> None:
    with pytest.raises(ConfigurationError, match="31 August 2024"):
        make_providers(make_settings(iex={}), ["iex"])


def test_an_unknown_plan_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="premium_75"):
        make_providers(make_settings(alpha_vantage={"plan": "gold"}), ["alpha_vantage"])
    for plans in PLANS.values():
        assert all(plan.burst >= 1 for plan in plans.values())
