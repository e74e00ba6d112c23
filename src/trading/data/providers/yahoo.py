"""Yahoo Finance: the v8 chart with its events, and the v10 quote summary, one symbol a request.

Yahoo publishes no documentation; this is the service as its own pages use it. Prices and volume
are split-adjusted, `adjclose` is also dividend-adjusted: the bars' convention.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any, ClassVar, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import numpy as np

from trading.config import ProviderName
from trading.data.providers.answers import (
    as_number,
    as_numbers,
    as_text,
    decode_json,
    local_days,
    malformed,
    require_mapping,
    require_sessions,
)
from trading.data.providers.client import Answer
from trading.data.providers.failures import MalformedAnswer, quoted
from trading.data.providers.keys import KeyResolver
from trading.data.providers.secrecy import KeyPlacement
from trading.data.providers.vendor import SymbolProvider, one_symbol, usable
from trading.data.providers.vendor_bars import BoolArray, VendorBars
from trading.errors import ProviderError, ProviderRefused, ProviderUnavailable
from trading.market.bars import CorporateAction, CorporateActionType, FundamentalData
from trading.market.panel import FloatArray, SessionArray

ZONE: Final = "America/New_York"
MODULES: Final = "assetProfile,defaultKeyStatistics,price,summaryDetail"
# Codes of errors that are the service's own trouble, told with any status.
PASSING_CODE: Final = re.compile(r"internal|unavailable|timeout|timed out|too many|gateway")
NOT_FOUND_STATUSES: Final = frozenset({400, 404, 422})


class _CrumbWanted(ProviderRefused):
    """The service wants the crumb that it gives to its pages."""


class YahooProvider(SymbolProvider):
    """Bars, events and fundamentals of Yahoo Finance; see `NetworkProvider`."""

    vendor: ClassVar[ProviderName] = "yahoo"
    _crumb: str | None = None

    @cached_property
    def _fetching(self) -> asyncio.Lock:
        return asyncio.Lock()

    @classmethod
    def _placement(cls, keys: KeyResolver) -> KeyPlacement | None:  # noqa: ARG003
        return None

    async def _history(self, symbol: str, sessions: SessionArray) -> VendorBars:
        zone = ZoneInfo(ZONE)
        first: date = sessions[0].astype(object)
        after = sessions[-1].astype(object) + timedelta(days=1)
        what = f"the bars of {symbol}"
        return await self.client.get(
            f"/v8/finance/chart/{quote(to_yahoo(symbol), safe='')}",
            {
                "period1": int(datetime.combine(first, time(), zone).timestamp()),
                "period2": int(datetime.combine(after, time(), zone).timestamp()),
                "interval": "1d",
                "events": "div|split",
                "includePrePost": "false",
            },
            lambda answer: usable(
                read_chart(decode_json(answer, self.name, what), symbol, sessions),
                sessions,
                self.name,
                what,
            ),
            what=what,
            explain=_explain("chart", symbol, what),
        )

    async def _fundamentals(self, symbol: str) -> FundamentalData:
        """Ask with the crumb that is held; one that is wanted or out of date is fetched once."""
        used = self._crumb
        try:
            return await self._quote_summary(symbol)
        except _CrumbWanted:
            async with self._fetching:
                if self._crumb == used:
                    self._crumb = await self._fetch_crumb()
        return await self._quote_summary(symbol)

    async def _quote_summary(self, symbol: str) -> FundamentalData:
        what = f"the fundamentals of {symbol}"
        today = self.client.clock.now().date()
        crumb = {} if self._crumb is None else {"crumb": self._crumb}
        return await self.client.get(
            f"/v10/finance/quoteSummary/{quote(to_yahoo(symbol), safe='')}",
            {"modules": MODULES} | crumb,
            lambda answer: read_quote_summary(decode_json(answer, self.name, what), symbol, today),
            what=what,
            explain=_explain("quoteSummary", symbol, what, with_crumb=True),
        )

    async def _fetch_crumb(self) -> str:
        def read(answer: Answer) -> str:
            text = answer.body[:200].decode("ascii", "replace").strip()
            if not text or any(c in text for c in "<{ \ufffd"):
                raise malformed(self.name, "the crumb", "it is no word")
            return text

        return await self.client.get("/v1/test/getcrumb", {}, read, what="the crumb")


def to_yahoo(symbol: str) -> str:
    """Return Yahoo's spelling: class shares have a dash (`BRK-B`)."""
    return symbol.replace(".", "-").replace("/", "-")


