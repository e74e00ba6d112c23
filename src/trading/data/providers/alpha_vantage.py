"""Alpha Vantage: daily adjusted series and company overviews, one symbol a request.

Documentation: https://www.alphavantage.co/documentation. Open, high, low, close and volume come as
they were traded; the split coefficients of the later days of the same answer turn them into the
bars' convention. The service tells limits and errors as text with HTTP status 200.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, ClassVar, Final

import numpy as np

from trading.config import ProviderName
from trading.data.providers.answers import (
    as_days,
    as_number,
    as_numbers,
    as_text,
    decode_json,
    malformed,
    require_mapping,
    require_sessions,
)
from trading.data.providers.client import Answer
from trading.data.providers.failures import (
    MalformedAnswer,
    QuotaExhausted,
    RateLimited,
    quoted,
)
from trading.data.providers.keys import KeyResolver, require_key
from trading.data.providers.secrecy import KeyPlacement
from trading.data.providers.vendor import SymbolProvider, one_symbol, usable
from trading.data.providers.vendor_bars import VendorBars
from trading.errors import ProviderError, ProviderRefused, ProviderStopped
from trading.market.bars import CorporateAction, CorporateActionType, FundamentalData
from trading.market.panel import FloatArray, SessionArray

FIELD_LABELS: Final = {
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "adjusted_close": "adjusted close",
    "volume": "volume",
}
# `compact` has the last 100 sessions: those of about 140 days.
COMPACT_REACH: Final = timedelta(days=130)
TEXT_KEYS: Final = ("Note", "Information", "Error Message", "Message")


class AlphaVantageProvider(SymbolProvider):
    """Bars and overviews of Alpha Vantage; see `NetworkProvider`."""

    vendor: ClassVar[ProviderName] = "alpha_vantage"

    @classmethod
    def _placement(cls, keys: KeyResolver) -> KeyPlacement:
        return KeyPlacement(require_key("alpha_vantage", keys), parameter="apikey")

    async def _history(self, symbol: str, sessions: SessionArray) -> VendorBars:
        first: date = sessions[0].astype(object)
        recent = self.client.clock.now().date() - first <= COMPACT_REACH
        what = f"the bars of {symbol}"
        return await self.client.get(
            "/query",
            {
                "function": "TIME_SERIES_DAILY_ADJUSTED",
                "symbol": to_alpha_vantage(symbol),
                "outputsize": "compact" if recent else "full",
            },
            lambda answer: usable(
                read_daily_adjusted(decode_json(answer, self.name, what), symbol, sessions),
                sessions,
                self.name,
                what,
            ),
            what=what,
            explain=self._explain(what),
        )

    async def _fundamentals(self, symbol: str) -> FundamentalData:
        what = f"the overview of {symbol}"
        today = self.client.clock.now().date()
        return await self.client.get(
            "/query",
            {"function": "OVERVIEW", "symbol": to_alpha_vantage(symbol)},
            lambda answer: read_overview(decode_json(answer, self.name, what), symbol, today),
            what=what,
            explain=self._explain(what),
        )

    def _explain(self, what: str) -> Callable[[Answer], ProviderError | None]:
        def explain(answer: Answer) -> ProviderError | None:
            if answer.status != 200 or len(answer.body) > 10_000:
                return None
            try:
                content = decode_json(answer, self.name, what)
            except MalformedAnswer:
                return None
            text = message_of(content)
            return None if text is None else failure_of(self.client.redacted(text), what)

        return explain


def to_alpha_vantage(symbol: str) -> str:
    """Return Alpha Vantage's spelling: class shares have a dash (`BRK-B`)."""
    return symbol.replace(".", "-").replace("/", "-")


def message_of(content: Any) -> str | None:
    """Return what the service says instead of data, None when it sends data."""
    if not isinstance(content, dict):
        return None
    for key in TEXT_KEYS:
        if isinstance(text := content.get(key), str):
            return text
    return None


def failure_of(text: str, what: str) -> ProviderError:
    """Return the named error of the service's text: its limits, its key, its plans.

    The texts advertise: one about a second's limit names the day's and the premium plans as well,
    and one about an unknown symbol the function's name (`TIME_SERIES_DAILY_ADJUSTED`). What the
    text is about comes first in it.
    """
    said, told = text.lower(), f"alpha_vantage refuses {what}: {quoted(text)}"
    if re.search(r"\bapi ?key\b", said) and re.search(
        r"invalid or missing|\bdemo\b|claim your free", said
    ):
        return ProviderStopped(f"{told}; mend the API key")
    if "invalid api call" in said:
        return ProviderRefused(told)
    if "per second" in said:
        return RateLimited(told, 1.5)
    if "per minute" in said:
        return RateLimited(told, 60.0)
    if re.search(r"\bis (only available|a) (as a |to )?premium|premium endpoint", said):
        return ProviderStopped(f"{told}; the key's plan does not have it")
    if re.search(r"\bper day\b|\bdaily\b", said):
        return QuotaExhausted(told)
    if "rate limit" in said or "call frequency" in said or "higher api call" in said:
        return RateLimited(told, 60.0)
    return ProviderRefused(told)


