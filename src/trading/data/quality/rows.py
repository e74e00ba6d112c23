"""Judge rows as a source sent them, before anything is cleaned: what is wrong, and whose."""

from datetime import date

import numpy as np
import pandas as pd

from trading.config import Settings
from trading.data.cleaning import RANGE_TOLERANCE
from trading.data.columns import OPTIONAL, match_columns
from trading.data.parsing import parse_days, parse_numbers, parse_symbols
from trading.data.quality.findings import Finding, FindingKind, Severity, finding_of_rows
from trading.data.quality.series import BarSeries, BoolArray
from trading.errors import DataError
from trading.market.bars import FIELDS, PRICE_COLUMNS
from trading.market.calendar import FIRST_DAY, LAST_DAY, sessions_between
from trading.market.panel import FloatArray

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
NO_SYMBOL = "(no symbol)"


def check_rows(frame: pd.DataFrame, *, today: date, settings: Settings) -> list[Finding]:
    """Return what is wrong with the rows of a source; none is changed.

    Parameters
    ----------
    frame : rows in any order; columns in any usual spelling and of any type
    today : rows of later days are in the future

    A missing column ends the check with that one finding: nothing else can be judged.
    """
    try:
        columns = match_columns(frame.columns, "the source", optional=OPTIONAL)
    except DataError as error:
        return [
            Finding(FindingKind.MISSING_COLUMN, ERROR, 1, (), 0, None, None, str(error)),
        ]
    code, names, _ = parse_symbols(frame[columns["symbol"]])
    day = parse_days(frame[columns["date"]]).astype("datetime64[D]")
    values = {
        name: np.array(parse_numbers(frame[columns[name]], whole=name == "volume"))
        for name in FIELDS
        if name in columns
    }
    owner = np.where(code < 0, len(names), code).astype(np.int64)
    rows = BarSeries(day, owner, (*map(str, names), NO_SYMBOL), values)
    found = [
        *_keys(rows, code < 0, today, settings),
        *_prices(rows),
        *_doubled(rows),
    ]
    return [finding for finding in found if finding is not None]


def _found(
    rows: BarSeries, which: BoolArray, kind: FindingKind, severity: Severity, sentence: str
) -> Finding | None:
    return finding_of_rows(kind, severity, rows, np.flatnonzero(which), sentence)


def _keys(
    rows: BarSeries, nameless: BoolArray, today: date, settings: Settings
) -> list[Finding | None]:
    sessions = sessions_between(FIRST_DAY, LAST_DAY, settings.data.exchange)
    undated = np.isnat(rows.day)
    late = ~undated & (rows.day > np.datetime64(today, "D"))
    off = ~undated & ~late & ~np.isin(rows.day, sessions)
    exchange = settings.data.exchange
    return [
        _found(rows, undated, FindingKind.NO_DATE, ERROR, "{count} rows have no readable date"),
        _found(rows, nameless, FindingKind.NO_SYMBOL, ERROR, "{count} rows have no symbol"),
        _found(
            rows,
            late,
            FindingKind.FUTURE_DATE,
            ERROR,
            f"{{count}} rows of {{symbols}} symbols lie after {today}: a clock or time zone is off",
        ),
        _found(
            rows,
            off,
            FindingKind.NOT_A_SESSION,
            WARNING,
            f"{{count}} rows of {{symbols}} symbols fall on days without a session of {exchange}: "
            "another exchange (data.exchange), or a wrong date",
        ),
    ]


def _prices(rows: BarSeries) -> list[Finding | None]:
    prices = np.stack([rows[name] for name in PRICE_COLUMNS])
    opened, high, low, close = prices
    volume = rows["volume"]
    with np.errstate(invalid="ignore"):
        infinite: BoolArray = np.asarray(np.isinf(prices).any(axis=0) | np.isinf(volume))
        nonpositive: BoolArray = np.asarray((prices <= 0).any(axis=0))
        body_top, body_bottom = np.fmax(opened, close), np.fmin(opened, close)
        order = (high < low) | (high < body_top) | (low > body_bottom)
        far = (high < low) | (high < body_top * (1 - RANGE_TOLERANCE))
        far |= low > body_bottom * (1 + RANGE_TOLERANCE)
        impossible: BoolArray = np.asarray(volume < 0)
    order &= ~infinite & ~nonpositive
    of = "{count} rows of {symbols} symbols "
    return [
        _found(rows, np.isnan(close), FindingKind.NO_CLOSE, WARNING, of + "have no close"),
        _found(
            rows,
            infinite,
            FindingKind.INFINITE_VALUE,
            ERROR,
            of + "hold an infinite price or volume",
        ),
        _found(
            rows,
            nonpositive,
            FindingKind.NONPOSITIVE_PRICE,
            ERROR,
            of + "hold a price of zero or less: expected a positive one",
        ),
        _found(
            rows, impossible, FindingKind.IMPOSSIBLE_VOLUME, ERROR, of + "hold a negative volume"
        ),
        _found(
            rows,
            order & far,
            FindingKind.OHLC_ORDER,
            ERROR,
            of + f"have an open or close outside low to high by more than {RANGE_TOLERANCE:.0%}, "
            "or a high below the low",
        ),
        _found(
            rows,
            order & ~far,
            FindingKind.OHLC_ORDER,
            INFO,
            of + f"have an open or close outside low to high by at most {RANGE_TOLERANCE:.0%}: "
            "rounding, widened when cleaned",
        ),
    ]


def _doubled(rows: BarSeries) -> list[Finding | None]:
    """Find rows that share symbol and day: the same twice, or two that contradict each other."""
    whole = ~np.isnat(rows.day) & (rows.code < len(rows.symbols) - 1)
    spots = np.flatnonzero(whole)
    key = rows.code[spots] * 1_000_000 + rows.day[spots].astype(np.int64)
    order = spots[np.argsort(key, kind="stable")]
    ordered = rows.code[order] * 1_000_000 + rows.day[order].astype(np.int64)
    again = order[1:][ordered[1:] == ordered[:-1]]
    before = order[:-1][ordered[1:] == ordered[:-1]]
    same = np.ones(len(again), dtype=bool)
    for column in rows.values.values():
        same &= _equal(column[again], column[before])
    return [
        finding_of_rows(
            FindingKind.DUPLICATE_ROW,
            WARNING,
            rows,
            again[same],
            "{count} rows of {symbols} symbols repeat another row of the same symbol and day",
        ),
        finding_of_rows(
            FindingKind.CONFLICTING_DUPLICATE,
            ERROR,
            rows,
            again[~same],
            "{count} rows of {symbols} symbols contradict another row of the same symbol and day: "
            "the last one is kept; find out which is right",
        ),
    ]


def _equal(a: FloatArray, b: FloatArray) -> BoolArray:
    return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)))
