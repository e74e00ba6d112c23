"""Answers damaged at random: a parsed result without an impossible bar, or a named error."""

import asyncio
import copy
import json
import random
from datetime import UTC, date, datetime
from typing import Any

import httpx
import numpy as np
import pytest
from provider_examples import LAST, MORNING_AFTER, make_settings, small_market
from vendor_services import Services

from trading.data.providers import NETWORK_PROVIDERS
from trading.data.providers.client import ProviderClient
from trading.data.providers.keys import environment_keys
from trading.data.providers.plans import Plan
from trading.errors import ProviderError, TradingError

MARKET = small_market(4)
WHOLE = date(2024, 6, 3)
HOSTILE: list[Any] = [
    None,
    True,
    -1,
    0,
    -0.0,
    1e308,
    -1e308,
    5e-324,
    10**400,
    2**63,
    "",
    " ",
    "NaN",
    "Infinity",
    "-",
    "None",
    "1,234.5",
    "0x10",
    "１２",
    "\ud800",
    "\x00",
    "A" * 5_000,
    "2024-02-30",
    "2024-06-28T00:00:00Z",
    "9999-12-31",
    "../../etc/passwd",
    "<html>",
    [],
    {},
    [[]],
    [None],
    {"raw": 1},
    [{}] * 3,
]
RAW = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"[" * 3_000,
    b'"\\ud800"',
    b"\xff\xfe",
    b"{}{}",
)
DETAILS: dict[str, Any] = {
    "polygon": {
        "status": "OK",
        "next_url": "https://api.massive.com/v3/x?cursor=abc",
        "results": [
            {
                "ticker": "T0001",
                "execution_date": "2024-06-28",
                "split_from": 1,
                "split_to": 4,
                "ex_dividend_date": "2024-06-27",
                "cash_amount": 0.5,
                "dividend_type": "CD",
                "name": "T",
                "active": True,
                "delisted_utc": "2024-06-28T00:00:00Z",
            }
        ],
    },
    "alpha_vantage": {
        "Symbol": "T0001",
        "MarketCapitalization": "123",
        "PERatio": "None",
        "EPS": "-",
        "DividendYield": "0.01",
        "Sector": "TECH",
    },
    "yahoo": {
        "quoteSummary": {
            "result": [
                {
                    "price": {"symbol": "T0001", "marketCap": {"raw": 5, "fmt": "5"}},
                    "summaryDetail": {"trailingPE": 4.0, "dividendYield": None},
                    "defaultKeyStatistics": {"trailingEps": 1},
                    "assetProfile": {"sector": "Technology"},
                }
            ],
            "error": None,
        }
    },
    "iex": {"symbol": "T0001", "marketcap": 5, "peRatio": "4", "sector": "x", "ttmEPS": None},
}


