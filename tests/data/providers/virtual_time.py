"""An event loop whose time jumps to the next timer, and services that are asked in memory."""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import httpx
from vendor_services import Services

Answer = TypeVar("Answer")


class _JumpingSelector(selectors.SelectSelector):
    """Does not wait: it adds the time that would have been waited to its loop."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0 if timeout is not None else 0.05)
        if not ready and timeout is not None and timeout > 0:
            self.time += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        # A timer rings when its time is less than this ahead. The machine's nanosecond is lost in
        # the last digit of a time beyond 2**24 seconds (194 days): a timer of this very moment
        # would never ring, and the time, which only a wait moves, would stand still.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._jumping.time


class VirtualClock:
    """A wall clock that moves with the virtual loop."""

    def __init__(self, start: datetime) -> None:
        self.start = start

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run_virtually(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run to the end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


class ServicesTransport(httpx.AsyncBaseTransport):
    """Asks `Services` without a network; faults of the wire are httpx's exceptions."""

    def __init__(self, services: Services, clock: VirtualClock | None = None) -> None:
        self.services = services
        self.clock = clock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        now = self.clock.now() if self.clock else datetime.now(UTC)
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = self.services.reply(
            request.url.path, dict(parse_qsl(request.url.query.decode())), headers, now
        )
        if reply.wire == "timeout":
            await asyncio.sleep(3600)
        if reply.wire == "reset":
            raise httpx.ReadError("connection reset", request=request)
        if reply.wire == "short body":
            raise httpx.RemoteProtocolError("peer closed early", request=request)
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body)
