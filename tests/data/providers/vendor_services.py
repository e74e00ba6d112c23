"""A small market, and the answers that the four services give about it, faults included."""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from trading.market.calendar import sessions_between

NEW_YORK = ZoneInfo("America/New_York")
KEYS = {"polygon": "pK-canary/+7f3a", "alpha_vantage": "AVCANARY91XQ", "iex": "sk_canary_55d1"}
FAULTS = (
    "429 seconds",
    "429 date",
    "500",
    "503",
    "timeout",
    "reset",
    "short body",
    "truncated",
    "malformed",
    "nan literal",
    "wrong content type",
    "html",
    "html 404",
    "html 403",
    "redirect",
    "empty body",
    "empty answer",
    "partial",
    "wrong date",
    "previous session",
    "duplicates",
    "wrong symbol",
    "wrong types",
    "huge numbers",
)


@dataclass(frozen=True)
class Reply:
    """What the server sends; `wire` is how the connection misbehaves."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wire: str = ""

    @classmethod
    def json(cls, content: Any, status: int = 200) -> "Reply":
        text = json.dumps(content)
        return cls(text.encode(), status, {"Content-Type": "application/json"})


class Market:
    """Bars of `symbols` over `sessions`; one symbol splits, none pays dividends."""

    def __init__(self, symbols: Sequence[str], start: date, end: date, *, splits: int = 1) -> None:
        self.symbols = list(symbols)
        self.sessions = sessions_between(start, end)
        draw = np.random.default_rng(11)
        shape = (len(self.sessions), len(self.symbols))
        close = 20 + 200 * draw.random(len(self.symbols)) * np.exp(
            np.cumsum(0.02 * draw.standard_normal(shape), axis=0)
        )
        opened = close * (1 + 0.01 * draw.standard_normal(shape))
        spread = 1 + 0.01 * draw.random(shape)
        self.values = {
            "open": opened.round(4),
            "high": (np.maximum(opened, close) * spread).round(4),
            "low": (np.minimum(opened, close) / spread).round(4),
            "close": close.round(4),
            "volume": draw.integers(1_000, 10_000_000, shape).astype(float),
        }
        # new shares per old one, on a middle session, for the first symbols
        self.splits = {n: (len(self.sessions) // 2, 4.0) for n in range(splits)}
        self._column = {symbol: n for n, symbol in enumerate(self.symbols)}
        # new symbols, by symbol of the beginning, and the session on which they begin
        self.renames: dict[str, tuple[str, int]] = {}
        self.figis = {n: f"BBG001{n:06d}" for n in range(len(self.symbols))}

    def column(self, symbol: str) -> int | None:
        for old, (new, _) in self.renames.items():
            if symbol == new:
                return self._column[old]
        return self._column.get(symbol)

    def symbol(self, n: int, t: int) -> str:
        """Return the symbol that a share bears on a session."""
        new, begins = self.renames.get(self.symbols[n], ("", len(self.sessions)))
        return new if t >= begins else self.symbols[n]

    def rows(self, start: date, end: date) -> list[int]:
        inside = (self.sessions >= np.datetime64(start)) & (self.sessions <= np.datetime64(end))
        return [int(t) for t in np.flatnonzero(inside)]

    def day(self, t: int) -> date:
        found: date = self.sessions[t].astype(object)
        return found

    def bar(self, t: int, n: int) -> dict[str, float]:
        return {name: float(values[t, n]) for name, values in self.values.items()}

    def wrong_rows(self, bars: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a bars frame that are not this market's."""
        t = np.searchsorted(self.sessions, bars["date"].to_numpy().astype("datetime64[D]"))
        n = bars["symbol"].map(self._column).to_numpy(dtype=np.int64)
        wrong = np.zeros(len(bars), dtype=bool)
        for name, values in self.values.items():
            told = bars[name].to_numpy()
            wrong |= ~(np.isclose(told, values[t, n], rtol=1e-9) | np.isnan(told))
        wrong |= ~np.isclose(bars["adjusted_close"], self.values["close"][t, n], rtol=1e-9)
        return bars[wrong]


