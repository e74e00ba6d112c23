"""What is particular to each service: its paging, its texts, its crumb, its spellings."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
import pytest
from provider_examples import FIRST, LAST, MORNING_AFTER, canary_keys, make_settings, small_market
from vendor_services import KEYS, Services
from virtual_time import VirtualClock, run_virtually

from trading.data.providers import NETWORK_PROVIDERS, iex, polygon_answers
from trading.data.providers.alpha_vantage import failure_of
from trading.data.providers.client import ProviderClient
from trading.data.providers.failures import MalformedAnswer, QuotaExhausted, RateLimited
from trading.data.providers.plans import Plan
from trading.errors import (
    ProviderError,
    ProviderRefused,
    ProviderStopped,
    ProviderUnavailable,
)

Reply = Callable[[httpx.Request], tuple[Any, int]]


def provider_of(name: str, reply: Reply, asked: list[httpx.Request] | None = None) -> Any:
    """Return a provider whose service is the function `reply`."""

    def answer(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        content, status = reply(request)
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return httpx.Response(status, content=body)

    settings = make_settings()
    kind = NETWORK_PROVIDERS[name]  # type: ignore[index]
    clock = VirtualClock(MORNING_AFTER)
    client = ProviderClient(
        name,
        f"http://services.test/{name}",
        Plan(60_000),
        settings.data.providers,
        key=kind._placement(canary_keys),
        clock=clock,
        transport=httpx.MockTransport(answer),
    )
    return kind(settings, keys=canary_keys, client=client)


def test_polygon_pages_are_followed_on_the_configured_host_only() -> None:
    asked: list[httpx.Request] = []
    names = [f"T{n:03d}" for n in range(7)]

    def reply(request: httpx.Request) -> tuple[Any, int]:
        start = int(request.url.params.get("cursor", "0"))
        page = {
            "status": "OK",
            "results": [{"ticker": t, "active": True} for t in names[start:][:3]],
        }
        if start + 3 < len(names):
            page["next_url"] = f"https://evil.test/v3/steal?cursor={start + 3}&apiKey=x"
        return page, 200

    found = run_virtually(provider_of("polygon", reply, asked).tickers(LAST))
    assert [ticker.symbol for ticker in found] == names
    assert {request.url.host for request in asked} == {"services.test"}
    assert {request.url.path for request in asked} == {"/polygon/v3/reference/tickers"}
    assert {request.headers["Authorization"] for request in asked} == {f"Bearer {KEYS['polygon']}"}


@pytest.mark.parametrize("link", ["https://x.test/?cursor=a", "no cursor", 7, "http://[bad"])
def test_polygon_pages_without_end_or_cursor_are_malformed(link: Any) -> None:
    provider = provider_of("polygon", lambda _: ({"results": [], "next_url": link}, 200))
    with pytest.raises(MalformedAnswer):
        run_virtually(provider.tickers(LAST))


def test_polygon_actions_are_split_adjusted_and_sorted() -> None:
    def reply(request: httpx.Request) -> tuple[Any, int]:
        if request.url.path.endswith("/splits"):
            assert request.url.params["execution_date.gte"] == "2024-01-02"
            return {
                "results": [
                    split("B", "2024-03-01", 1, 10),
                    split("A", "2024-05-01", 1, 4),
                    split("C", "2024-05-01", 0, 4),
                    split("BACpK", "2024-05-01", 1, 2),
                ]
            }, 200
        return {
            "results": [
                paid("A", "2024-06-03", 0.1),
                paid("A", "2024-02-01", 0.4),
                paid("A", "2024-02-01", 0.4),
                paid("A", "2024-02-01", 1.6, kind="SC"),
                paid("A", "2023-02-01", 9.0),
                paid("D", "2024-02-01", 1.0) | {"currency": "EUR"},
                paid("D", "2024-02-30", 1.0),
                paid("E", "2024-02-02", "0.5"),
            ]
        }, 200

    def split(ticker: str, day: str, old: float, new: float) -> dict[str, Any]:
        return {"ticker": ticker, "execution_date": day, "split_from": old, "split_to": new}

    def paid(ticker: str, day: str, amount: Any, kind: str = "CD") -> dict[str, Any]:
        row = {"ticker": ticker, "ex_dividend_date": day, "cash_amount": amount}
        return row | {"dividend_type": kind, "pay_date": day}

    found = run_virtually(provider_of("polygon", reply).actions(FIRST, LAST))
    assert [(a.symbol, str(a.ex_date), a.type.value, a.value) for a in found] == [
        ("A", "2024-02-01", "dividend", 0.5),
        ("E", "2024-02-02", "dividend", 0.5),
        ("B", "2024-03-01", "split", 10.0),
        ("A", "2024-05-01", "split", 4.0),
        ("A", "2024-06-03", "dividend", 0.1),
    ]


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        ({"status": "NOT_AUTHORIZED", "message": "upgrade your plan"}, 403, ProviderRefused),
        ({"status": "ERROR", "error": "Unknown API Key"}, 401, ProviderStopped),
        ({"status": "ERROR", "error": "Unknown API Key"}, 200, ProviderStopped),
        ({"status": "ERROR", "error": "too many symbols"}, 200, ProviderRefused),
        ({"status": "OK", "resultsCount": 5, "results": []}, 200, MalformedAnswer),
        ({"status": "OK", "resultsCount": 0}, 200, MalformedAnswer),
        ({"status": "OK", "adjusted": False, "results": [{"T": "T0001"}]}, 200, MalformedAnswer),
    ],
)
def test_polygon_errors(content: Any, status: int, kind: type[ProviderError]) -> None:
    with pytest.raises(kind, match="polygon"):
        run_virtually(provider_of("polygon", lambda _: (content, status)).fetch(None, LAST, LAST))


def test_polygon_leaves_out_what_is_no_plain_ticker() -> None:
    row = {"o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "t": 1_719_604_800_000}
    rows = [row | {"T": t} for t in ("AAPL", "BRK.B", "BACpK", "AAM.WS.A", None, 5)]
    bars = polygon_answers.read_grouped({"results": rows}, str(LAST), None)
    assert sorted(bars.symbol) == ["AAPL", "BRK.B"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            "Thank you for using Alpha Vantage! Our standard API call frequency is 5 calls per "
            "minute and 500 calls per day.",
            RateLimited,
        ),
        (
            "Please consider spreading out your free API requests more sparingly (1 request per "
            "second). You may subscribe to a premium plan to lift the limit (25 requests per day)",
            RateLimited,
        ),
        (
            "We have detected your API key as AVCANARY91XQ and our standard API rate limit is 25 "
            "requests per day. Please subscribe to any of the premium plans",
            QuotaExhausted,
        ),
        ("Thank you for using Alpha Vantage! This is a premium endpoint.", ProviderStopped),
        ("the parameter apikey is invalid or missing. Please claim your free key", ProviderStopped),
        ("The **demo** API key is for demo purposes only.", ProviderStopped),
        (
            "Invalid API call. Please retry or visit the documentation "
            "(https://www.alphavantage.co/documentation/) for TIME_SERIES_DAILY_ADJUSTED.",
            ProviderRefused,
        ),
        (
            "Thank you for using Alpha Vantage! The outputsize=full parameter value is a premium "
            "feature for the TIME_SERIES_DAILY endpoint. You may subscribe to any of the premium "
            "plans to instantly unlock all premium features",
            ProviderStopped,
        ),
        (
            "Thank you for using Alpha Vantage! Please consider spreading out your free API "
            "requests more sparingly (1 request per second). You may subscribe to any of the "
            "premium plans to lift the free key rate limit (25 requests per day), raise the "
            "per-second burst limit, and instantly unlock all premium endpoints",
            RateLimited,
        ),
    ],
)
def test_alpha_vantage_tells_errors_as_text(text: str, kind: type[ProviderError]) -> None:
    assert type(failure_of(text, "it")) is kind
    for key in ("Note", "Information", "Error Message"):
        provider = provider_of("alpha_vantage", lambda _, key=key: ({key: text}, 200))
        with pytest.raises(ProviderError) as raised:
            run_virtually(provider.fetch(["T0001"], LAST, LAST))
        assert KEYS["alpha_vantage"] not in str(raised.value)


def test_alpha_vantage_stops_asking_when_the_day_is_used_up() -> None:
    asked: list[httpx.Request] = []
    text = {"Information": "our standard API rate limit is 25 requests per day"}
    provider = provider_of("alpha_vantage", lambda _: (text, 200), asked)
    with pytest.raises(QuotaExhausted):
        run_virtually(provider.fetch([f"T{n:03d}" for n in range(50)], LAST, LAST))
    assert len(asked) <= 8


def test_alpha_vantage_goes_on_after_an_unknown_symbol() -> None:
    text = (
        "Invalid API call. Please retry or visit the documentation "
        "(https://www.alphavantage.co/documentation/) for TIME_SERIES_DAILY_ADJUSTED."
    )
    services = Services(small_market(4))

    def reply(request: httpx.Request) -> tuple[Any, int]:
        query = dict(request.url.params)
        if query["symbol"] == "T0001":
            return {"Error Message": text}, 200
        return services._alpha_vantage("/query", query, "", MORNING_AFTER.date())

    names = ["T0001", "T0002", "T0003"]
    result = run_virtually(provider_of("alpha_vantage", reply).fetch(names, LAST, LAST))
    assert sorted(result.bars["symbol"]) == names[1:]
    assert [gap.symbol for gap in result.missing] == ["T0001"]


def test_polygon_details_are_asked_in_its_own_spelling() -> None:
    asked: list[httpx.Request] = []
    content = {"status": "OK", "results": {"ticker": "BRK.B", "market_cap": 7.0}}
    provider = provider_of("polygon", lambda _: (content, 200), asked)
    found = run_virtually(provider.fundamentals(["BRK-B"]))
    assert found.data["BRK-B"].market_cap == 7.0
    assert asked[0].url.path.endswith("/BRK.B")


def yahoo_chart(change: Callable[[dict[str, Any]], None], *, status: int = 200) -> Any:
    """Return a provider whose answers are the market's, changed."""
    services = Services(small_market(3))

    def reply(request: httpx.Request) -> tuple[Any, int]:
        path = request.url.path.removeprefix("/yahoo")
        content, _ = services._yahoo(path, dict(request.url.params), "", MORNING_AFTER.date())
        change(content["chart"]["result"][0])
        return content, status

    return provider_of("yahoo", reply)


