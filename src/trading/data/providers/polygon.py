"""Polygon (renamed Massive): the whole market's day in one request, and the reference data.

Documentation: https://polygon.io/docs (https://massive.com/docs). Prices are asked split-adjusted
(`adjusted=true`), which is the bars' convention; dividends are not in them, so that
`adjusted_close` is left unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, ClassVar, Final
from urllib.parse import quote

import numpy as np

from trading.config import ProviderName
from trading.data.providers.answers import as_text, decode_json, require_mapping
from trading.data.providers.client import Answer
from trading.data.providers.failures import MalformedAnswer, quoted
from trading.data.providers.keys import KeyResolver, require_key
from trading.data.providers.polygon_answers import (
    Ticker,
    read_aggregates,
    read_details,
    read_dividends,
    read_grouped,
    read_page,
    read_splits,
    read_tickers,
    split_adjusted,
    to_polygon,
)
from trading.data.providers.secrecy import KeyPlacement
from trading.data.providers.vendor import FundamentalsResult, NetworkProvider, usable
from trading.data.providers.vendor_bars import VendorBars, concat_vendor_bars
from trading.errors import ProviderError, ProviderRefused, ProviderStopped
from trading.market.bars import CorporateAction, FundamentalData
from trading.market.panel import SessionArray

PAGE_ROWS: Final = 1_000
MAX_PAGES: Final = 1_000
# A market's day with more than this share of unusable rows is asked again.
DOUBTED_SHARE: Final = 0.2


class PolygonProvider(NetworkProvider):
    """Bars, splits, dividends and tickers of Polygon; see `NetworkProvider`."""

    vendor: ClassVar[ProviderName] = "polygon"

    @classmethod
    def _placement(cls, keys: KeyResolver) -> KeyPlacement:
        return KeyPlacement(require_key("polygon", keys), header="Authorization", prefix="Bearer ")

    def calls(self, symbols: int, sessions: int) -> int:
        """Return how many requests a fetch of that size takes when none fails."""
        return min(symbols, sessions) if symbols else sessions

    async def actions(self, start: date, end: date) -> tuple[CorporateAction, ...]:
        """Return the splits and cash dividends with an ex-date from `start` to `end`, included.

        Dividends are adjusted for the splits after them, as the bars are. Sorted by date, symbol
        and type. Raises `ProviderError`.
        """
        today = self.client.clock.now().date()
        async with self.client:
            splits = await self._pages(
                "/v3/reference/splits",
                {"execution_date.gte": f"{start}", "execution_date.lte": f"{max(end, today)}"},
                f"the splits since {start}",
                read_splits,
            )
            dividends = await self._pages(
                "/v3/reference/dividends",
                {"ex_dividend_date.gte": f"{start}", "ex_dividend_date.lte": f"{end}"},
                f"the dividends from {start} to {end}",
                read_dividends,
            )
        past = [split for split in splits if split.ex_date <= today]
        found = {
            action
            for action in (*splits, *split_adjusted(dividends, past))
            if start <= action.ex_date <= end
        }
        return tuple(sorted(found, key=lambda a: (a.ex_date, a.symbol, a.type, a.value or 0.0)))

    async def tickers(self, on: date, *, active: bool = True) -> tuple[Ticker, ...]:
        """Return the listed shares as of `on`, sorted by symbol. Raises `ProviderError`."""
        parameters = {
            "market": "stocks",
            "date": on.isoformat(),
            "active": "true" if active else "false",
            "sort": "ticker",
        }
        async with self.client:
            found = await self._pages(
                "/v3/reference/tickers", parameters, f"the tickers on {on}", read_tickers
            )
        return tuple(sorted(set(found), key=lambda t: (t.symbol, t.name or "")))

    async def fundamentals(self, symbols: Sequence[str]) -> FundamentalsResult:
        """Return market cap and industry, all that the service tells; see `SymbolProvider`."""

        async def one(symbol: str) -> FundamentalData:
            what = f"the details of {symbol}"
            return await self.client.get(
                f"/v3/reference/tickers/{quote(to_polygon(symbol), safe='')}",
                {},
                lambda answer: read_details(
                    decode_json(answer, self.name, what), symbol, self.client.clock.now().date()
                ),
                what=what,
                explain=self._explain(what),
            )

        async with self.client:
            done, failed = await self.each(dict.fromkeys(symbols), one)
        return FundamentalsResult(done, {symbol: str(error) for symbol, error in failed.items()})

    async def _bars(
        self, symbols: Sequence[str] | None, sessions: SessionArray
    ) -> tuple[VendorBars, dict[str, ProviderError]]:
        if symbols is not None and len(symbols) < len(sessions):
            done, failed = await self.each(symbols, lambda s: self._aggregates(s, sessions))
            return concat_vendor_bars([done[s] for s in symbols if s in done]), failed
        days = [str(session) for session in sessions]
        grouped, lost = await self.each(days, lambda day: self._grouped(day, symbols))
        if lost and not grouped:
            raise next(iter(lost.values()))
        failures = dict.fromkeys(symbols or (), next(iter(lost.values()))) if lost else {}
        return concat_vendor_bars([grouped[day] for day in days if day in grouped]), failures

    async def _grouped(self, day: str, symbols: Sequence[str] | None) -> VendorBars:
        what = f"the market on {day}"
        session = np.array([day], dtype="datetime64[D]")
        return await self.client.get(
            f"/v2/aggs/grouped/locale/us/market/stocks/{day}",
            {"adjusted": "true", "include_otc": "false"},
            lambda answer: usable(
                read_grouped(decode_json(answer, self.name, what), day, symbols),
                session,
                self.name,
                what,
                bad_share=DOUBTED_SHARE,
            ),
            what=what,
            explain=self._explain(what),
        )

    async def _aggregates(self, symbol: str, sessions: SessionArray) -> VendorBars:
        first, last = sessions[0], sessions[-1]
        what = f"the bars of {symbol}"
        return await self.client.get(
            f"/v2/aggs/ticker/{quote(to_polygon(symbol), safe='')}/range/1/day/{first}/{last}",
            {"adjusted": "true", "sort": "asc", "limit": 50_000},
            lambda answer: usable(
                read_aggregates(decode_json(answer, self.name, what), symbol, sessions),
                sessions,
                self.name,
                what,
            ),
            what=what,
            explain=self._explain(what),
        )

    async def _pages(
        self,
        path: str,
        parameters: Mapping[str, str],
        what: str,
        read: Callable[[list[Mapping[str, Any]]], list[Any]],
    ) -> list[Any]:
        """Return the content of all pages; a page is followed on the configured host only."""
        found: list[Any] = []
        asked: dict[str, str | int] = {**parameters, "limit": PAGE_ROWS}
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            rows, cursor = await self.client.get(
                path,
                asked,
                lambda answer: read_page(decode_json(answer, self.name, what), what),
                what=what,
                explain=self._explain(what),
            )
            found += read(rows)
            if cursor is None:
                return found
            if cursor in seen:
                break
            seen.add(cursor)
            asked = {"cursor": cursor, "limit": PAGE_ROWS}
        raise MalformedAnswer(f"{self.name} pages {what} without end; try again later")

    def _explain(self, what: str) -> Callable[[Answer], ProviderError | None]:
        """Polygon tells a plan's limits by 403 NOT_AUTHORIZED, and some errors by 200 ERROR."""

        def explain(answer: Answer) -> ProviderError | None:
            if answer.status not in (200, 401, 403, 404) or b'"status"' not in answer.body:
                return None
            if len(answer.body) > 10_000:
                return None
            try:
                said = require_mapping(decode_json(answer, self.name, what), self.name, what)
            except MalformedAnswer:
                return None
            status = said.get("status")
            message = as_text(said.get("error")) or as_text(said.get("message")) or str(status)
            told = f"{self.name} refuses {what}: {quoted(self.client.redacted(message))}"
            if status == "NOT_AUTHORIZED":
                return ProviderRefused(f"{told}; the plan does not have it")
            if answer.status == 200 and status in ("ERROR", "NOT_FOUND"):
                unknown_key = "api key" in message.lower()
                return (ProviderStopped if unknown_key else ProviderRefused)(told)
            return None

        return explain