def _explain(
    root: str, symbol: str, what: str, *, with_crumb: bool = False
) -> Callable[[Answer], ProviderError | None]:
    """Yahoo tells unknown symbols and empty spans by an error object, with 404, 400 or 422."""

    def explain(answer: Answer) -> ProviderError | None:
        if answer.status == 401 and with_crumb:
            return _CrumbWanted(f"yahoo wants a crumb, or a newer one, for {what}")
        if answer.status not in NOT_FOUND_STATUSES:
            return None
        told: Mapping[str, Any] = {}
        with suppress(MalformedAnswer):
            content = decode_json(answer, "yahoo", what)
            inner = content.get(root) if isinstance(content, dict) else None
            error = inner.get("error") if isinstance(inner, dict) else None
            told = error if isinstance(error, dict) else {}
        return _refusal(told, symbol)

    return explain


def _refusal(error: Mapping[str, Any], symbol: str) -> ProviderError:
    """Return the named error of Yahoo's error object: it does not have it, or cannot tell now."""
    code, said = as_text(error.get("code")) or "", as_text(error.get("description"))
    told = f"yahoo has nothing of {symbol}: {quoted(said or code or 'no data')}"
    if PASSING_CODE.search(code.lower()):
        return ProviderUnavailable(f"{told} ({quoted(code)}); try again")
    return ProviderRefused(told)


def read_chart(body: Any, symbol: str, sessions: SessionArray) -> VendorBars:
    """Read a daily chart into bars and actions; rows of nulls are no bars.

    Raises `ProviderRefused` when the service has none, and `MalformedAnswer` for another symbol,
    another currency than USD, another exchange's time zone, or columns of different lengths.
    """
    what = f"the bars of {symbol}"
    result = _result(body, "chart", symbol, what)
    meta = require_mapping(result.get("meta"), "yahoo", what)
    said = as_text(meta.get("symbol"))
    if said is None or to_yahoo(said.upper()) != to_yahoo(symbol):
        raise malformed("yahoo", what, f"it is of {quoted(said)!r}")
    if (currency := meta.get("currency")) not in ("USD", None):
        raise ProviderRefused(f"yahoo quotes {symbol} in {quoted(currency)}; expected USD")
    if (zone := meta.get("exchangeTimezoneName")) not in (ZONE, None):
        raise ProviderRefused(f"yahoo's {symbol} trades in {quoted(zone)}; expected {ZONE}")
    if (grain := meta.get("dataGranularity")) not in ("1d", None):
        raise malformed("yahoo", what, f"its bars are of {quoted(grain)}, not of a day")
    stamps = result.get("timestamp")
    if stamps is None or stamps == []:
        raise ProviderRefused(f"yahoo has no bar of {symbol} in that time")
    if not isinstance(stamps, list):
        raise malformed("yahoo", what, "its timestamps are no array")
    days = local_days(as_numbers(stamps), ZONE)
    indicators = require_mapping(result.get("indicators"), "yahoo", what)
    quotes = _columns(indicators, "quote", what)
    adjusted = _columns(indicators, "adjclose", what) if indicators.get("adjclose") else {}
    names = {"open": quotes, "high": quotes, "low": quotes, "close": quotes, "volume": quotes}
    values = {}
    for field, holder in names.items():
        values[field] = _column(holder, field, len(days), what)
    values["adjusted_close"] = _column(adjusted, "adjclose", len(days), what)
    traded = ~np.isnan(np.stack([values[name] for name in ("open", "high", "low", "close")]))
    kept = traded.any(axis=0) & ~_live_row(as_numbers(stamps), days, values["close"], meta)
    if not kept.any():
        raise ProviderRefused(f"yahoo has no bar of {symbol} in that time")
    require_sessions(days[kept], sessions, "yahoo", what)
    actions = _events(symbol, result.get("events"))
    return one_symbol(symbol, days[kept], {f: v[kept] for f, v in values.items()}, actions)