def read_daily_adjusted(body: Any, symbol: str, sessions: SessionArray) -> VendorBars:
    """Read a daily adjusted series into split-adjusted bars and the actions of its days.

    Raises `MalformedAnswer` for another symbol's series, or one without a wanted session.
    """
    what = f"the bars of {symbol}"
    content = require_mapping(body, "alpha_vantage", what)
    meta = content.get("Meta Data")
    said = _labelled(meta, "symbol") if isinstance(meta, dict) else None
    if isinstance(said, str) and to_alpha_vantage(said.strip().upper()) != to_alpha_vantage(symbol):
        raise malformed("alpha_vantage", what, f"it is of {quoted(said)!r}")
    key = next((k for k in content if k.lower().startswith("time series")), None)
    if key is None:
        if not content:
            raise ProviderRefused(f"alpha_vantage has nothing of {symbol}")
        raise malformed("alpha_vantage", what, "it has no time series")
    series = require_mapping(content[key], "alpha_vantage", what)
    rows = [row if isinstance(row, dict) else {} for row in series.values()]
    days = as_days(list(series))
    order = np.argsort(days, kind="stable")
    days, rows = days[order], [rows[i] for i in order]
    columns = {
        field: as_numbers([_labelled(row, label) for row in rows])
        for field, label in FIELD_LABELS.items()
    }
    splits = as_numbers([_labelled(row, "split coefficient") for row in rows])
    dividends = as_numbers([_labelled(row, "dividend amount") for row in rows])
    require_sessions(days, sessions, "alpha_vantage", what)
    factor = _later_splits(splits)
    for field in ("open", "high", "low", "close"):
        columns[field] = columns[field] / factor
    columns["volume"] = columns["volume"] * factor
    return one_symbol(symbol, days, columns, _actions(symbol, days, splits, dividends / factor))


def read_overview(body: Any, symbol: str, as_of: date) -> FundamentalData:
    """Read a company overview; what says `None` or `-` is unknown."""
    what = f"the overview of {symbol}"
    content = require_mapping(body, "alpha_vantage", what)
    if not content:
        raise ProviderRefused(f"alpha_vantage has no overview of {symbol}")
    said = as_text(content.get("Symbol"))
    if said is None or to_alpha_vantage(said.upper()) != to_alpha_vantage(symbol):
        raise malformed("alpha_vantage", what, f"it is of {quoted(said)!r}")

    def number(key: str) -> float | None:
        value = as_number(content.get(key))
        return value if value == value else None

    cap = number("MarketCapitalization")
    return FundamentalData(
        symbol,
        as_of,
        market_cap=cap if cap and cap > 0 else None,
        pe_ratio=number("PERatio"),
        eps=number("EPS"),
        dividend_yield=number("DividendYield"),
        sector=as_text(content.get("Sector")),
        industry=as_text(content.get("Industry")),
    )


def _labelled(row: Mapping[str, Any], label: str) -> Any:
    """Return the value under `5. adjusted close`, whatever its ordinal."""
    for key, value in row.items():
        if key.split(". ", 1)[-1].strip().lower() == label:
            return value
    return None


def _later_splits(splits: FloatArray) -> FloatArray:
    """Return for each day the product of the split coefficients of the days after it."""
    usable = np.where((splits > 1e-5) & (splits < 1e5), splits, 1.0)
    return np.append(np.cumprod(usable[::-1])[::-1][1:], 1.0)


def _actions(
    symbol: str, days: SessionArray, splits: FloatArray, dividends: FloatArray
) -> list[CorporateAction]:
    split = (splits > 1e-5) & (splits < 1e5) & (splits != 1.0) & ~np.isnat(days)
    paid = (dividends > 0) & (dividends < 1e6) & ~np.isnat(days)
    return [
        CorporateAction(symbol, day.astype(object), kind, float(value))
        for kind, mask, values in (
            (CorporateActionType.SPLIT, split, splits),
            (CorporateActionType.DIVIDEND, paid, dividends),
        )
        for day, value in zip(days[mask], values[mask], strict=True)
    ]
