"""IEX Cloud's API, for servers that still speak it: charts, company and key statistics.

**IEX Cloud was shut down on 31 August 2024.** There is no address to ask by default: without
`data.providers.iex.base_url` (a successor, a proxy, an archive; with its version, as in
`https://host/v1`) the provider refuses to be made and says so. `close` is split-adjusted, `fClose`
also dividend-adjusted: the bars' convention.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any, ClassVar, Final
from urllib.parse import quote

from trading.config import ProviderName
from trading.data.providers.answers import (
    as_days,
    as_number,
    as_numbers,
    as_text,
    decode_json,
    malformed,
    require_mapping,
    require_rows,
    require_sessions,
)
from trading.data.providers.client import Answer
from trading.data.providers.failures import QuotaExhausted, quoted
from trading.data.providers.keys import KeyResolver, require_key
from trading.data.providers.secrecy import KeyPlacement
from trading.data.providers.vendor import SymbolProvider, one_symbol, usable
from trading.data.providers.vendor_bars import VendorBars
from trading.errors import ProviderError, ProviderRefused, ProviderStopped
from trading.market.bars import FundamentalData
from trading.market.panel import SessionArray

# Ranges of the chart, by the days that they surely reach back.
RANGES: Final = ((5, "5d"), (28, "1m"), (85, "3m"), (175, "6m"), (360, "1y"), (725, "2y"))
LONGER_RANGES: Final = ((1_820, "5y"),)


class IexProvider(SymbolProvider):
    """Bars and fundamentals of a server that speaks IEX Cloud's API; see `NetworkProvider`."""

    vendor: ClassVar[ProviderName] = "iex"

    @classmethod
    def _placement(cls, keys: KeyResolver) -> KeyPlacement:
        return KeyPlacement(require_key("iex", keys), parameter="token")

    def calls(self, symbols: int, sessions: int) -> int:
        """Return how many requests a fetch of that size takes when none fails."""
        return symbols if sessions else 0

    async def _history(self, symbol: str, sessions: SessionArray) -> VendorBars:
        what = f"the bars of {symbol}"
        stock = f"/stock/{quote(to_iex(symbol), safe='')}"
        parameters: dict[str, str | int] = {}
        if len(sessions) == 1:
            path = f"{stock}/chart/date/{str(sessions[0]).replace('-', '')}"
            parameters["chartByDay"] = "true"
        else:
            age = (self.client.clock.now().date() - sessions[0].astype(object)).days
            path = f"{stock}/chart/{range_reaching(age)}"
        return await self.client.get(
            path,
            parameters,
            lambda answer: usable(
                read_chart(decode_json(answer, self.name, what), symbol, sessions),
                sessions,
                self.name,
                what,
            ),
            what=what,
            explain=self._explain(symbol, what),
        )

    async def _fundamentals(self, symbol: str) -> FundamentalData:
        stock = f"/stock/{quote(to_iex(symbol), safe='')}"
        parts: dict[str, Any] = {}
        for name in ("company", "stats"):
            what = f"the {name} of {symbol}"

            def read(answer: Answer, what: str = what) -> Any:
                return require_mapping(decode_json(answer, self.name, what), self.name, what)

            parts[name] = await self.client.get(
                f"{stock}/{name}", {}, read, what=what, explain=self._explain(symbol, what)
            )
        return read_fundamentals(
            parts["company"], parts["stats"], symbol, self.client.clock.now().date()
        )

    def _explain(self, symbol: str, what: str) -> Callable[[Answer], ProviderError | None]:
        """IEX tells errors in plain text or `{"error": ...}`, mostly with the right status."""

        def explain(answer: Answer) -> ProviderError | None:
            if 200 <= answer.status < 300 and answer.body.lstrip()[:1] in (b"[", b"{"):
                return None
            said = self.client.said(answer)
            told = f"iex refuses {what}: {said}"
            if answer.status == 404 or "unknown symbol" in said.lower():
                return ProviderRefused(f"iex has nothing of {symbol}: {said}")
            if answer.status == 402 and re.search(r"quota|credits|messages", said.lower()):
                return QuotaExhausted(told)
            if answer.status == 403 and "key" not in said.lower():
                return ProviderRefused(told)
            if answer.status in (402, 403):
                return ProviderStopped(f"{told}; mend key or account")
            return None

        return explain


def to_iex(symbol: str) -> str:
    """Return IEX's spelling: class shares have a dot (`BRK.B`)."""
    return symbol.replace("-", ".").replace("/", ".")


def range_reaching(days: int) -> str:
    """Return the shortest range of the chart that reaches back `days` days."""
    return next((name for reach, name in (*RANGES, *LONGER_RANGES) if days <= reach), "max")


def read_chart(body: Any, symbol: str, sessions: SessionArray) -> VendorBars:
    """Read a daily chart; raises `MalformedAnswer` for another symbol, minutes, or other days."""
    what = f"the bars of {symbol}"
    rows = require_rows(body, "iex", what)
    if not rows:
        raise ProviderRefused(f"iex has no bar of {symbol} in that time")
    said = {as_text(row.get("symbol")) or symbol for row in rows}
    if any(to_iex(other.upper()) != to_iex(symbol) for other in said):
        raise malformed("iex", what, f"it is of {quoted(', '.join(sorted(said)))}")
    if any("minute" in row for row in rows):
        raise malformed("iex", what, "its rows are of minutes, not of days")
    days = as_days([row.get("date") for row in rows])
    require_sessions(days, sessions, "iex", what)
    fields = ("open", "high", "low", "close", "volume")
    values = {field: as_numbers([row.get(field) for row in rows]) for field in fields}
    values["adjusted_close"] = as_numbers([row.get("fClose") for row in rows])
    return one_symbol(symbol, days, values)


def read_fundamentals(company: Any, stats: Any, symbol: str, as_of: date) -> FundamentalData:
    """Read the company and key statistics of one symbol; `dividendYield` is a fraction."""
    what = f"the fundamentals of {symbol}"
    company = require_mapping(company, "iex", what)
    stats = require_mapping(stats, "iex", what)
    said = as_text(company.get("symbol"))
    if said is not None and to_iex(said.upper()) != to_iex(symbol):
        raise malformed("iex", what, f"it is of {quoted(said)!r}")

    def number(key: str) -> float | None:
        value = as_number(stats.get(key))
        return value if value == value else None

    cap = number("marketcap")
    return FundamentalData(
        symbol,
        as_of,
        market_cap=cap if cap and cap > 0 else None,
        pe_ratio=number("peRatio"),
        eps=number("ttmEPS"),
        dividend_yield=number("dividendYield"),
        sector=as_text(company.get("sector")),
        industry=as_text(company.get("industry")),
    )
