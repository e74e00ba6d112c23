"""A real HTTP server on a local port that answers as the services do, over misbehaving sockets."""

import asyncio
import socket
import struct
import threading
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

from vendor_services import Reply, Services

REASONS = {200: "OK", 404: "Not Found"}


class FaultyServer:
    """Serves `Services` while it is entered; `now` is what the services take for the time.

    With `dated` every answer tells its `Date`, as servers of the web do.
    """

    def __init__(
        self, services: Services, now: datetime | None = None, *, dated: bool = False
    ) -> None:
        self.services = services
        self.now = now
        self.dated = dated
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self.port = 0

    def base_url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.port}/{service}"

    def __enter__(self) -> "FaultyServer":
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256), self._loop
        )
        self._server = started.result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }
        target = urlsplit(first.split(" ")[1])
        now = self.now or datetime.now(UTC)
        reply = self.services.reply(target.path, dict(parse_qsl(target.query)), headers, now)
        if self.dated:
            date = {"Date": format_datetime(now, usegmt=True)}
            reply = replace(reply, headers=date | reply.headers)
        if reply.wire == "timeout":
            await asyncio.sleep(30)
        if reply.wire == "reset":
            linger = struct.pack("ii", 1, 0)
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return False
        writer.write(_encoded(reply))
        await writer.drain()
        return reply.wire == ""


def _encoded(reply: Reply) -> bytes:
    length = len(reply.body) + (1000 if reply.wire == "short body" else 0)
    lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Other')}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    lines += [f"Content-Length: {length}", "", ""]
    return "\r\n".join(lines).encode() + reply.body
