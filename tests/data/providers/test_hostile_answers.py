"""Answers that are meant to harm: bombs, drips, false lengths, redirects, brackets, echoes."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import httpx
import pytest
from provider_examples import MORNING_AFTER, make_settings
from pydantic import SecretStr

from trading.config import ProvidersSettings
from trading.data.providers.answers import MAX_CONTAINERS, decode_json
from trading.data.providers.body import MAX_ANSWER_BYTES
from trading.data.providers.client import Answer, ProviderClient
from trading.data.providers.clock import LoopClock
from trading.data.providers.failures import MalformedAnswer, RateLimited, status_failure
from trading.data.providers.plans import Plan
from trading.data.providers.secrecy import KeyPlacement, redact
from trading.errors import ProviderError, ProviderStopped, ProviderUnavailable

KEY = "cAn/4ry+key&=%"


class Stream(httpx.AsyncByteStream):
    def __init__(self, body: bytes, size: int = 65_536) -> None:
        self.body, self.size = body, size

    async def __aiter__(self) -> Any:
        for start in range(0, len(self.body), self.size):
            yield self.body[start : start + self.size]


class Streaming(httpx.AsyncBaseTransport):
    """Answers every request with one body, as a server would send it."""

    def __init__(self, body: bytes, size: int = 65_536, status: int = 200, **headers: str) -> None:
        self.body, self.size, self.status, self.headers = body, size, status, headers
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        names = {name.replace("_", "-"): value for name, value in self.headers.items()}
        return httpx.Response(self.status, headers=names, stream=Stream(self.body, self.size))


def ask(transport: httpx.AsyncBaseTransport | None, url: str = "http://a.test", **some: Any) -> Any:
    settings = ProvidersSettings.model_validate({"attempts": 1, "backoff_seconds": 1e-3} | some)
    client = ProviderClient(
        "iex",
        url,
        Plan(60_000),
        settings,
        key=KeyPlacement(SecretStr(KEY), parameter="token"),
        clock=LoopClock(),
        transport=transport,
        random=Random(1),
    )

    async def work() -> Any:
        async with client:
            return await client.get("/it", {}, lambda a: a.body, what="it")

    return asyncio.run(work())


@pytest.mark.parametrize("size", [1, 7, 65_536])
@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
        ("identity", bytes),
        ("", bytes),
    ],
)
def test_usual_encodings_are_read(encoding: str, pack: Callable[[bytes], bytes], size: int) -> None:
    body = bytes(Random(2).randrange(256) for _ in range(3_000))
    assert ask(Streaming(pack(body), size, Content_Encoding=encoding)) == body
    assert ask(Streaming(b"", size, Content_Encoding=encoding)) == b""


def test_a_bomb_is_cut_off_before_it_unfolds() -> None:
    bomb = gzip.compress(bytes(6 * MAX_ANSWER_BYTES), 1)
    tracemalloc.start()
    try:
        with pytest.raises(MalformedAnswer, match="more than 16,777,216 bytes"):
            ask(Streaming(bomb, len(bomb), Content_Encoding="gzip"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_ANSWER_BYTES


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,deflate", "br", "zstd", "rot13"])
def test_encodings_that_nobody_asked_for_are_malformed(encoding: str) -> None:
    body = gzip.compress(gzip.compress(b"{}"))
    with pytest.raises(MalformedAnswer, match="was not asked for") as raised:
        ask(Streaming(body, Content_Encoding=encoding))
    assert str(raised.value).isascii()


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"[1]" * 99)[:-9], b"\x1f\x8bnot gzip", b"<html>"],
    ids=["cut short", "only the magic", "not compressed"],
)
def test_a_damaged_stream_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedAnswer, match=r"damaged|ends too early"):
        ask(Streaming(body, Content_Encoding="gzip"))


def test_an_announced_length_beyond_the_bound_is_not_read() -> None:
    with pytest.raises(MalformedAnswer, match="no answer is that long"):
        ask(Streaming(b"{}", Content_Length="9" * 400))


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"[]," * MAX_CONTAINERS + b"[]]",
        b'{"a":' * 100_000,
        b"[" * 100_000,
        b"1" * 5_000,
        b'{"a":1,"a":2}',
        b"\xff\xfe\x00",
        b'{"a":-Infinity}',
        b"\x00",
    ],
)
def test_json_that_nobody_sends_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedAnswer, match="iex sent"):
        decode_json(Answer(200, httpx.Headers(), body), "iex", "it")


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 422, 451])
def test_a_page_instead_of_a_refusal_is_asked_again(status: int) -> None:
    script = Streaming(b"\n <!DOCTYPE html><h1>Attention required</h1>", status=status)
    with pytest.raises(MalformedAnswer, match=f"answered {status} for it with a page"):
        ask(script, attempts=3)
    assert script.asked == 3
    words = status_failure(status, None, "iex", "it", "words", MORNING_AFTER)
    assert not isinstance(words, ProviderUnavailable)


def test_a_page_with_429_is_still_a_limit() -> None:
    script = Streaming(b"<html>", status=429, Retry_After="0.001")
    with pytest.raises(RateLimited):
        ask(script, attempts=2)


@pytest.mark.parametrize("spelt", [KEY, KEY.upper(), r"cAn\/4ry+key&=%", "cAn/4ry+key&amp;=%"])
@pytest.mark.parametrize("padding", [0, 1_980, 1_990, 40_000])
def test_an_echo_of_the_key_is_hidden_wherever_it_stands(spelt: str, padding: int) -> None:
    body = b" " * padding + f"{{'error': 'bad key {spelt}'}}".encode()
    with pytest.raises(ProviderError) as raised:
        ask(Streaming(body, status=400))
    assert "ry+key" not in str(raised.value).lower()
    assert "***" in str(raised.value)
    assert redact(spelt, None) == spelt


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve) -> Any:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def over_sockets(serve: Serve, times: int = 1, **some: Any) -> list[Any]:
    """Ask one server `times` times, one after the other; return answers and errors."""
    chosen = {"attempts": 1, "timeout_seconds": 60.0} | some
    settings = make_settings(**chosen).data.providers

    async def work() -> list[Any]:
        async with serving(serve) as url:
            client = ProviderClient("iex", url, Plan(60_000), settings)
            found: list[Any] = []
            async with client:
                for _ in range(times):
                    try:
                        found.append(await client.get("/it", {}, lambda a: a.body, what="it"))
                    except ProviderError as error:
                        found.append(error)
            return found

    return asyncio.run(work())


@pytest.mark.parametrize("said", [1, 9, 12, 40])
def test_a_false_length_never_passes_a_part_on_to_the_next_answer(said: int) -> None:
    """With a length too short the rest stands before the next answer of the connection."""
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        while True:
            await reader.readuntil(b"\r\n\r\n")
            count += 1
            body = b"answer %04d" % count
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % said
            writer.write(head + body)
            await writer.drain()
            if said > len(body):
                return

    found = over_sockets(serve, 3)
    for number, each in enumerate(found, 1):
        assert (
            isinstance(each, ProviderUnavailable)
            or b"answer 0001"[:said] == each[:7] + (b"%04d" % number)[: max(0, said - 7)]
        )


def test_a_slow_head_runs_into_the_timeout() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            writer.write(b"X-%d: y\r\n" % number)
            await writer.drain()
            await asyncio.sleep(0.05)

    assert isinstance(over_sockets(serve, timeout_seconds=0.5)[0], ProviderUnavailable)


def test_a_head_without_end_is_refused() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            writer.write(b"y" * 65_536)
            await writer.drain()

    assert isinstance(over_sockets(serve)[0], ProviderUnavailable)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(status: int) -> None:
    elsewhere: list[bytes] = []

    async def trap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        elsewhere.append(await reader.readuntil(b"\r\n\r\n"))

    async def work() -> ProviderError:
        async with serving(trap) as other:

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await reader.readuntil(b"\r\n\r\n")
                head = (
                    f"HTTP/1.1 {status} Moved\r\nLocation: {other}/x\r\nContent-Length: 0\r\n\r\n"
                )
                writer.write(head.encode())
                await writer.drain()

            async with serving(serve) as url:
                settings = make_settings(attempts=2).data.providers
                client = ProviderClient("iex", url, Plan(60_000), settings)
                async with client:
                    with pytest.raises(ProviderError, match=r"providers\.iex\.base_url") as raised:
                        await client.get("/it", {}, lambda a: a.body, what="it")
                return raised.value

    error = asyncio.run(work())
    assert elsewhere == []
    assert isinstance(error, ProviderStopped) is (status in (301, 308))
