"""What Polygon's answers say: bars, splits, dividends, tickers and details.

Each function takes the decoded JSON of one answer and raises `MalformedAnswer` when it is not what
the service sends for that question.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import prod
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from trading.data.providers.answers import (
    WRONG_DAY_SHARE,
    as_day,
    as_number,
    as_numbers,
    as_text,
    local_days,
    malformed,
    require_mapping,
    require_rows,
    require_sessions,
)
from trading.data.providers.failures import quoted
from trading.data.providers.vendor_bars import VendorBars
from trading.errors import ProviderRefused
from trading.market.bars import CorporateAction, CorporateActionType, FundamentalData
from trading.market.panel import SessionArray

FIELD_KEYS: Final = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
ZONE: Final = "America/New_York"
# Common shares, their classes and units of plain spelling; preferred shares have a lower-case p.
PLAIN_TICKER: Final = re.compile(r"[A-Z][A-Z0-9]{0,9}(\.[A-Z]{1,2})?")
REGULAR_DIVIDENDS: Final = frozenset({"CD", "SC", "LT", "ST"})


@dataclass(frozen=True, slots=True)
class Ticker:
    """One line of the reference of tickers; `active` on the day that was asked for."""

    symbol: str
    name: str | None
    type: str | None
    exchange: str | None
    active: bool
    share_class_figi: str | None
    composite_figi: str | None
    delisted: date | None


def to_polygon(symbol: str) -> str:
    """Return Polygon's spelling: class shares have a dot (`BRK.B`)."""
    return symbol.replace("-", ".").replace("/", ".")


def read_grouped(body: Any, day: str, symbols: Sequence[str] | None) -> VendorBars:
    """Read the grouped daily bars of one session.

    With `symbols`, those rows only, in the spelling of `symbols` (`BRKB` and `BRK-B` are the
    service's `BRK.B`); without, every ticker of plain spelling. Raises `MalformedAnswer` when there
    are no rows, not as many as the answer says, or those of another day.
    """
    what = f"the market on {day}"
    content, rows = _results(body, what)
    if not rows:
        raise malformed("polygon", what, "it is empty, and that day was a session")
    tickers = [row.get("T") for row in rows]
    spelling = _spellings(tickers, symbols)
    kept = [row for row, t in zip(rows, tickers, strict=True) if _hashable(t) in spelling]
    names = [spelling[row["T"]] for row in kept]
    if not any(isinstance(t, str) for t in tickers):
        raise malformed("polygon", what, "no row has a ticker")
    bars = _vendor_bars(kept, names)
    _check_adjusted(content, what)
    wrong = np.count_nonzero(bars.day != np.datetime64(day, "D"))
    if wrong > max(1, WRONG_DAY_SHARE * len(kept)) or (wrong and wrong == len(kept)):
        raise malformed("polygon", what, f"{wrong:,} of {len(kept):,} rows are of another day")
    return bars


def read_aggregates(body: Any, symbol: str, sessions: SessionArray) -> VendorBars:
    """Read the daily aggregates of one ticker; raises `MalformedAnswer` for those of another."""
    what = f"the bars of {symbol}"
    content, rows = _results(body, what)
    ticker = content.get("ticker")
    if ticker is not None and ticker != to_polygon(symbol):
        raise malformed("polygon", what, f"it is of {quoted(ticker)!r}")
    if content.get("next_url"):
        raise malformed("polygon", what, "it is one page of several, and one was asked for")
    _check_adjusted(content, what)
    if not rows:
        raise ProviderRefused(f"polygon has no bar of {symbol} in that time")
    bars = _vendor_bars(rows, [symbol] * len(rows))
    require_sessions(bars.day, sessions, "polygon", what)
    return bars


def read_page(body: Any, what: str) -> tuple[list[Mapping[str, Any]], str | None]:
    """Read one page of reference data: its rows, and the cursor of the next page or None."""
    content = require_mapping(body, "polygon", what)
    results = content.get("results")
    rows = [] if results is None else require_rows(results, "polygon", what)
    following = content.get("next_url")
    if following is None or following == "":
        return rows, None
    # The host of next_url is the answer's word: only its cursor is used, never its address.
    try:
        query = dict(parse_qsl(urlsplit(str(following)).query))
    except ValueError:
        query = {}
    if not isinstance(following, str) or not query.get("cursor"):
        raise malformed("polygon", what, "its next_url has no cursor")
    return rows, query["cursor"]


def read_splits(rows: Sequence[Mapping[str, Any]]) -> list[CorporateAction]:
    """Read splits: `split_to` new shares for `split_from` old ones; bad rows are left out."""
    found = []
    for row in rows:
        day = as_day(row.get("execution_date"))
        ratio = _ratio(as_number(row.get("split_to")), as_number(row.get("split_from")))
        symbol = as_text(row.get("ticker"))
        if day and symbol and PLAIN_TICKER.fullmatch(symbol) and ratio is not None:
            found.append(CorporateAction(symbol, day, CorporateActionType.SPLIT, ratio))
    return found