def read_quote_summary(body: Any, symbol: str, as_of: date) -> FundamentalData:
    """Read a quote summary; numbers may be plain or `{"raw": ..., "fmt": ...}`."""
    what = f"the fundamentals of {symbol}"
    result = _result(body, "quoteSummary", symbol, what)

    def module(name: str) -> Mapping[str, Any]:
        held = result.get(name)
        return held if isinstance(held, dict) else {}

    price, detail = module("price"), module("summaryDetail")
    statistics, profile = module("defaultKeyStatistics"), module("assetProfile")
    said = as_text(price.get("symbol"))
    if said is not None and to_yahoo(said.upper()) != to_yahoo(symbol):
        raise malformed("yahoo", what, f"it is of {quoted(said)!r}")
    cap = _raw(price.get("marketCap")) or _raw(detail.get("marketCap"))
    yielded = _raw(detail.get("dividendYield"))
    return FundamentalData(
        symbol,
        as_of,
        market_cap=cap if cap and cap > 0 else None,
        pe_ratio=_raw(detail.get("trailingPE")),
        eps=_raw(statistics.get("trailingEps")),
        dividend_yield=_raw(detail.get("trailingAnnualDividendYield"))
        if yielded is None
        else yielded,
        sector=as_text(profile.get("sector")),
        industry=as_text(profile.get("industry")),
    )


def _result(body: Any, root: str, symbol: str, what: str) -> Mapping[str, Any]:
    content = require_mapping(require_mapping(body, "yahoo", what).get(root), "yahoo", what)
    results, error = content.get("result"), content.get("error")
    if isinstance(error, dict):
        raise _refusal(error, symbol)
    if not isinstance(results, list) or len(results) != 1:
        raise malformed("yahoo", what, "one result was expected")
    return require_mapping(results[0], "yahoo", what)


def _columns(indicators: Mapping[str, Any], name: str, what: str) -> Mapping[str, Any]:
    held = indicators.get(name)
    if not isinstance(held, list) or len(held) != 1:
        raise malformed("yahoo", what, f"one set of {name} was expected")
    return require_mapping(held[0], "yahoo", what)


def _column(holder: Mapping[str, Any], name: str, length: int, what: str) -> Any:
    values = holder.get(name)
    if values is None:
        return np.full(length, np.nan)
    if not isinstance(values, list) or len(values) != length:
        raise malformed("yahoo", what, f"{name} has not one value a timestamp")
    return as_numbers(values)


def _live_row(
    stamps: FloatArray, days: SessionArray, close: FloatArray, meta: Mapping[str, Any]
) -> BoolArray:
    """Return `(n,)`: whether a row is the latest quote, beside the bar of the same day.

    Until it has settled a session, Yahoo may send its last trade as a row of its own, stamped with
    the time of that trade, after the daily bar.
    """
    live = np.zeros(len(days), dtype=bool)
    if len(days) > 1 and days[-1] == days[-2] and not np.isnan(close[-2]):
        live[-1] = stamps[-1] == as_number(meta.get("regularMarketTime")) != stamps[-2]
    return live


def _events(symbol: str, events: Any) -> list[CorporateAction]:
    held = events if isinstance(events, dict) else {}
    found = []
    for kind, name in (
        (CorporateActionType.DIVIDEND, "dividends"),
        (CorporateActionType.SPLIT, "splits"),
    ):
        group = held.get(name)
        for stamp, event in group.items() if isinstance(group, dict) else ():
            if not isinstance(event, dict):
                continue
            day = local_days(as_numbers([event.get("date", stamp)]), ZONE)[0]
            value = as_number(event.get("amount"))
            if kind is CorporateActionType.SPLIT:
                value = _split_ratio(event)
            if not np.isnat(day) and 1e-6 < value < 1e6:
                found.append(CorporateAction(symbol, day.astype(object), kind, float(value)))
    return found


def _split_ratio(event: Mapping[str, Any]) -> float:
    """Return new shares per old one, told as two numbers or as text (`4:1`, `4/1`), else NaN."""
    told = as_text(event.get("splitRatio")) or ""
    new, old = (as_number(part) for part in [*re.split(r"[:/]", told), "", ""][:2])
    if "numerator" in event or "denominator" in event:
        new, old = as_number(event.get("numerator")), as_number(event.get("denominator"))
    return new / old if old > 0 else float("nan")


def _raw(value: Any) -> float | None:
    number = as_number(value.get("raw") if isinstance(value, dict) else value)
    return number if number == number else None