def test_yahoo_sends_its_last_trade_beside_the_bar_of_the_day() -> None:
    def add_live_row(result: dict[str, Any]) -> None:
        late = result["timestamp"][-1] + 23_400
        result["timestamp"].append(late)
        result["meta"]["regularMarketTime"] = late
        quotes, adjusted = (result["indicators"][name][0] for name in ("quote", "adjclose"))
        adjusted["adjclose"] = list(adjusted["adjclose"])
        for column in (*quotes.values(), *adjusted.values()):
            column.append(column[-1] * 1.001)

    market = small_market(3)
    result = run_virtually(yahoo_chart(add_live_row).fetch(["T0001"], date(2024, 6, 24), LAST))
    assert len(result.bars) == 5
    assert result.complete
    assert market.wrong_rows(result.bars).empty


@pytest.mark.parametrize(
    ("event", "ratio"),
    [
        ({"numerator": 4, "denominator": 1, "splitRatio": "4:1"}, 4.0),
        ({"splitRatio": "3:2"}, 1.5),
        ({"splitRatio": "1/10"}, 0.1),
        ({"splitRatio": "4"}, None),
        ({"numerator": 4, "denominator": 0, "splitRatio": "4:1"}, None),
        ({}, None),
    ],
)
def test_yahoo_tells_splits_as_numbers_or_text(event: dict[str, Any], ratio: float | None) -> None:
    def add_split(result: dict[str, Any]) -> None:
        result["events"] = {"splits": {str(result["timestamp"][-1]): event}}

    found = run_virtually(yahoo_chart(add_split).fetch(["T0001"], LAST, LAST)).actions
    assert [action.value for action in found] == ([] if ratio is None else [ratio])
    assert all(action.ex_date == LAST for action in found)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("Not Found", ProviderRefused),
        ("Bad Request", ProviderRefused),
        ("Internal Server Error", ProviderUnavailable),
        ("Too Many Requests", ProviderUnavailable),
    ],
)
@pytest.mark.parametrize("status", [200, 404])
def test_yahoo_tells_its_own_trouble_apart(
    code: str, status: int, kind: type[ProviderError]
) -> None:
    content = {"chart": {"result": None, "error": {"code": code, "description": "words"}}}
    provider = provider_of("yahoo", lambda _: (content, status))
    with pytest.raises(kind, match="words"):
        run_virtually(provider.fetch(["T0001"], LAST, LAST))


