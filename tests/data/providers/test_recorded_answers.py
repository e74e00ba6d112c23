"""Every recorded answer of the four services: read, or refused with the reason that it tells."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from trading.data.providers import alpha_vantage, iex, polygon_answers, yahoo
from trading.data.providers.answers import decode_json
from trading.data.providers.client import Answer
from trading.data.providers.failures import MalformedAnswer, QuotaExhausted
from trading.data.providers.vendor_bars import VendorBars, accept_bars
from trading.errors import ProviderError, ProviderRefused
from trading.market.bars import CorporateActionType
from trading.market.calendar import sessions_between

pytestmark = pytest.mark.real_data
REPOSITORY = Path(__file__).parents[3]
SESSIONS = sessions_between(date(2000, 1, 3), date(2026, 11, 20))
TODAY = date(2026, 11, 20)


@pytest.fixture
def samples() -> Path:
    root = Path(os.environ.get("TRADING_REAL_DATA", REPOSITORY / "../shared/data"))
    if not (root / "api_samples").is_dir():
        pytest.skip(f"no recorded answers at {root / 'api_samples'}; set TRADING_REAL_DATA")
    return root / "api_samples"


def load(file: Path) -> Any:
    content = decode_json(Answer(200, httpx.Headers(), file.read_bytes()), "recorded", file.name)
    return content["body"] if isinstance(content, dict) and "_recorded" in content else content


def accepted(rows: VendorBars) -> pd.DataFrame:
    bars, report = accept_bars(rows, SESSIONS, "recorded")
    assert report.rows_kept == report.rows_read
    return bars


def test_polygon_bars(samples: Path) -> None:
    folder = samples / "polygon"
    (row,) = accepted(
        polygon_answers.read_grouped(
            load(folder / "v2_aggs_grouped_us_stocks.json"), "2020-10-14", None
        )
    ).itertuples()
    assert (row.symbol, str(row.date.date()), row.close, row.volume) == (
        "GIK",
        "2020-10-14",
        10.02,
        895_345,
    )
    bars = accepted(
        polygon_answers.read_aggregates(
            load(folder / "v2_aggs_ticker_AAPL_range_1_day.json"), "AAPL", SESSIONS
        )
    )
    assert [str(day.date()) for day in bars["date"]] == ["2005-04-01", "2005-04-04"]
    with pytest.raises(MalformedAnswer, match="AAPL"):
        polygon_answers.read_aggregates(
            load(folder / "v2_aggs_ticker_AAPL_range_1_day.json"), "MSFT", SESSIONS
        )


def test_polygon_reference(samples: Path) -> None:
    folder = samples / "polygon"
    rows, cursor = polygon_answers.read_page(
        load(folder / "v3_reference_dividends.json"), "dividends"
    )
    paid = polygon_answers.read_dividends(rows)
    assert cursor is None
    assert len(paid) == len(rows)
    assert all(a.type is CorporateActionType.DIVIDEND and a.value for a in paid)
    rows, cursor = polygon_answers.read_page(load(folder / "v3_reference_tickers.json"), "tickers")
    assert [t.symbol for t in polygon_answers.read_tickers(rows)] == ["A", "AA"]
    assert cursor is not None
    assert cursor.startswith("YWN0aXZl")


def test_yahoo_charts(samples: Path) -> None:
    charts = sorted((samples / "yahoo").glob("*chart*"))
    read = 0
    for file in charts:
        symbol = next(s for s in ("AAPL", "MSFT", "TSLA") if s in file.name)
        if "interval-1m" in file.name:
            with pytest.raises(MalformedAnswer, match="not of a day"):
                yahoo.read_chart(load(file), symbol, SESSIONS)
            continue
        rows = yahoo.read_chart(load(file), symbol, SESSIONS)
        bars = accepted(rows)
        read += len(bars)
        assert (bars["adjusted_close"] <= bars["close"] * (1 + 1e-6)).all()
        with pytest.raises(MalformedAnswer, match=symbol):
            yahoo.read_chart(load(file), "IBM", SESSIONS)
    assert read == 2 * (49 + 252 + 3_303)
    apple = yahoo.read_chart(
        load(next(f for f in charts if "AAPL-2020" in f.name)), "AAPL", SESSIONS
    )
    told = {(a.type.value, str(a.ex_date), a.value) for a in apple.actions}
    assert told == {("split", "2020-08-31", 4.0), ("dividend", "2020-11-06", 0.205)}


def test_yahoo_fundamentals(samples: Path) -> None:
    parts: dict[str, Any] = {}
    for file in sorted((samples / "yahoo").glob("quoteSummary*")):
        (result,) = load(file)["quoteSummary"]["result"]
        parts |= result
    whole = {"quoteSummary": {"result": [parts], "error": None}}
    apple = yahoo.read_quote_summary(whole, "AAPL", TODAY)
    assert (apple.market_cap, apple.pe_ratio, apple.eps) == (3_688_676_720_640, 38.91442, 6.31)
    assert (apple.dividend_yield, apple.sector) == (0.0041, "Technology")
    assert apple.industry == "Consumer Electronics"


def test_alpha_vantage(samples: Path) -> None:
    folder = samples / "alpha_vantage"
    series = load(folder / "TIME_SERIES_DAILY_ADJUSTED_TSLA_compact_2021-07-23.json")
    bars = accepted(alpha_vantage.read_daily_adjusted(series, "TSLA", SESSIONS))
    assert len(bars) == 100
    last = bars.iloc[-1]
    assert (str(last["date"].date()), last["close"], last["volume"]) == (
        "2021-07-23",
        643.38,
        14_604_944,
    )
    overview = load(folder / "mock_company_overview.json")
    ibm = alpha_vantage.read_overview(overview, "IBM", TODAY)
    assert (ibm.market_cap, ibm.pe_ratio, ibm.eps) == (114_234_572_800, 14.1327, 8.811)
    text = alpha_vantage.message_of(load(folder / "error_rate_limit_25_per_day.json"))
    assert text is not None
    assert isinstance(alpha_vantage.failure_of(text, "it"), QuotaExhausted)


def test_iex(samples: Path) -> None:
    folder = samples / "iex"
    for name, count in (
        ("chart__msft", 23),
        ("historical_prices__msft_5d", 5),
        ("historical_prices__msft_date_and_chart_by_day", 1),
    ):
        bars = accepted(iex.read_chart(load(folder / f"{name}.json"), "MSFT", SESSIONS))
        assert len(bars) == count
        assert np.isfinite(bars[["open", "high", "low", "close", "volume"]]).all(axis=None)
    with pytest.raises(MalformedAnswer, match="minutes"):
        iex.read_chart(load(folder / "chart__1d.json"), "MSFT", SESSIONS)
    company, stats = load(folder / "company__msft.json"), load(folder / "key_stats__msft.json")
    microsoft = iex.read_fundamentals(company, stats, "MSFT", TODAY)
    assert (microsoft.market_cap, microsoft.pe_ratio) == (990_869_169_557, 29.47)
    assert microsoft.industry == "Packaged Software"


def readers(symbol: str) -> list[Callable[[Any], Any]]:
    return [
        lambda body: polygon_answers.read_grouped(body, "2020-10-14", None),
        lambda body: polygon_answers.read_aggregates(body, symbol, SESSIONS),
        lambda body: polygon_answers.read_page(body, "it"),
        lambda body: polygon_answers.read_details(body, symbol, TODAY),
        lambda body: yahoo.read_chart(body, symbol, SESSIONS),
        lambda body: yahoo.read_quote_summary(body, symbol, TODAY),
        lambda body: alpha_vantage.read_daily_adjusted(body, symbol, SESSIONS),
        lambda body: alpha_vantage.read_overview(body, symbol, TODAY),
        lambda body: iex.read_chart(body, symbol, SESSIONS),
        lambda body: iex.read_fundamentals(body, body, symbol, TODAY),
    ]


def test_every_recorded_file_through_every_reader_is_read_or_a_named_error(samples: Path) -> None:
    files = [
        f for n in ("polygon", "alpha_vantage", "yahoo", "iex") for f in (samples / n).iterdir()
    ]
    assert len(files) > 25
    outcomes = {"read": 0, "refused": 0}
    for file in files:
        body = load(file)
        for reader in readers("MSFT"):
            try:
                reader(body)
                outcomes["read"] += 1
            except ProviderError:
                outcomes["refused"] += 1
    assert outcomes["read"] > 10
    assert outcomes["refused"] > 100


def test_iex_error_answers(samples: Path) -> None:
    for file in sorted((samples / "iex").glob("*bad_option*")):
        with pytest.raises(MalformedAnswer):
            iex.read_chart(load(file), "MSFT", SESSIONS)
    with pytest.raises(ProviderRefused):
        iex.read_chart([], "MSFT", SESSIONS)