def stamp(day: date, hour: int = 0, minute: int = 0) -> int:
    return int(datetime.combine(day, time(hour, minute), NEW_YORK).timestamp())


class Services:
    """Answers requests as Polygon, Alpha Vantage, Yahoo and IEX do.

    `rate` is the chance of a fault a request; `down` services answer 503 to everything. `seen`
    counts the requests of each service, `injected` the faults of each kind.
    """

    def __init__(
        self,
        market: Market,
        *,
        rate: float = 0.0,
        seed: int = 0,
        faults: Sequence[str] = FAULTS,
        down: Sequence[str] = (),
    ) -> None:
        self.market = market
        self.rate = rate
        self.faults = tuple(faults)
        self.down = frozenset(down)
        self.random = random.Random(seed)
        self.seen: dict[str, int] = {}
        self.injected: dict[str, int] = {}
        self.targets: list[str] = []

    def reply(
        self, path: str, query: dict[str, str], headers: dict[str, str], now: datetime
    ) -> Reply:
        """Answer one request; the first part of the path names the service."""
        _, service, rest = path.split("/", 2)
        self.seen[service] = self.seen.get(service, 0) + 1
        self.targets.append(f"{path}?{query}")
        if service in self.down:
            return Reply(b"down for maintenance", 503, {"Content-Type": "text/plain"})
        fault = ""
        if self.faults and self.random.random() < self.rate:
            fault = self.random.choice(self.faults)
            self.injected[fault] = self.injected.get(fault, 0) + 1
        if (early := self._failure(fault, now)) is not None:
            return early
        content, status = self._content(service, "/" + rest, query, headers, fault, now)
        reply = Reply.json(content, status)
        return reply if status != 200 else self._damaged(reply, fault)

    def _failure(self, fault: str, now: datetime) -> Reply | None:
        text = {"Content-Type": "text/plain"}
        page = b"<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>"
        late = format_datetime((now + timedelta(seconds=1)).astimezone(UTC), usegmt=True)
        return {
            "429 seconds": Reply(b"slow down", 429, text | {"Retry-After": "0.01"}),
            "429 date": Reply(b"slow down", 429, text | {"Retry-After": late}),
            "500": Reply(b"Internal Server Error", 500, text),
            "503": Reply(b"Service Unavailable", 503, text),
            "timeout": Reply(b"{}", wire="timeout"),
            "reset": Reply(b"", wire="reset"),
            "html 404": Reply(page, 404, {"Content-Type": "text/html"}),
            "html 403": Reply(page, 403, {"Content-Type": "text/html"}),
            "redirect": Reply(b"", 302, {"Location": "http://evil.test/"}),
            "html": Reply(page, 200, {"Content-Type": "text/html"}),
            "empty body": Reply(b"", 200, {"Content-Type": "application/json"}),
            "malformed": Reply(b'{"results": [{"T": "A", }', 200, text),
        }.get(fault)

    def _damaged(self, reply: Reply, fault: str) -> Reply:
        if fault == "duplicates" and b"Time Series" in reply.body:
            # A series by day repeats a day by repeating a key.
            return replace(
                reply, body=re.sub(rb'("\d{4}-..-..": )', rb"\1{}, \1", reply.body, count=1)
            )
        if fault == "short body":
            return replace(reply, wire="short body")
        if fault == "truncated":
            return replace(reply, body=reply.body[: max(1, len(reply.body) * 2 // 3)])
        if fault == "nan literal":
            return replace(reply, body=reply.body.replace(b": 1", b": NaN", 1) + b" NaN")
        if fault == "wrong content type":
            return replace(reply, headers={"Content-Type": "text/html; charset=utf-8"})
        return reply

    def _content(
        self,
        service: str,
        path: str,
        query: dict[str, str],
        headers: dict[str, str],
        fault: str,
        now: datetime,
    ) -> tuple[Any, int]:
        given = {
            "polygon": headers.get("authorization", "").removeprefix("Bearer "),
            "alpha_vantage": query.get("apikey"),
            "iex": query.get("token"),
        }
        if service in KEYS and given[service] != KEYS[service]:
            if service == "alpha_vantage":
                text = f"the parameter apikey is invalid or missing: {given[service]}"
                return {"Error Message": text}, 200
            return {"status": "ERROR", "error": f"Unknown API Key {given[service]}"}, 401
        answer = getattr(self, f"_{service}")
        found: tuple[Any, int] = answer(path, query, fault, now.astimezone(NEW_YORK).date())
        return found

    def _bars(self, n: int, rows: Sequence[int], fault: str) -> list[tuple[date, dict[str, Any]]]:
        """Return the bars of one symbol, as a service with this fault tells them."""
        told = []
        for t in rows:
            source = max(0, t - 1) if fault == "previous session" else t
            day = self.market.day(source if fault == "previous session" else t)
            bar: dict[str, Any] = self.market.bar(source, n)
            if fault == "wrong date":
                day = day - timedelta(days=day.weekday() + 2)
            if fault == "wrong types":
                bar["close"] = [bar["close"]]
            if fault == "huge numbers":
                bar["close"] = bar["high"] = 1e300
            told.append((day, bar))
        if fault == "partial":
            told = told[: len(told) // 2]
        if fault == "duplicates" and told:
            day, bar = told[-1]
            told.append((day, bar | {"close": round(bar["low"] * 1.001, 4)}))
        return [] if fault == "empty answer" else told

    def _polygon(
        self, path: str, query: dict[str, str], fault: str, today: date
    ) -> tuple[Any, int]:
        parts = path.strip("/").split("/")
        if path.startswith("/v2/aggs/grouped"):
            day = date.fromisoformat(parts[-1])
            rows = self.market.rows(day, day)
            chosen = list(range(len(self.market.symbols))) if rows else []
            if fault == "partial":
                chosen = [n for n in chosen if self.random.random() < 0.6]
            results = [
                self._aggregate(self.market.symbol(n, rows[0]), told)
                for n in chosen
                for told in self._bars(n, rows, "" if fault == "partial" else fault)
            ]
            if fault == "wrong symbol":
                results = [r | {"T": f"{r['T']}X"} for r in results]
        elif path.startswith("/v2/aggs/ticker"):
            ticker = unquote(parts[3])
            n = self.market.column(ticker)
            first, last = date.fromisoformat(parts[-2]), date.fromisoformat(parts[-1])
            told = [] if n is None else self._bars(n, self.market.rows(first, last), fault)
            results = [self._aggregate(None, each) for each in told]
            if fault == "wrong symbol":
                ticker += "X"
            return self._counted(results) | {"ticker": ticker}, 200
        elif path.startswith("/v3/reference/splits"):
            splits = [] if fault == "empty answer" else self.market.splits.items()
            return {
                "status": "OK",
                "results": [
                    {
                        "ticker": self.market.symbol(n, t),
                        "execution_date": str(self.market.day(t)),
                        "split_from": 1,
                        "split_to": ratio,
                    }
                    for n, (t, ratio) in splits
                ],
            }, 200
        elif path == "/v3/reference/tickers":
            return self._tickers(date.fromisoformat(query["date"]), fault), 200
        elif path.startswith("/v3/reference/dividends"):
            return {"status": "OK", "results": []}, 200
        else:
            return {"status": "NOT_FOUND", "error": f"no such path {path}"}, 404
        return self._counted(results), 200

    def _tickers(self, day: date, fault: str) -> dict[str, Any]:
        t = max(0, int(np.searchsorted(self.market.sessions, np.datetime64(day), "right")) - 1)
        lines = [] if fault == "empty answer" else range(len(self.market.symbols))
        if fault == "partial":
            lines = [n for n in lines if self.random.random() < 0.6]
        return {
            "status": "OK",
            "results": [
                {
                    "ticker": self.market.symbol(n, t),
                    "name": f"Company {n}",
                    "type": "CS",
                    "active": True,
                    "share_class_figi": self.market.figis[n],
                }
                for n in lines
            ],
        }

    def _counted(self, results: list[Any]) -> dict[str, Any]:
        count = len(results)
        head = {"queryCount": count, "resultsCount": count, "adjusted": True, "status": "OK"}
        return head if not results else {"results": results, "request_id": "a1", **head}

    def _aggregate(self, ticker: str | None, told: tuple[date, dict[str, Any]]) -> dict[str, Any]:
        day, bar = told
        row = {"v": bar["volume"], "o": bar["open"], "c": bar["close"], "h": bar["high"]}
        row |= {"l": bar["low"], "t": stamp(day, 16) * 1000, "n": 12, "vw": bar["open"]}
        return row if ticker is None else {"T": ticker, **row}

    def _yahoo(self, path: str, query: dict[str, str], fault: str, today: date) -> tuple[Any, int]:
        symbol = unquote(path.split("/")[-1])
        n = self.market.column(symbol)
        if n is None:
            text = "No data found, symbol may be delisted"
            error = {"code": "Not Found", "description": text}
            return {"chart": {"result": None, "error": error}}, 404
        first = datetime.fromtimestamp(int(query["period1"]), NEW_YORK).date()
        last = datetime.fromtimestamp(int(query["period2"]) - 1, NEW_YORK).date()
        told = self._bars(n, self.market.rows(first, last), fault)
        quotes = {name: [bar[name] for _, bar in told] for name in self.market.values}
        result = {
            "meta": {
                "symbol": symbol + ("X" if fault == "wrong symbol" else ""),
                "currency": "USD",
                "exchangeTimezoneName": "America/New_York",
                "dataGranularity": "1d",
            },
            "timestamp": [stamp(day, 9, 30) for day, _ in told],
            "indicators": {"quote": [quotes], "adjclose": [{"adjclose": quotes["close"]}]},
        }
        if not told:
            result = {"meta": result["meta"], "indicators": {"quote": [{}]}}
        return {"chart": {"result": [result], "error": None}}, 200

    def _alpha_vantage(
        self, path: str, query: dict[str, str], fault: str, today: date
    ) -> tuple[Any, int]:
        symbol = query["symbol"]
        n = self.market.column(symbol)
        if n is None:
            return {
                "Error Message": "Invalid API call. Please retry or visit the documentation"
            }, 200
        rows = self.market.rows(date(2000, 1, 1), today - timedelta(days=1))
        rows = rows[-100:] if query["outputsize"] == "compact" else rows
        split_row, ratio = self.market.splits.get(n, (-1, 1.0))
        split_day = self.market.day(split_row) if split_row >= 0 else date.max
        series = {}
        for day, bar in self._bars(n, rows, fault):
            later = ratio if day < split_day else 1.0
            raw = {
                name: bar[name] * later if isinstance(bar[name], float) else bar[name]
                for name in ("open", "high", "low", "close")
            }
            series[day.isoformat()] = {
                f"{i}. {name}": str(raw[name]) for i, name in enumerate(raw, 1)
            } | {
                "5. adjusted close": str(bar["close"]),
                "6. volume": str(bar["volume"] / later),
                "7. dividend amount": "0.0000",
                "8. split coefficient": str(ratio if day == split_day else 1.0),
            }
        meta = {"2. Symbol": symbol + ("X" if fault == "wrong symbol" else "")}
        return {"Meta Data": meta, "Time Series (Daily)": series}, 200

    def _iex(self, path: str, query: dict[str, str], fault: str, today: date) -> tuple[Any, int]:
        parts = path.strip("/").split("/")
        symbol = unquote(parts[parts.index("stock") + 1])
        n = self.market.column(symbol)
        if n is None:
            return "Unknown symbol", 404
        if "date" in parts:
            day = date(int(parts[-1][:4]), int(parts[-1][4:6]), int(parts[-1][6:]))
            rows = self.market.rows(day, day)
        else:
            rows = self.market.rows(date(2000, 1, 1), today - timedelta(days=1))
        said = symbol + ("X" if fault == "wrong symbol" else "")
        return [
            {"date": day.isoformat(), "symbol": said, "fClose": bar["close"], **bar}
            for day, bar in self._bars(n, rows, fault)
        ], 200
