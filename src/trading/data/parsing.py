"""Read dates, symbols and numbers out of columns of any type."""

import re
import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.market.panel import FloatArray, SessionArray

NOT_A_DAY = np.datetime64("NaT", "D")
# No symbol holds `..` or `//`: it may become a part of a path.
SYMBOL = re.compile(r"(?!.*(?:\.\.|/\.|//))[A-Z0-9^][A-Z0-9.\-/^=+]{0,15}")
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?")
PLAIN_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?")
GROUPED_NUMBER = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
COMMA_NUMBER = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)(?:,\d*)?")
# Numbers that can be read in one way only: `12,5`, `0,345`, `1234,567`, `1.234,5` ...
DECIMAL_COMMA = re.compile(
    r"[+-]?(?:\d+,(?:\d{1,2}|\d{4,})?|0\d*,\d+|\d{4,},\d*|\d{1,3}(?:\.\d{3})+,\d*)"
)
# ... and `1,234.5`, `1,234,567`, `12.5`, `0.345`, `1234.567`.
DECIMAL_POINT = re.compile(
    r"[+-]?(?:\d{1,3}(?:,\d{3})+\.\d*|\d{1,3}(?:,\d{3}){2,}"
    r"|\d+\.(?:\d{1,2}|\d{4,})?|0\d*\.\d+|\d{4,}\.\d*)"
)
# Epoch numbers are told apart by size; anything smaller is a day written as YYYYMMDD.
EPOCH_UNITS = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (1e8, "s"))


def parse_days(column: pd.Series) -> SessionArray:
    """Return the day of each value as `(n,) datetime64[D]`, NaT where there is none.

    A stamp with a time zone keeps the day of its own wall clock: services stamp a daily bar with
    midnight in the exchange's zone. Strings are ISO days or stamps, else month-first (`1/31/2020`)
    unless only day-first reads them all; integers are `YYYYMMDD` or epoch seconds to nanoseconds.
    """
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_localize(None)
    if column.dtype.kind == "M":
        return np.asarray(column.to_numpy(), dtype="datetime64[D]")
    codes, uniques = pd.factorize(column)
    days = np.append(_unique_days(pd.Index(uniques)), NOT_A_DAY)
    return np.asarray(days[codes])


def _unique_days(values: pd.Index) -> SessionArray:
    if pd.api.types.is_numeric_dtype(values.dtype):
        return _days_of_numbers(values.to_numpy(dtype=np.float64, na_value=np.nan))
    texts = pd.Series([str(value).strip() for value in values], dtype=object)
    iso = texts.map(lambda text: ISO_DAY.fullmatch(text) is not None).to_numpy(dtype=bool)
    days = np.full(len(texts), NOT_A_DAY)
    days[iso] = _as_days(pd.to_datetime(texts[iso].str[:10], format="%Y-%m-%d", errors="coerce"))
    digits = ~iso & texts.str.fullmatch(r"\d{8,19}").to_numpy(dtype=bool)
    days[digits] = _days_of_numbers(texts[digits].to_numpy().astype(np.float64))
    other = ~iso & ~digits
    if other.any():
        first, second = (_other_days(texts[other], day_first) for day_first in (False, True))
        days[other] = second if np.isnat(second).sum() < np.isnat(first).sum() else first
    return days


