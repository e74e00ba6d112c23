"""Recorded answers of the services, damaged by structure: bars that can be true, or a named error.

Beside `test_provider_fuzzing`, which damages made-up answers node by node.
"""

import asyncio
import json
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from answer_mutators import mutated
from provider_examples import make_settings

from trading.data.providers import NETWORK_PROVIDERS
from trading.data.providers.client import ProviderClient
from trading.data.providers.keys import environment_keys
from trading.data.providers.plans import Plan
from trading.errors import ProviderError, TradingError
from trading.market.calendar import is_session

pytestmark = pytest.mark.real_data
REPOSITORY = Path(__file__).parents[3]
NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
KEYS = environment_keys(
    {"POLYGON_API_KEY": "pkey", "ALPHA_VANTAGE_API_KEY": "avk", "IEX_TOKEN": "tk"}
)
Ask = Callable[[Any], Awaitable[Any]]


def bars_of(symbol: str | None, first: date, last: date) -> Ask:
    return lambda provider: provider.fetch(None if symbol is None else [symbol], first, last)


def of_company(symbol: str) -> Ask:
    return lambda provider: provider.fundamentals([symbol])


ACTIONS: Ask = lambda provider: provider.actions(date(2016, 1, 4), date(2022, 1, 31))  # noqa: E731
TICKERS: Ask = lambda provider: provider.tickers(date(2022, 1, 31))  # noqa: E731
QUESTIONS: dict[str, list[tuple[str, Ask]]] = {
    "polygon": [
        ("v2_aggs_grouped_us_stocks", bars_of(None, date(2020, 10, 14), date(2020, 10, 14))),
        ("v2_aggs_ticker_AAPL_range_1_day", bars_of("AAPL", date(2005, 4, 1), date(2005, 4, 4))),
        ("v3_reference_dividends", ACTIONS),
        ("v3_reference_tickers", TICKERS),
        ("v3_reference_tickers", of_company("A")),
    ],
    "yahoo": [
        (
            "chart-AAPL-2020-08-31-to-2020-11-07.body",
            bars_of("AAPL", date(2020, 8, 31), date(2020, 11, 6)),
        ),
        (
            "historical-via-chart-MSFT-dividends-2021-02-01-to-2022-01-31.body",
            bars_of("MSFT", date(2021, 2, 1), date(2022, 1, 31)),
        ),
        ("quoteSummary-price-AAPL.body", of_company("AAPL")),
        ("quoteSummary-summaryDetail-AAPL.body", of_company("AAPL")),
    ],
    "alpha_vantage": [
        (
            "TIME_SERIES_DAILY_ADJUSTED_TSLA_compact_2021-07-23",
            bars_of("TSLA", date(2021, 3, 2), date(2021, 7, 22)),
        ),
        ("error_rate_limit_25_per_day", bars_of("TSLA", date(2021, 3, 2), date(2021, 7, 22))),
        ("mock_company_overview", of_company("IBM")),
    ],
    "iex": [
        ("chart__msft", bars_of("MSFT", date(2019, 7, 10), date(2019, 8, 9))),
        (
            "historical_prices__msft_date_and_chart_by_day",
            bars_of("MSFT", date(2020, 11, 10), date(2020, 11, 10)),
        ),
        (
            "historical_prices__invalid_range",
            bars_of("MSFT", date(2020, 11, 4), date(2020, 11, 10)),
        ),
        ("company__msft", of_company("MSFT")),
        ("key_stats__msft", of_company("MSFT")),
    ],
}


@dataclass
class Count:
    """What became of the questions."""

    told: int = 0
    refused: int = 0
    bars: int = 0


class Damaging(httpx.AsyncBaseTransport):
    """Answers every request with the present sample, damaged."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.sample: Any = None
        self.status = 200

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        status, headers, body = mutated(self.sample, self.status, self.draw)
        stream = httpx.ByteStream(body)
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        return httpx.Response(status, headers=raw, stream=stream)


class Standing:
    """A clock that does not move."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@pytest.fixture
def samples() -> Path:
    root = Path(os.environ.get("TRADING_REAL_DATA", REPOSITORY / "../shared/data"))
    if not (root / "api_samples").is_dir():
        pytest.skip(f"no recorded answers at {root / 'api_samples'}; set TRADING_REAL_DATA")
    return root / "api_samples"


def fuzz(name: str, folder: Path, answers: int, seed: int) -> Count:
    """Ask until so many answers were damaged; what is neither told nor refused by name escapes."""
    draw = random.Random(seed)
    settings = make_settings(attempts=1, breaker_failures=10**9)
    transport = Damaging(draw)
    client = ProviderClient(
        name,
        f"http://services.test/{name}",
        Plan(10**9, concurrency=1),
        settings.data.providers,
        transport=transport,
        clock=Standing(),
    )
    provider: Any = NETWORK_PROVIDERS[name](settings, keys=KEYS, client=client)  # type: ignore[index]
    questions = [(sample_of(folder / name / f"{file}.json"), ask) for file, ask in QUESTIONS[name]]
    count = Count()

    async def work() -> None:
        while client.calls.attempts < answers:
            (transport.sample, transport.status), ask = draw.choice(questions)
            asked = client.calls.attempts
            try:
                check(await ask(provider), count)
            except TradingError as error:
                check_error(error)
                count.refused += 1
            client._quota._said = None
            assert client.calls.attempts > asked

    asyncio.run(work())
    return count


def sample_of(file: Path) -> tuple[Any, int]:
    """Return the content and the status of a recorded answer."""
    content = json.loads(file.read_text())
    if isinstance(content, dict) and "_recorded" in content:
        return content["body"], int(content["_recorded"]["status"])
    return content, 200


def check_error(error: TradingError) -> None:
    """Whatever is refused has a name and a short plain sentence."""
    assert isinstance(error, ProviderError), error
    assert str(error).isascii()
    assert len(str(error)) < 2_000


def check(result: Any, count: Count) -> None:
    """Whatever is told can be true."""
    count.told += 1
    if isinstance(result, tuple):
        for each in result:
            value = getattr(each, "value", None)
            assert value is None or (np.isfinite(value) and value > 0)
            assert each.symbol.isascii()
        return
    if hasattr(result, "data"):
        for data in result.data.values():
            figures = (data.market_cap, data.pe_ratio, data.eps, data.dividend_yield)
            assert all(figure is None or np.isfinite(figure) for figure in figures)
        return
    bars = result.bars
    count.bars += len(bars)
    prices = bars[["open", "high", "low", "close", "adjusted_close"]].to_numpy()
    assert ((prices > 0) & (prices <= 1e8) | np.isnan(prices)).all()
    assert np.isfinite(bars["close"]).all()
    assert not (bars["high"] < bars["low"]).any()
    assert not bars.duplicated(["symbol", "date"]).any()
    assert all(is_session(day.date()) for day in bars["date"].unique())
    volume = bars["volume"].to_numpy()
    assert ((volume >= 0) & (volume <= 1e12) | np.isnan(volume)).all()
    for action in result.actions:
        assert action.value is None or (np.isfinite(action.value) and action.value > 0)


@pytest.mark.parametrize("name", list(QUESTIONS))
def test_damaged_samples(name: str, samples: Path) -> None:
    count = fuzz(name, samples, 60, seed=5)
    assert count.told > 5
    assert count.refused > 15


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", list(QUESTIONS))
def test_ten_thousand_damaged_samples(name: str, samples: Path) -> None:
    count = fuzz(name, samples, 10_000, seed=31)
    assert count.told > 1_000
    assert count.refused > 2_000
    assert count.bars > 500
