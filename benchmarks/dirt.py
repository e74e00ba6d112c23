"""Kinds of dirt that are planted in clean series: each takes a series, and says what must be found.

A series is a bars frame of one symbol with the actions that belong to it; a planter changes a copy.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from trading.data.quality import FindingKind as Kind
from trading.market.bars import CorporateAction, CorporateActionType

PRICES = ("open", "high", "low", "close")
ALL_PRICES = (*PRICES, "adjusted_close")
SPLIT, DIVIDEND = CorporateActionType.SPLIT, CorporateActionType.DIVIDEND


@dataclass(frozen=True)
class Series:
    """Rows of one symbol and its declared actions."""

    rows: pd.DataFrame
    actions: tuple[CorporateAction, ...]


Planter = Callable[[Series, np.random.Generator], Series | None]


@dataclass(frozen=True)
class Dirt:
    """A kind of dirt.

    Attributes
    ----------
    name : in words
    plant : returns the dirty series, None where it does not fit (no dividend, too short)
    tells : kinds of finding, or reasons of cleaning, that name it
    mended : whether the truth can be proved, so that the bars must come out right
    """

    name: str
    plant: Planter
    tells: tuple[str, ...]
    mended: bool = False


def _scaled(series: Series, which: slice, factor: float, columns: tuple[str, ...]) -> Series:
    rows = series.rows.copy()
    for name in columns:
        column = rows[name].to_numpy().copy()
        column[which] *= factor
        rows[name] = column
    return replace(series, rows=rows)


def _spot(series: Series, draw: np.random.Generator, margin: int = 40) -> int:
    return int(draw.integers(margin, len(series.rows) - margin))


def _day(series: Series, row: int) -> date:
    found: date = series.rows["date"].iloc[row].date()
    return found


def hundredfold(sessions: int, factor: float) -> Planter:
    """Prices in another unit for some sessions."""

    def plant(series: Series, draw: np.random.Generator) -> Series:
        at = _spot(series, draw, sessions + 10)
        return _scaled(series, slice(at, at + sessions), factor, ALL_PRICES)

    return plant


def unit_switched(factor: float) -> Planter:
    """Everything before one day in another unit: pence, then pounds."""

    def plant(series: Series, draw: np.random.Generator) -> Series:
        return _scaled(series, slice(0, _spot(series, draw)), factor, ALL_PRICES)

    return plant


def one_field(name: str, factor: float) -> Planter:
    """One price of one bar off by a factor."""

    def plant(series: Series, draw: np.random.Generator) -> Series:
        at = _spot(series, draw)
        return _scaled(series, slice(at, at + 1), factor, (name,))

    return plant


def split(ratio: float, *, times: float = 1.0, declared: bool = True, late: int = 0) -> Planter:
    """A split that the bars before it do not show (1), show twice (-1), or declared days off."""

    def plant(series: Series, draw: np.random.Generator) -> Series:
        at = _spot(series, draw)
        dirty = _scaled(series, slice(0, at), ratio**times, ALL_PRICES)
        dirty = _scaled(dirty, slice(0, at), ratio**-times, ("volume",))
        told = CorporateAction(
            str(series.rows["symbol"].iloc[0]), _day(series, at + late), SPLIT, ratio
        )
        return replace(dirty, actions=(*series.actions, told) if declared else series.actions)

    return plant


def split_in_part(ratio: float) -> Planter:
    """A split that some sessions before it do not show."""

    def plant(series: Series, draw: np.random.Generator) -> Series:
        at = _spot(series, draw)
        dirty = _scaled(series, slice(at - 15, at), ratio, ALL_PRICES)
        dirty = _scaled(dirty, slice(at - 15, at), 1 / ratio, ("volume",))
        told = CorporateAction(str(series.rows["symbol"].iloc[0]), _day(series, at), SPLIT, ratio)
        return replace(dirty, actions=(*series.actions, told))

    return plant


def dividends(factor: float) -> Planter:
    """Every declared amount off by a factor; the adjusted closes are right."""

    def plant(series: Series, _draw: np.random.Generator) -> Series | None:
        if len(series.actions) < 3:
            return None
        told = tuple(replace(a, value=(a.value or 0.0) * factor) for a in series.actions)
        return replace(series, actions=told)

    return plant


def dividends_and_adjustment(factor: float) -> Planter:
    """Every declared amount off by a factor, and the adjusted closes made from it."""

    def plant(series: Series, _draw: np.random.Generator) -> Series | None:
        if len(series.actions) < 3:
            return None
        told = tuple(replace(a, value=(a.value or 0.0) * factor) for a in series.actions)
        rows = series.rows.copy()
        close = rows["close"].to_numpy()
        if max(a.value or 0.0 for a in told) > 0.9 * close.min():
            return None
        scale = np.ones(len(rows))
        for action in told:
            at = int(np.searchsorted(rows["date"].to_numpy(), np.datetime64(action.ex_date)))
            scale[:at] *= 1 - (action.value or 0.0) / close[at - 1]
        rows["adjusted_close"] = close * scale * rows["adjusted_close"].iloc[-1] / close[-1]
        return Series(rows, told)

    return plant


def one_dividend_unadjusted(series: Series, draw: np.random.Generator) -> Series | None:
    """A declared dividend that the adjusted closes do not know."""
    if not series.actions:
        return None
    action = series.actions[int(draw.integers(len(series.actions)))]
    at = int(np.searchsorted(series.rows["date"].to_numpy(), np.datetime64(action.ex_date)))
    close = float(series.rows["close"].iloc[at - 1])
    kept = 1 - (action.value or 0.0) / close
    return _scaled(series, slice(0, at), 1 / kept, ("adjusted_close",))


def phantom_dividend(share: float) -> Planter:
    """A dividend that was never paid: declared, and in the adjusted closes."""

    def plant(series: Series, draw: np.random.Generator) -> Series:
        at = _spot(series, draw)
        close = float(series.rows["close"].iloc[at - 1])
        symbol = str(series.rows["symbol"].iloc[0])
        told = CorporateAction(symbol, _day(series, at), DIVIDEND, share * close)
        dirty = _scaled(series, slice(0, at), 1 - share, ("adjusted_close",))
        return replace(dirty, actions=(*series.actions, told))

    return plant


def dividend_told_twice(series: Series, draw: np.random.Generator) -> Series | None:
    """A dividend repeated two sessions later, in the declared ones and in the adjusted closes."""
    if not series.actions:
        return None
    action = series.actions[int(draw.integers(len(series.actions)))]
    at = int(np.searchsorted(series.rows["date"].to_numpy(), np.datetime64(action.ex_date))) + 2
    if at >= len(series.rows):
        return None
    kept = 1 - (action.value or 0.0) / float(series.rows["close"].iloc[at - 1])
    dirty = _scaled(series, slice(0, at), kept, ("adjusted_close",))
    return replace(dirty, actions=(*series.actions, replace(action, ex_date=_day(series, at))))


def changed(change: Callable[[pd.DataFrame, int], pd.DataFrame]) -> Planter:
    """Rows changed by a function of the rows and a spot."""

    def plant(series: Series, draw: np.random.Generator) -> Series:
        return replace(series, rows=change(series.rows.copy(), _spot(series, draw)))

    return plant


def put(rows: pd.DataFrame, where: slice, **values: float) -> pd.DataFrame:
    """Return the rows with constants in some columns."""
    for name, value in values.items():
        rows.iloc[where, rows.columns.get_loc(name)] = value
    return rows


def _stale(rows: pd.DataFrame, at: int) -> pd.DataFrame:
    held = rows.iloc[at]
    same = {name: held[name] for name in (*ALL_PRICES, "volume")}
    return put(rows, slice(at, at + 30), **same)


def _weekend(rows: pd.DataFrame, at: int) -> pd.DataFrame:
    extra = rows.iloc[at : at + 25].copy()
    extra["date"] = extra["date"] + pd.offsets.Week(weekday=5)
    return pd.concat([rows, extra.drop_duplicates("date")], ignore_index=True)


def _shifted(rows: pd.DataFrame, _at: int) -> pd.DataFrame:
    return rows.assign(date=rows["date"] + timedelta(days=1))


def _swapped(one: str, other: str, sessions: int) -> Callable[[pd.DataFrame, int], pd.DataFrame]:
    def change(rows: pd.DataFrame, at: int) -> pd.DataFrame:
        where = slice(at, at + sessions)
        a, b = rows.columns.get_loc(one), rows.columns.get_loc(other)
        rows.iloc[where, [a, b]] = rows.iloc[where, [b, a]].to_numpy()
        return rows

    return change


def _decimal_comma(rows: pd.DataFrame, _at: int) -> pd.DataFrame:
    for name in ALL_PRICES:
        rows[name] = [f"{value:.2f}".replace(".", ",") for value in rows[name]]
    return rows


def _decimal_comma_thousandths(rows: pd.DataFrame, _at: int) -> pd.DataFrame:
    for name in ALL_PRICES:
        rows[name] = [f"{value:.3f}".replace(".", ",") for value in rows[name]]
    return rows


def _repeated(factor: float) -> Callable[[pd.DataFrame, int], pd.DataFrame]:
    def change(rows: pd.DataFrame, at: int) -> pd.DataFrame:
        extra = rows.iloc[at : at + 3].copy()
        for name in ALL_PRICES:
            extra[name] *= factor
        return pd.concat([rows, extra], ignore_index=True)

    return change


def _reused(rows: pd.DataFrame, at: int) -> pd.DataFrame:
    after = rows.iloc[at + 80 :].copy()
    for name in ALL_PRICES:
        after[name] *= 7.3
    return pd.concat([rows.iloc[:at], after], ignore_index=True)


def _without(sessions: int) -> Callable[[pd.DataFrame, int], pd.DataFrame]:
    return lambda rows, at: rows.drop(rows.index[at : at + sessions]).reset_index(drop=True)


H, S = Kind.HUNDREDFOLD_PRICE.value, Kind.SPLIT_NOT_APPLIED.value
JUMP = (Kind.SPLIT_SHAPED_JUMP.value, Kind.IMPOSSIBLE_RETURN.value, Kind.OUTLIER.value)
SPIKE = (Kind.REVERTING_SPIKE.value, Kind.IMPOSSIBLE_RETURN.value)
ORDER = (Kind.OHLC_ORDER.value, "open_or_close_outside_range", "high_below_low")
UNIT = (Kind.DIVIDEND_HUNDREDFOLD.value, Kind.DIVIDEND_HUNDREDTH.value)
ADJUSTED = (Kind.ADJUSTMENT_MISSING.value, Kind.ADJUSTMENT_MISMATCH.value)
SILENT = (Kind.DIVIDEND_WITHOUT_FALL.value, Kind.DUPLICATE_DIVIDEND.value, *UNIT, *ADJUSTED)
DIRT: tuple[Dirt, ...] = (
    Dirt("100 times too high, 1 session", hundredfold(1, 100.0), (H,), mended=True),
    Dirt("a hundredth, 1 session", hundredfold(1, 0.01), (H,), mended=True),
    Dirt("100 times too high, 25 sessions", hundredfold(25, 100.0), (H,), mended=True),
    Dirt("pence before a day, pounds after it", unit_switched(100.0), (H,), mended=True),
    Dirt("pounds before a day, pence after it", unit_switched(0.01), (H,), mended=True),
    *(
        Dirt(f"high of one bar {f:g} times off", one_field("high", f), (H, *ORDER))
        for f in (100.0, 0.01)
    ),
    Dirt("low of one bar a hundredth", one_field("low", 0.01), (H, *ORDER)),
    Dirt("close of one bar 10 times off", one_field("close", 10.0), (*ORDER, *SPIKE)),
    *(
        Dirt(f"split of {told}, not applied", split(ratio), (S,), mended=True)
        for told, ratio in (
            ("2 for 1", 2.0),
            ("3 for 1", 3.0),
            ("3 for 2", 1.5),
            ("5 for 4", 1.25),
            ("4 for 3", 4 / 3),
            ("7 for 1", 7.0),
            ("20 for 1", 20.0),
            ("1 for 10", 0.1),
            ("1 for 25", 0.04),
            ("1 for 100", 0.01),
            ("1 for 2", 0.5),
        )
    ),
    *(
        Dirt(f"split of {told}, applied twice", split(ratio, times=-1), (S,), mended=True)
        for told, ratio in (("2 for 1", 2.0), ("3 for 2", 1.5), ("1 for 10", 0.1))
    ),
    Dirt("split of 4 for 1, 15 sessions not adjusted", split_in_part(4.0), (S,), mended=True),
    Dirt("split of 3 for 1, declared 4 sessions late", split(3.0, late=4), (S,), mended=True),
    Dirt("split of 3 for 1, declared by nobody", split(3.0, declared=False), JUMP),
    Dirt("split of 1 for 10, declared by nobody", split(0.1, declared=False), JUMP),
    Dirt(
        "dividends 100 times off, adjustment right",
        dividends(100.0),
        (*UNIT, *ADJUSTED),
        mended=True,
    ),
    Dirt(
        "dividends a hundredth, adjustment right", dividends(0.01), (*UNIT, *ADJUSTED), mended=True
    ),
    Dirt(
        "dividends 100 times off, adjusted for", dividends_and_adjustment(100.0), UNIT, mended=True
    ),
    Dirt("dividends a hundredth, adjusted for", dividends_and_adjustment(0.01), UNIT, mended=True),
    Dirt("one dividend not adjusted for", one_dividend_unadjusted, ADJUSTED),
    Dirt("one dividend told twice", dividend_told_twice, SILENT),
    Dirt("a dividend of 2 % that nobody paid", phantom_dividend(0.02), SILENT),
    Dirt("a dividend of 15 % that nobody paid", phantom_dividend(0.15), SILENT),
    Dirt("every date a day late", changed(_shifted), (Kind.NOT_A_SESSION.value,)),
    Dirt("bars on Saturdays", changed(_weekend), (Kind.NOT_A_SESSION.value,)),
    Dirt(
        "high and low swapped, 10 sessions",
        changed(_swapped("high", "low", 10)),
        ORDER,
        mended=True,
    ),
    Dirt("close and volume swapped, 5 sessions", changed(_swapped("close", "volume", 5)), ORDER),
    Dirt(
        "close a twentieth above the high",
        changed(lambda r, at: put(r, slice(at, at + 1), close=r["high"].iloc[at] * 1.05)),
        ORDER,
    ),
    Dirt("30 equal bars in a row", changed(_stale), (Kind.STALE_SERIES.value,)),
    Dirt(
        "20 sessions without volume",
        changed(lambda r, at: put(r, slice(at, at + 20), volume=0.0)),
        (Kind.ZERO_VOLUME.value,),
    ),
    Dirt("a volume 1,000 times off", one_field("volume", 1000.0), (Kind.VOLUME_SPIKE.value,)),
    Dirt(
        "a negative price",
        changed(lambda r, at: put(r, slice(at, at + 1), low=-1.0)),
        (Kind.NONPOSITIVE_PRICE.value,),
    ),
    Dirt(
        "a close of zero",
        changed(lambda r, at: put(r, slice(at, at + 1), close=0.0)),
        (Kind.NONPOSITIVE_PRICE.value,),
    ),
    Dirt(
        "an infinite close",
        changed(lambda r, at: put(r, slice(at, at + 1), close=np.inf)),
        (Kind.INFINITE_VALUE.value,),
    ),
    Dirt(
        "three closes missing",
        changed(lambda r, at: put(r, slice(at, at + 3), close=np.nan)),
        (Kind.NO_CLOSE.value,),
    ),
    Dirt(
        "three rows told twice", changed(_repeated(1.0)), (Kind.DUPLICATE_ROW.value,), mended=True
    ),
    Dirt(
        "three rows told twice, 2 % apart",
        changed(_repeated(1.02)),
        (Kind.CONFLICTING_DUPLICATE.value,),
    ),
    Dirt(
        "five sessions missing",
        changed(_without(5)),
        (Kind.MISSING_SESSION.value, Kind.MISSING_BARS.value),
    ),
    Dirt("another company after 80 sessions", changed(_reused), (Kind.SUSPECTED_REUSE.value,)),
    Dirt("decimal commas, two places", changed(_decimal_comma), ("right",), mended=True),
    Dirt("decimal commas, three places", changed(_decimal_comma_thousandths), ("refused",)),
)