def _other_days(texts: pd.Series, day_first: bool) -> SessionArray:
    formats = ("%d/%m/%Y", "%d-%m-%Y") if day_first else ("%m/%d/%Y", "%m-%d-%Y")
    days = np.full(len(texts), NOT_A_DAY)
    for form in (*formats, "%Y/%m/%d", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y"):
        read = _as_days(pd.to_datetime(texts, format=form, errors="coerce"))
        days = np.where(np.isnat(days), read, days)
    return days


def _as_days(stamps: pd.Series) -> SessionArray:
    return np.asarray(stamps.to_numpy(), dtype="datetime64[D]")


def _days_of_numbers(values: FloatArray) -> SessionArray:
    days = np.full(len(values), NOT_A_DAY)
    left = np.isfinite(values) & (values < 1e20)
    for least, unit in EPOCH_UNITS:
        these = left & (values >= least)
        stamps = values[these].astype(np.int64).view(f"datetime64[{unit}]")
        days[these] = stamps.astype("datetime64[D]")
        left &= ~these
    written = pd.Series(values[left].astype(np.int64).astype(str))
    days[left] = _as_days(pd.to_datetime(written, format="%Y%m%d", errors="coerce"))
    return days


def parse_symbols(column: pd.Series) -> tuple[npt.NDArray[np.int64], tuple[str, ...], int]:
    """Return `(codes, names, changed)`: `names` sorted, code -1 where the symbol is unusable.

    A symbol is upper-cased after Unicode compatibility folding (a full-width `A` is an A); what is
    then blank or not plain ASCII ticker text is unusable. `changed` counts the rows whose symbol
    was spelt otherwise.
    """
    codes, uniques = pd.factorize(column)
    spelt = [_spelling(value) for value in uniques]
    cleaned = [unicodedata.normalize("NFKC", text).strip().upper() for text in spelt]
    usable = [name if SYMBOL.fullmatch(name) else "" for name in cleaned]
    names = sorted(set(usable) - {""})
    position = {name: i for i, name in enumerate(names)} | {"": -1}
    renumber = np.array([position[name] for name in usable] + [-1], dtype=np.int64)
    altered = [bool(u) and u != s for u, s in zip(usable, spelt, strict=True)]
    changed = int(np.count_nonzero(np.array([*altered, False])[codes]))
    return renumber[codes], tuple(names), changed


def _spelling(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def parse_numbers(column: pd.Series, *, whole: bool = False) -> FloatArray:
    """Return the values as `(n,) float64`, NaN where there is no number.

    Strings may hold numbers, also with a dollar sign and with separators. Whether a comma groups
    thousands (`1,234.5`) or begins the decimals (`1.234,5`) is told by the whole column: where one
    of its numbers can be read in one way only, all are read so. Where none tells (`12,345` and
    nothing else), it groups thousands if `whole` numbers are expected, such as volumes; a price
    is then unknown, since one of the two readings is a thousand times off.
    """
    if pd.api.types.is_numeric_dtype(column.dtype):
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    read = pd.to_numeric(column, errors="coerce")
    numbers = np.array(read.to_numpy(dtype=np.float64, na_value=np.nan))
    unread = np.isnan(numbers) & column.notna().to_numpy(dtype=bool)
    if unread.any():
        codes, uniques = pd.factorize(column)
        texts = [str(value).strip().replace("$", "", 1) for value in uniques]
        comma = any(DECIMAL_COMMA.fullmatch(text) for text in texts)
        point = any(DECIMAL_POINT.fullmatch(text) for text in texts)
        if comma and not point:
            values = [_with_comma(text) for text in texts]
            unread = column.notna().to_numpy(dtype=bool)
        else:
            sure = whole or (point and not comma)
            values = [_with_point(text, sure) for text in texts]
        numbers[unread] = np.array(values, dtype=np.float64)[codes[unread]]
    return numbers


def _with_comma(text: str) -> float:
    """Read a number whose decimals begin with a comma, thousands with a point."""
    if COMMA_NUMBER.fullmatch(text):
        return float(text.replace(".", "").replace(",", "."))
    return float("nan")


def _with_point(text: str, sure: bool) -> float:
    """Read a number whose decimals begin with a point; a lone group needs to be `sure`."""
    if PLAIN_NUMBER.fullmatch(text):
        return float(text)
    if GROUPED_NUMBER.fullmatch(text) and (sure or DECIMAL_POINT.fullmatch(text)):
        return float(text.replace(",", ""))
    return float("nan")
