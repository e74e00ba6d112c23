"""Bring stored bars to the share basis of a day: what was known then, and nothing later.

A stored bar is adjusted through its own *basis*: the day through which its source had applied
splits (prices, volume) and dividends (adjusted close). Read as of a day, every bar is brought from
its basis to that day: what came in between is applied, what the source had applied with hindsight
is undone. With ``P(x)`` the product of the split ratios up to and with day x, and ``G(x)`` that of
``1 - dividend / close before``::

    price    = stored / (P(as of) / P(basis))
    volume   = stored * (P(as of) / P(basis))
    adjusted = stored / (P(as of) / P(basis)) * (G(as of) / G(basis))

and a missing adjusted close is the close times ``G(as of) / G(own day)``. The factors are those of
CRSP (Data Descriptions Guide, cumulative factors to adjust prices and shares). A bar without an
action in between comes back bit for bit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt

from trading.data.actions.told import ToldAction
from trading.data.parquet import BarColumns
from trading.errors import DataError
from trading.market.bars import CorporateAction, CorporateActionType
from trading.market.panel import FloatArray

IntArray = npt.NDArray[np.int64]
# A key is a symbol's number and a day; days before 1970 are negative, so they are shifted.
SCALE, SHIFT = 1_000_000, 500_000
EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Factors:
    """Running products of the factors of each symbol's events, by day.

    Attributes
    ----------
    key : (E,) `keys` of symbol and day, ascending
    total : (E,) product of the symbol's factors up to and with that event
    """

    key: IntArray
    total: FloatArray

    @classmethod
    def of(cls, key: IntArray, factor: FloatArray) -> "Factors":
        """Return the running products of events given in any order."""
        order = np.argsort(key, kind="stable")
        key, total = key[order], factor[order].astype(np.float64)
        code = key // SCALE
        step = 1
        # Products over twice as many events in each round: exact ones stay exact.
        while step < len(key) and (code[step:] == code[:-step]).any():
            same = code[step:] == code[:-step]
            total[step:] = np.where(same, total[step:] * total[:-step], total[step:])
            step *= 2
        return cls(key, total)

    def at(self, key: IntArray) -> FloatArray:
        """Return the product up to and with each key's day, 1 where there is no event by then."""
        if not len(self.key):
            return np.ones(len(key))
        spot = np.searchsorted(self.key, key, side="right") - 1
        inside = np.maximum(spot, 0)
        known = (spot >= 0) & (self.key[inside] // SCALE == key // SCALE)
        return np.where(known, self.total[inside], 1.0)


@dataclass(frozen=True)
class Moves:
    """The splits and dividends that move prices, by symbol.

    Attributes
    ----------
    code_of : symbol -> its number here
    splits : running products of the ratios
    dividends : `(code, ex-date, amount, basis)` of each, days as integers
    """

    code_of: Mapping[str, int]
    splits: Factors
    dividends: tuple[IntArray, IntArray, FloatArray, IntArray]

    @classmethod
    def of(cls, told: Iterable[ToldAction]) -> "Moves":
        """Take the splits and dividends in force; those without a positive finite value move none.

        Raises `DataError` when a split's ratio is not positive.
        """
        kinds = (CorporateActionType.SPLIT, CorporateActionType.DIVIDEND)
        rows = [r for r in told if r.action.type in kinds and _moves(r.action)]
        code_of = {s: i for i, s in enumerate(sorted({r.action.symbol for r in rows}))}
        split = [r for r in rows if r.action.type is CorporateActionType.SPLIT]
        paid = [r for r in rows if r.action.type is CorporateActionType.DIVIDEND]
        splits = Factors.of(
            keys(_codes(split, code_of), _days(r.action.ex_date for r in split)), _values(split)
        )
        dividends = (
            _codes(paid, code_of),
            _days(r.action.ex_date for r in paid),
            _values(paid),
            _days(r.basis for r in paid),
        )
        return cls(code_of, splits, dividends)

    def codes(self, names: Sequence[str]) -> IntArray:
        """Return the number of each symbol, -1 where it has no split and no dividend."""
        return np.array([self.code_of.get(name, -1) for name in names], dtype=np.int64)


def on_basis_of(told: Iterable[ToldAction], through: date) -> tuple[CorporateAction, ...]:
    """Return the actions in force up to `through`, dividends in the shares of that day."""
    rows = tuple(told)
    moves = Moves.of(rows)
    last = _day(through)
    found = []
    for row in rows:
        action = row.action
        if action.ex_date > through or _cancelled(action):
            continue
        if action.type is CorporateActionType.DIVIDEND and action.symbol in moves.code_of:
            days = np.array([_day(row.basis), last])
            then, now = moves.splits.at(keys(np.full(2, moves.code_of[action.symbol]), days))
            action = replace(action, value=float((action.value or 0.0) / (now / then)))
        found.append(action)
    return tuple(found)


def readjust(
    parts: Sequence[BarColumns],
    moves: Moves,
    through: date,
    *,
    closes: Sequence[BarColumns] | None = None,
) -> list[BarColumns]:
    """Return the bars as known on `through`, see the module.

    Parameters
    ----------
    parts : bars of one history, no (symbol, day) twice; each sorted by symbol and day
    moves : the actions in force
    through : the last day that counts
    closes : where the close before each dividend is looked up; `parts` by default. Where a source
        applied dividends of later days, theirs must be among them to be undone

    Raises
    ------
    DataError
        A dividend is not below the close before it, so that no factor can be made of it.
    """
    adjusted = any("adjusted_close" in part.values for part in parts)
    paid = _dividend_factors(parts if closes is None else closes, moves) if adjusted else None
    return [_readjust_part(part, moves, paid, _day(through)) for part in parts]


def _readjust_part(
    part: BarColumns, moves: Moves, paid: Factors | None, through: int
) -> BarColumns:
    code = moves.codes(part.names)[part.code]
    rows = np.flatnonzero(code >= 0)
    day = part.day.astype(np.int64)
    basis = day if part.basis is None else part.basis.astype(np.int64)
    code = code[rows]
    ratio = moves.splits.at(keys(code, through)) / moves.splits.at(keys(code, basis[rows]))
    moved, ratio = rows[ratio != 1.0], ratio[ratio != 1.0]
    values = dict(part.values)
    if len(moved):
        for name in values:
            column = values[name].copy()
            column[moved] = column[moved] * ratio if name == "volume" else column[moved] / ratio
            values[name] = column
    if "adjusted_close" in values and "close" in values:
        adjusted = values["adjusted_close"].copy()
        unknown = np.isnan(adjusted)
        adjusted[unknown] = values["close"][unknown]
        if paid is not None and len(paid.key):
            # A missing one holds no dividend yet, whatever the basis of the prices.
            since = np.where(unknown, day, basis)[rows]
            factor = paid.at(keys(code, through)) / paid.at(keys(code, since))
            adjusted[rows[factor != 1.0]] *= factor[factor != 1.0]
        values["adjusted_close"] = adjusted
    return replace(part, values=values)


def _dividend_factors(parts: Sequence[BarColumns], moves: Moves) -> Factors:
    """Return ``1 - dividend / close before`` of each dividend that has a close before it."""
    code, ex, amount, basis = moves.dividends
    close, close_basis = _closes_before(parts, moves, code, ex)
    known = np.isfinite(close)
    code, ex, amount, basis = code[known], ex[known], amount[known], basis[known]
    then = moves.splits.at(keys(code, basis))
    # Both in the shares of the time before the first split that is known.
    share = amount * then / (close[known] * moves.splits.at(keys(code, close_basis[known])))
    if (share >= 1).any():
        worst = int(np.argmax(share))
        symbol = next(name for name, number in moves.code_of.items() if number == code[worst])
        raise DataError(
            f"the dividend {amount[worst]:g} of {symbol} on {np.datetime64(int(ex[worst]), 'D')} "
            f"is not below the close before it ({amount[worst] / share[worst]:g}); check its unit "
            "and tell it again, as 0 where there was none"
        )
    return Factors.of(keys(code, ex), 1.0 - share)


def _closes_before(
    parts: Sequence[BarColumns], moves: Moves, code: IntArray, ex: IntArray
) -> tuple[FloatArray, IntArray]:
    """Return the last known close before each ex-date, NaN where there is none, and its basis."""
    close, basis = np.full(len(code), np.nan), np.zeros(len(code), dtype=np.int64)
    found_on = np.full(len(code), np.iinfo(np.int64).min)
    for part in parts:
        if not len(part) or not len(code):
            continue
        mine = np.full(len(moves.code_of), -1, dtype=np.int64)
        numbers = moves.codes(part.names)
        mine[numbers[numbers >= 0]] = np.flatnonzero(numbers >= 0)
        day, own = part.day.astype(np.int64), part.values["close"]
        spot = np.searchsorted(keys(part.code, day), keys(mine[code], ex)) - 1
        while True:
            inside = np.maximum(spot, 0)
            there = (spot >= 0) & (mine[code] >= 0) & (part.code[inside] == mine[code])
            missing = there & np.isnan(own[inside])
            if not missing.any():
                break
            spot = np.where(missing, spot - 1, spot)
        better = there & (day[inside] > found_on)
        held = day if part.basis is None else part.basis.astype(np.int64)
        close[better], basis[better] = own[inside][better], held[inside][better]
        found_on[better] = day[inside][better]
    return close, basis


def keys(code: IntArray, day: IntArray | int) -> IntArray:
    """Return what orders events by symbol, then day."""
    return code * SCALE + (day + SHIFT)


def _moves(action: CorporateAction) -> bool:
    value = action.value
    return value is not None and bool(np.isfinite(value)) and value > 0 and not _cancelled(action)


def _cancelled(action: CorporateAction) -> bool:
    """Tell whether an action says that there was none."""
    none = {CorporateActionType.SPLIT: 1.0, CorporateActionType.DIVIDEND: 0.0}
    return action.type in none and action.value == none[action.type]


def _codes(rows: Sequence[ToldAction], code_of: Mapping[str, int]) -> IntArray:
    return np.array([code_of[row.action.symbol] for row in rows], dtype=np.int64)


def _values(rows: Sequence[ToldAction]) -> FloatArray:
    return np.array([row.action.value for row in rows], dtype=np.float64)


def _day(day: date) -> int:
    return day.toordinal() - EPOCH


def _days(days: Iterable[date]) -> IntArray:
    return np.fromiter((day.toordinal() for day in days), dtype=np.int64) - EPOCH