def read_dividends(rows: Sequence[Mapping[str, Any]]) -> list[CorporateAction]:
    """Read cash dividends in USD a share; other currencies and unreadable rows are left out.

    Dividends of one ticker and ex-date are summed: a special one comes beside the regular one.
    """
    found: dict[tuple[str, date], float] = {}
    seen: set[tuple[object, ...]] = set()
    for row in rows:
        day, symbol = as_day(row.get("ex_dividend_date")), as_text(row.get("ticker"))
        amount = as_number(row.get("cash_amount"))
        currency = row.get("currency")
        if day is None or symbol is None or not PLAIN_TICKER.fullmatch(symbol):
            continue
        kind = row.get("dividend_type")
        if not 0 < amount < 1e6 or (isinstance(currency, str) and currency.upper() != "USD"):
            continue
        if isinstance(kind, str) and kind not in REGULAR_DIVIDENDS:
            continue
        identity = (symbol, day, amount, str(kind), str(row.get("pay_date")))
        if identity not in seen:
            seen.add(identity)
            found[symbol, day] = found.get((symbol, day), 0.0) + amount
    return [
        CorporateAction(symbol, day, CorporateActionType.DIVIDEND, amount)
        for (symbol, day), amount in found.items()
    ]


def split_adjusted(
    dividends: Sequence[CorporateAction], splits: Sequence[CorporateAction]
) -> list[CorporateAction]:
    """Return `dividends` in USD per share of today: divided by the splits after each ex-date."""
    later: dict[str, list[CorporateAction]] = {}
    for split in splits:
        later.setdefault(split.symbol, []).append(split)
    adjusted = []
    for paid in dividends:
        ratios = [s.value or 1.0 for s in later.get(paid.symbol, ()) if s.ex_date > paid.ex_date]
        adjusted.append(replace(paid, value=(paid.value or 0.0) / prod(ratios)))
    return adjusted


def read_tickers(rows: Sequence[Mapping[str, Any]]) -> list[Ticker]:
    """Read lines of the reference of tickers; lines without a plain ticker are left out."""
    found = []
    for row in rows:
        symbol = as_text(row.get("ticker"))
        if symbol and PLAIN_TICKER.fullmatch(symbol):
            found.append(
                Ticker(
                    symbol,
                    as_text(row.get("name")),
                    as_text(row.get("type")),
                    as_text(row.get("primary_exchange")),
                    row.get("active") is True,
                    as_text(row.get("share_class_figi")),
                    as_text(row.get("composite_figi")),
                    as_day(row.get("delisted_utc")),
                )
            )
    return found


def read_details(body: Any, symbol: str, as_of: date) -> FundamentalData:
    """Read the details of one ticker: market cap in USD, and the SIC description as industry."""
    what = f"the details of {symbol}"
    details = require_mapping(
        require_mapping(body, "polygon", what).get("results"), "polygon", what
    )
    if details.get("ticker") not in (None, to_polygon(symbol)):
        raise malformed("polygon", what, f"it is of {quoted(details['ticker'])!r}")
    cap = as_number(details.get("market_cap"))
    return FundamentalData(
        symbol,
        as_of,
        market_cap=cap if cap > 0 else None,
        industry=as_text(details.get("sic_description")),
    )


def _results(body: Any, what: str) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    content = require_mapping(body, "polygon", what)
    results = content.get("results")
    if results is None:
        if content.get("resultsCount") not in (0, None) or content.get("status") is None:
            raise malformed("polygon", what, "it has no results")
        return content, []
    rows = require_rows(results, "polygon", what)
    said = as_number(content.get("resultsCount", content.get("count")))
    if said == said and int(said) != len(rows):
        raise malformed("polygon", what, f"it has {len(rows):,} rows and says {said:,.0f}")
    return content, rows


def _check_adjusted(content: Mapping[str, Any], what: str) -> None:
    if content.get("adjusted", True) is not True:
        raise malformed("polygon", what, "its prices are not split-adjusted, as they were asked")


def _vendor_bars(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> VendorBars:
    values = {f: as_numbers([row.get(key) for row in rows]) for f, key in FIELD_KEYS.items()}
    values["adjusted_close"] = np.full(len(rows), np.nan)
    stamps = as_numbers([row.get("t") for row in rows])
    return VendorBars(list(names), local_days(stamps / 1000.0, ZONE), values)


def _spellings(tickers: Sequence[Any], symbols: Sequence[str] | None) -> dict[object, str]:
    """Return the symbol of each ticker that is wanted."""
    texts = {t for t in tickers if isinstance(t, str)}
    if symbols is None:
        return {t: t for t in texts if PLAIN_TICKER.fullmatch(t)}
    found: dict[object, str] = {}
    bare: dict[str, list[str]] = {}
    for text in texts:
        bare.setdefault(text.replace(".", ""), []).append(text)
    for symbol in symbols:
        exact = to_polygon(symbol)
        same = [exact] if exact in texts else bare.get(exact.replace(".", ""), [])
        if len(same) == 1 and same[0] not in found:
            found[same[0]] = symbol
    return found


def _ratio(new: float, old: float) -> float | None:
    if not (0 < new < 1e6 and 0 < old < 1e6) or not 1e-5 < new / old < 1e5:
        return None
    return new / old


def _hashable(value: Any) -> object:
    return value if isinstance(value, str) else None
