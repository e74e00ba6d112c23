"""A snapshot of what is listed on the exchanges, with market capitalisations.

Any CSV (also gzipped) with a column for symbol, company name and market capitalisation is read:
Nasdaq's stock screener (`symbol, name, lastsale, volume, marketCap, country, industry, sector`),
S&P 500 constituents with financials (`Symbol, Name, Sector, Price, Market Cap`) and their like.
Unknown numbers are NaN; a snapshot is what was known on its date and is never filled from a later
one.
"""

import csv
import gzip
import io
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from trading.errors import DataError
from trading.universe.iwv import symbol_key

# Spellings after lower-casing and dropping everything but letters.
COLUMNS: dict[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker"),
    "name": ("name", "company", "companyname", "security", "securityname"),
    "market_cap": ("marketcap", "marketcapitalization", "marketcapitalisation", "marketvalue"),
    "price": ("lastsale", "price", "close", "lastprice"),
    "volume": ("volume",),
    "country": ("country",),
    "sector": ("sector", "gicssector"),
    "industry": ("industry", "gicssubindustry"),
    "exchange": ("exchange",),
    "as_of": ("asof", "date"),
}
REQUIRED = ("symbol", "name", "market_cap")
MULTIPLES = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
NUMBER = re.compile(r"\$?([+-]?[\d,]*\.?\d+(?:[eE][+-]?\d+)?)\s*([KMBT]?)")
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Listing:
    """One listed security; money in USD, NaN and empty text where the snapshot does not say."""

    symbol: str
    name: str
    market_cap_usd: float
    price_usd: float = math.nan
    volume: float = math.nan
    country: str = ""
    sector: str = ""
    industry: str = ""
    exchange: str = ""


@dataclass(frozen=True)
class Listings:
    """A snapshot.

    Attributes
    ----------
    as_of : its date
    lines : securities in the order of the file, of unique `symbol_key`
    dropped : lines left out, by reason
    """

    as_of: date
    lines: tuple[Listing, ...]
    dropped: Mapping[str, int]


def read_listings(source: Path | bytes, as_of: date | None = None) -> Listings:
    """Read a snapshot.

    Parameters
    ----------
    source : the CSV file or its content, plain or gzipped
    as_of : its date; needed where no column says it, and checked against one that does

    Raises
    ------
    DataError
        The file cannot be read, lacks a required column, holds no line, or has no one date.
    """
    label = str(source) if isinstance(source, Path) else "the listing snapshot"
    reader = csv.DictReader(io.StringIO(_text(source, label), newline=""))
    columns = _columns(reader.fieldnames or (), label)
    kept: dict[str, Listing] = {}
    dropped: Counter[str] = Counter()
    days: set[str] = set()
    for row in reader:
        line = {field: (row.get(column) or "").strip() for field, column in columns.items()}
        key = symbol_key(line["symbol"])
        if not key or not line["name"]:
            dropped["no symbol or no name"] += 1
            continue
        if key in kept:
            dropped["symbol listed twice, the first line kept"] += 1
            continue
        if line.get("as_of"):
            days.add(line["as_of"])
        kept[key] = _listing(line)
    if not kept:
        raise DataError(f"{label} lists no security; give a snapshot with one a line")
    return Listings(_date(days, as_of, label), tuple(kept.values()), dict(sorted(dropped.items())))


def _text(source: Path | bytes, label: str) -> str:
    try:
        body = source.read_bytes() if isinstance(source, Path) else source
        return (gzip.decompress(body) if body.startswith(GZIP_MAGIC) else body).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{label} cannot be read as (gzipped) UTF-8 text: {error}") from error


def _columns(names: Sequence[str], label: str) -> dict[str, str]:
    spelt = {re.sub("[^a-z]", "", name.lower()): name for name in reversed(names) if name}
    found: dict[str, str] = {}
    for field, spellings in COLUMNS.items():
        column = next((spelt[word] for word in spellings if word in spelt), None)
        if column is not None:
            found[field] = column
    missing = [field for field in REQUIRED if field not in found]
    if missing:
        raise DataError(
            f"{label} has no column for {', '.join(missing)}; it has "
            f"{', '.join(names) or 'none'}; expected at least symbol, name and market cap"
        )
    return found


def _listing(line: Mapping[str, str]) -> Listing:
    cap = _number(line["market_cap"])
    return Listing(
        symbol=line["symbol"].upper(),
        name=line["name"],
        # Screeners write 0 where they do not know the number of shares.
        market_cap_usd=cap if cap > 0 else math.nan,
        price_usd=_number(line.get("price", "")),
        volume=_number(line.get("volume", "")),
        country=line.get("country", ""),
        sector=line.get("sector", ""),
        industry=line.get("industry", ""),
        exchange=line.get("exchange", ""),
    )


def _number(text: str) -> float:
    """Return the number (`$1,234.5`, `1.2B`), NaN where the text is none."""
    found = NUMBER.fullmatch(text)
    if found is None:
        return math.nan
    value = float(found[1].replace(",", "")) * MULTIPLES[found[2]]
    return value if math.isfinite(value) else math.nan


def _date(days: set[str], given: date | None, label: str) -> date:
    if len(days) > 1:
        raise DataError(f"{label} mixes the dates {', '.join(sorted(days)[:3])}; give one snapshot")
    try:
        said = date.fromisoformat(next(iter(days))[:10]) if days else None
    except ValueError as error:
        raise DataError(f"{label} has the date {days.pop()!r}, expected YYYY-MM-DD") from error
    if said and given and said != given:
        raise DataError(f"{label} is of {said}, not {given} as was given; leave the date out")
    day = said or given
    if day is None:
        raise DataError(f"{label} does not say its date; give the day of the snapshot")
    return day
