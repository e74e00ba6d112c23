"""A server on this machine that answers Polygon's grouped day of a given market at once."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zoneinfo import ZoneInfo

import pandas as pd

NEW_YORK = ZoneInfo("America/New_York")


def grouped_answer(bars: pd.DataFrame) -> bytes:
    """Return the service's answer for one session of bars."""
    close = bars["date"].dt.tz_localize(NEW_YORK) + pd.Timedelta(hours=16)
    stamps = close.dt.as_unit("ms").astype("int64")
    columns = [bars[name] for name in ("symbol", "volume", "open", "close", "high", "low")]
    rows = [
        {"T": t, "v": v, "vw": c, "o": o, "c": c, "h": h, "l": low, "t": int(at), "n": 100}
        for t, v, o, c, h, low, at in zip(*columns, stamps, strict=True)
    ]
    head = {"queryCount": len(rows), "resultsCount": len(rows), "adjusted": True}
    return json.dumps({"results": rows, "status": "OK", **head}).encode()


def tickers_answer(bars: pd.DataFrame) -> bytes:
    """Return the service's list of the symbols of some bars."""
    rows = [
        {"ticker": symbol, "active": True, "share_class_figi": f"BBG{n:09d}"}
        for n, symbol in enumerate(bars["symbol"].unique())
    ]
    return json.dumps({"results": rows, "status": "OK"}).encode()


@contextmanager
def market_server(bars: pd.DataFrame) -> Iterator[str]:
    """Serve one session of bars while it is entered; yields the base URL."""
    empty = b'{"status": "OK", "results": []}'
    answers = {
        "/v2/aggs/grouped": grouped_answer(bars),
        "/v3/reference/tickers": tickers_answer(bars),
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = (body for start, body in answers.items() if self.path.startswith(start))
            body = next(found, empty)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
