"""Read tables of fundamentals: listing snapshots, and lists of an index with its figures."""

import re
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from trading.data.fundamentals.table import FundamentalsTable, derived
from trading.data.parsing import parse_numbers
from trading.errors import DataError
from trading.market.bars import FundamentalData

# Spellings after lower-casing and dropping everything but letters and digits.
SPELLINGS = {
    "symbol": ("symbol", "ticker"),
    "as_of": ("asof", "date"),
    "price": ("price", "lastsale", "close"),
    "market_cap": ("marketcap", "marketcapitalization"),
    "pe_ratio": ("priceearnings", "peratio", "pe"),
    "eps": ("earningsshare", "eps", "earningspershare"),
    "dividend_yield": ("dividendyield",),
    "sector": ("sector", "gicssector"),
    "industry": ("industry", "gicssubindustry"),
}
FIELD_OF = {spelling: name for name, words in SPELLINGS.items() for spelling in words}


def read_fundamentals(
    file: Path, *, as_of: date | None = None, yield_in_percent: bool = True
) -> FundamentalsTable:
    """Return the fundamentals of a CSV file (also `.gz`).

    The day is that of its column `as_of`, else `as_of`, else a `YYYY-MM-DD` in the file's name.
    Text such as `$1,234.50` is read as a number; a market cap of zero is none; a P/E of a company
    without earnings is none. `yield_in_percent` says that 2.33 means 2.33 %.

    Raises `DataError` when the file cannot be read, has no symbol column or no day.
    """
    try:
        frame = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError, UnicodeDecodeError, EOFError) as error:
        raise DataError(f"{file} cannot be read as CSV ({error}); download it again") from error
    columns: dict[str, str] = {}
    for name in frame.columns:
        known = FIELD_OF.get(re.sub(r"[^a-z0-9]", "", str(name).lower()))
        if known is not None:
            columns.setdefault(known, name)
    if "symbol" not in columns:
        raise DataError(f"{file.name} has no column symbol; it has {', '.join(frame.columns)}")
    days = _days(frame, columns, file, as_of)
    price = _numbers(frame, columns, "price")
    cap, ratio, eps, paid = (
        _numbers(frame, columns, n) for n in ("market_cap", "pe_ratio", "eps", "dividend_yield")
    )
    paid = paid / 100 if yield_in_percent else paid
    records = [
        derived(
            FundamentalData(
                symbol,
                days[i],
                market_cap=_known(cap[i] if cap[i] > 0 else np.nan),
                pe_ratio=_known(ratio[i]),
                eps=_known(eps[i]),
                dividend_yield=_known(paid[i]),
                sector=_text(frame, columns, "sector", i),
                industry=_text(frame, columns, "industry", i),
            ),
            _known(price[i]),
        )
        for i, symbol in enumerate(frame[columns["symbol"]].str.strip())
        if symbol
    ]
    return FundamentalsTable(tuple(records))


def _days(
    frame: pd.DataFrame, columns: dict[str, str], file: Path, as_of: date | None
) -> list[date]:
    named = re.search(r"\d{4}-\d{2}-\d{2}", file.name)
    try:
        if "as_of" in columns:
            return [date.fromisoformat(text[:10]) for text in frame[columns["as_of"]]]
        if as_of is None and named is None:
            raise DataError(
                f"{file.name} does not tell its day: expected a column as_of or YYYY-MM-DD in the "
                "name; give as_of"
            )
        day = as_of or date.fromisoformat(named.group() if named else "")
    except ValueError as error:
        raise DataError(f"{file.name}: {error}; expected days as YYYY-MM-DD") from error
    return [day] * len(frame)


def _numbers(frame: pd.DataFrame, columns: dict[str, str], name: str) -> np.ndarray:
    if name not in columns:
        return np.full(len(frame), np.nan)
    text = frame[columns[name]].str.replace(r"[$,%\s]", "", regex=True)
    return np.asarray(parse_numbers(text), dtype=np.float64)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _text(frame: pd.DataFrame, columns: dict[str, str], name: str, row: int) -> str | None:
    return (str(frame[columns[name]].iat[row]).strip() or None) if name in columns else None
