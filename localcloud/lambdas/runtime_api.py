"""The Lambda Runtime API of one execution environment, on a private port of 127.0.0.1.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html (version 2018-06-01).
"""

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

PREFIX = "/2018-06-01/runtime/"


class Host(Protocol):
    """The environment that a runtime talks to. Each method is called on a server thread."""

    def next_invocation(
        self, listening: Callable[[], bool]
    ) -> tuple[Mapping[str, str], bytes] | None:
        """Wait for an invocation; return its headers and event, None when there is no one to it.

        `listening` tells whether the runtime that asked is still there to take it.
        """

    def respond(self, request_id: str, payload: bytes) -> bool:
        """Take the response of an invocation; False when it is not the current one."""

    def fail(self, request_id: str, error: bytes) -> bool:
        """Take the error of an invocation; False when it is not the current one."""

    def fail_initialisation(self, error: bytes) -> None:
        """Take the error with which the runtime could not start."""


class RuntimeApi(ThreadingHTTPServer):
    """Serves one runtime until it is closed.

    Parameters
    ----------
    host
        The environment whose invocations are served.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: Host) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = host
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="runtime-api", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """`host:port`, the value of `AWS_LAMBDA_RUNTIME_API`."""
        return f"127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        """Stop serving; a runtime that still waits is cut off by its host."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            socket.create_connection(self.server_address[:2], timeout=1).close()  # type: ignore[arg-type]
        self._thread.join(timeout=2)
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over a connection that a killed runtime dropped: its exit says what happened."""

    def _serve(self) -> None:
        while not self._closed:
            self.handle_request()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: RuntimeApi

    def do_GET(self) -> None:
        if self.path != f"{PREFIX}invocation/next":
            self._answer(404)
            return
        found = self.server.host.next_invocation(self._listening)
        if found is None:
            self.close_connection = True
            return
        headers, event = found
        self._answer(200, event, headers)

    def do_POST(self) -> None:
        body = self._body()
        parts = self.path.removeprefix(PREFIX).split("/")
        host = self.server.host
        match parts:
            case ["init", "error"]:
                host.fail_initialisation(body)
                self._answer(202)
            case ["invocation", request_id, "response"]:
                self._answer(202 if host.respond(request_id, body) else 400)
            case ["invocation", request_id, "error"]:
                self._answer(202 if host.fail(request_id, body) else 400)
            case _:
                self._answer(404)

    def _listening(self) -> bool:
        """Tell whether the other end is open: a killed runtime's connection reads as ended."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return not readable or bool(self.connection.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the access log quiet: the function's log says what happened."""