class Fuzzer(httpx.AsyncBaseTransport):
    """Answers each request rightly, then damages the answer."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.random = random.Random(seed)
        self.services = Services(MARKET)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = self._right(request)
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 4))):
            content = self._replaced(content)
        try:
            body = json.dumps(content).encode()
        except (ValueError, RecursionError):
            body = b"{"
        status, kind = 200, "application/json"
        chance = self.random.random()
        if chance < 0.15:
            body = self._cut(body)
        elif chance < 0.2:
            status = self.random.choice(
                (201, 204, 301, 400, 401, 403, 404, 422, 429, 500, 503, 599)
            )
        elif chance < 0.25:
            kind = self.random.choice(("text/html", "", "application/json; charset=utf-16", "x"))
        return httpx.Response(status, headers={"Content-Type": kind}, content=body)

    def _right(self, request: httpx.Request) -> Any:
        path = request.url.path
        reference = ("/v3/", "/v10/", "/company", "/stats", "OVERVIEW")
        if any(part in str(request.url) for part in reference):
            details = copy.deepcopy(DETAILS[self.name])
            if "cursor" in request.url.params:
                del details["next_url"]
            return details
        query = dict(request.url.params)
        rest = path.removeprefix(f"/{self.name}")
        answer = getattr(self.services, f"_{self.name}")
        return copy.deepcopy(answer(rest, query, "", MORNING_AFTER.date())[0])

    def _replaced(self, content: Any) -> Any:
        """Return the content with one node replaced, left out, repeated or moved."""
        if self.random.random() < 0.03:
            return copy.deepcopy(self.random.choice(HOSTILE))
        node, trail = content, []
        while isinstance(node, dict | list) and node and self.random.random() < 0.85:
            key = self.random.choice(list(node) if isinstance(node, dict) else range(len(node)))
            trail.append((node, key))
            node = node[key]
        if not trail:
            return content
        holder, key = trail[-1]
        action = self.random.random()
        if action < 0.7:
            holder[key] = copy.deepcopy(self.random.choice(HOSTILE))
        elif action < 0.85 and isinstance(holder, dict):
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(key, copy.deepcopy(self.random.choice((node, *HOSTILE))))
        else:
            holder[f"{key} "] = node
        return content

    def _cut(self, body: bytes) -> bytes:
        spot = self.random.randrange(len(body) + 1)
        choice = self.random.random()
        if choice < 0.5:
            return body[:spot]
        if choice < 0.8:
            return body[:spot] + self.random.choice(RAW) + body[spot + self.random.randrange(9) :]
        return bytes(self.random.randrange(256) for _ in range(self.random.randrange(60)))


def fuzz(name: str, answers: int, seed: int) -> tuple[int, int]:
    """Ask until so many answers were fuzzed; return how many fetches had bars, and how many failed.

    Any exception but a named one escapes and fails the test.
    """
    settings = make_settings(attempts=1, breaker_failures=10**9)
    kind = NETWORK_PROVIDERS[name]  # type: ignore[index]
    fuzzer = Fuzzer(name, seed)
    client = ProviderClient(
        name,
        f"http://services.test/{name}",
        Plan(10**9, concurrency=1),
        settings.data.providers,
        transport=fuzzer,
        clock=FixedClock(),
    )
    keys = environment_keys(
        {"POLYGON_API_KEY": "k", "ALPHA_VANTAGE_API_KEY": "k", "IEX_TOKEN": "k"}
    )
    provider: Any = kind(settings, keys=keys, client=client)
    good, bad = 0, 0

    async def work() -> None:
        nonlocal good, bad
        while client.calls.attempts < answers:
            asked = client.calls.attempts
            start = fuzzer.random.choice((LAST, LAST, WHOLE))
            try:
                if fuzzer.random.random() < 0.2:
                    await ask_reference(provider, fuzzer.random)
                else:
                    check(await provider.fetch(["T0001"], start, LAST))
                    good += 1
            except TradingError as error:
                check_error(error)
                bad += 1
            client._quota._said = None
            assert client.calls.attempts > asked

    asyncio.run(work())
    return good, bad


async def ask_reference(provider: Any, draw: random.Random) -> None:
    if hasattr(provider, "actions") and draw.random() < 0.6:
        if draw.random() < 0.5:
            await provider.tickers(LAST)
        else:
            await provider.actions(WHOLE, LAST)
        return
    found = await provider.fundamentals(["T0001"])
    for data in found.data.values():
        numbers = (data.market_cap, data.pe_ratio, data.eps, data.dividend_yield)
        assert all(n is None or np.isfinite(n) for n in numbers)


def check(result: Any) -> None:
    bars = result.bars
    assert set(bars["symbol"]) <= {"T0001"}
    for field in ("open", "high", "low", "close"):
        values = bars[field].to_numpy()
        assert ((values > 0) & (values < 1e8) | np.isnan(values)).all()
    assert np.isfinite(bars["close"]).all()
    assert bars["date"].between(str(WHOLE), str(LAST)).all()
    assert not bars.duplicated(["symbol", "date"]).any()
    volume = bars["volume"].to_numpy()
    assert ((volume >= 0) & (volume < 1e12) | np.isnan(volume)).all()


def check_error(error: TradingError) -> None:
    assert isinstance(error, ProviderError), error
    assert str(error).isascii()
    assert len(str(error)) < 2_000


class FixedClock:
    def now(self) -> datetime:
        return MORNING_AFTER.astimezone(UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(NETWORK_PROVIDERS))
def test_damaged_answers(name: str) -> None:
    good, bad = fuzz(name, 500, seed=17)
    assert good > 50
    assert bad > 50


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", list(NETWORK_PROVIDERS))
def test_ten_thousand_damaged_answers(name: str) -> None:
    good, bad = fuzz(name, 10_000, seed=23)
    assert good > 1_000
    assert bad > 1_000
