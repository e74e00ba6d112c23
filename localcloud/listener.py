"""The HTTP server: one thread a connection, connections kept open between requests.

werkzeug's own handler closes every connection and waits 10 ms for stray bytes first, which the
thousands of small calls of a month would feel. The gateway reads every body whole, so that neither
is needed here.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

HOST = "127.0.0.1"
_IDLE_SECONDS = 300
_LOGGER = logging.getLogger("localcloud")
_WITHOUT_BODY = (204, 304)


class ConnectionDroppedError(Exception):
    """The connection of a request ends without an answer."""


class KeepAliveHandler(MotoRequestHandler):
    """Answers the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    wbufsize = -1

    def handle_expect_100(self) -> bool:
        """Tell the client to send its body now: the answer must not wait in the buffer."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def run_wsgi(self) -> None:
        """Have the application answer one request."""
        try:
            status, headers, body = self._answer()
        except ConnectionDroppedError:
            self.close_connection = True
            return
        except Exception:
            _LOGGER.exception("%s %s failed", self.command, self.path)
            status, headers, body = "500 Internal Server Error", [], b""
        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        names = {name.lower() for name, _ in headers}
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in names and int(code) not in _WITHOUT_BODY:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _answer(self) -> tuple[str, list[tuple[str, str]], bytes]:
        told: list[Any] = []

        def start_response(status: str, headers: Any, _exc_info: Any = None) -> Callable[..., Any]:
            told[:] = [status, list(headers)]
            return told.append

        chunks: Iterable[bytes] = self.server.app(self.make_environ(), start_response)
        body = b"".join(chunks)
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
        return told[0], told[1], body

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Log nothing: the audit trail has every call."""


def listen(port: int) -> BaseWSGIServer:
    """Bind the port (0: a free one) and answer "starting" until the server gets its application."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    return make_server(HOST, port, _not_ready, threaded=True, request_handler=KeepAliveHandler)


def _not_ready(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
    return [b"the cloud is starting"]