def test_yahoo_gets_another_crumb_when_the_held_one_is_out_of_date() -> None:
    asked: list[httpx.Request] = []
    current = "first"

    def reply(request: httpx.Request) -> tuple[Any, int]:
        if request.url.path.endswith("/getcrumb"):
            return current.encode(), 200
        if request.url.params.get("crumb") != current:
            return {"finance": {"error": {"code": "Unauthorized"}}}, 401
        return {"quoteSummary": {"result": [{"price": {"marketCap": 9.0}}], "error": None}}, 200

    provider = provider_of("yahoo", reply, asked)
    assert not run_virtually(provider.fundamentals(["T0001", "T0002"])).failures
    current = "second"
    assert not run_virtually(provider.fundamentals(["T0001", "T0002"])).failures
    assert sum(request.url.path.endswith("/getcrumb") for request in asked) == 2


def test_yahoo_gets_a_crumb_when_the_service_wants_one() -> None:
    asked: list[httpx.Request] = []
    modules = {"price": {"symbol": "BRK-B", "marketCap": 9.0}, "assetProfile": {"sector": "F"}}

    def reply(request: httpx.Request) -> tuple[Any, int]:
        if request.url.path.endswith("/getcrumb"):
            return b"Cr.umb/1", 200
        if request.url.params.get("crumb") != "Cr.umb/1":
            return {"finance": {"error": {"code": "Unauthorized"}}}, 401
        return {"quoteSummary": {"result": [modules], "error": None}}, 200

    found = run_virtually(provider_of("yahoo", reply, asked).fundamentals(["BRK.B"]))
    assert not found.failures
    assert (found.data["BRK.B"].market_cap, found.data["BRK.B"].sector) == (9.0, "F")
    assert "/BRK-B" in asked[0].url.path


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"currency": "GBp"}, ProviderRefused),
        ({"exchangeTimezoneName": "Europe/London"}, ProviderRefused),
        ({"dataGranularity": "1mo"}, MalformedAnswer),
        ({"symbol": None}, MalformedAnswer),
    ],
)
def test_yahoo_refuses_another_market(change: dict[str, Any], kind: type[ProviderError]) -> None:
    services = Services(small_market(3))

    def reply(request: httpx.Request) -> tuple[Any, int]:
        params = dict(request.url.params)
        path = request.url.path.removeprefix("/yahoo")
        content, status = services._yahoo(path, params, "", MORNING_AFTER.date())
        content["chart"]["result"][0]["meta"] |= change
        return content, status

    with pytest.raises(kind, match="yahoo"):
        run_virtually(provider_of("yahoo", reply).fetch(["T0001"], LAST, LAST))


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"Unknown symbol", 404, ProviderRefused),
        (b"The API key provided is not valid.", 403, ProviderStopped),
        (b"You have exceeded your allotted message quota", 402, QuotaExhausted),
        (b'{"error": "\\"badOption\\" is not allowed"}', 400, ProviderRefused),
        (b"[]", 200, ProviderRefused),
    ],
)
def test_iex_errors(body: bytes, status: int, kind: type[ProviderError]) -> None:
    with pytest.raises(kind, match="iex"):
        run_virtually(provider_of("iex", lambda _: (body, status)).fetch(["T0001"], LAST, LAST))


@pytest.mark.parametrize(
    ("days", "name"), [(0, "5d"), (6, "1m"), (300, "1y"), (1_000, "5y"), (9_999, "max")]
)
def test_the_shortest_iex_range_that_reaches(days: int, name: str) -> None:
    assert iex.range_reaching(days) == name


def test_sessions_before_the_calendar_are_an_error_of_the_question() -> None:
    provider = provider_of("iex", lambda _: ([], 200))
    with pytest.raises(ProviderRefused, match="no session"):
        run_virtually(provider.fetch(["A"], date(2024, 6, 29), date(2024, 6, 30)))
