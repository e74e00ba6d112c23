"""What was known of companies on a day."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date

import pandas as pd

from trading.market.bars import CorporateAction, CorporateActionType, FundamentalData

FIGURES = tuple(f.name for f in fields(FundamentalData) if f.name not in ("symbol", "as_of"))


@dataclass(frozen=True)
class FundamentalsTable:
    """Fundamentals by symbol and the day they became known; a later record of a day wins."""

    records: tuple[FundamentalData, ...] = ()
    _days: Mapping[str, tuple[list[date], list[FundamentalData]]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        held: dict[str, dict[date, FundamentalData]] = {}
        for record in self.records:
            held.setdefault(record.symbol, {})[record.as_of] = record
        index = {
            symbol: (sorted(by_day), [by_day[day] for day in sorted(by_day)])
            for symbol, by_day in held.items()
        }
        object.__setattr__(self, "_days", index)

    def known(self, symbol: str, day: date) -> FundamentalData | None:
        """Return the latest record of a symbol up to and with `day`, None when there is none."""
        days, records = self._days.get(symbol, ([], []))
        spot = bisect_right(days, day)
        return records[spot - 1] if spot else None

    def sectors(self, day: date = date.max) -> dict[str, str]:
        """Return the sector of each symbol as last told up to and with `day`.

        A sector stays until another is told: records without one, of later days, take it from
        nobody.
        """
        found: dict[str, str] = {}
        for symbol, (days, records) in self._days.items():
            told = (r.sector for r in reversed(records[: bisect_right(days, day)]) if r.sector)
            if (sector := next(told, None)) is not None:
                found[symbol] = sector
        return found

    def cross_section(self, symbols: Sequence[str], day: date) -> pd.DataFrame:
        """Return one row a symbol, in that order, with what was known on `day`.

        Columns: `symbol`, `as_of`, `market_cap`, `pe_ratio`, `eps`, `dividend_yield` (a fraction),
        `sector`, `industry`; None and NaN where nothing was known.
        """
        rows = [self.known(symbol, day) or FundamentalData(symbol, day) for symbol in symbols]
        frame = pd.DataFrame(
            {"symbol": pd.Series(list(symbols), dtype="str")}
            | {"as_of": [row.as_of if self.known(row.symbol, day) else None for row in rows]}
            | {name: [getattr(row, name) for row in rows] for name in FIGURES}
        )
        numbers = [name for name in FIGURES if name not in ("sector", "industry")]
        return frame.astype(dict.fromkeys(numbers, "float64"))


def with_price(record: FundamentalData, close: float, then: float) -> FundamentalData:
    """Return a record brought from the price of its day to a later one.

    Market cap and P/E move with the price, the yield against it; earnings and the share count stay
    as last known. `then` is the split-adjusted close on `record.as_of`, `close` the later one, both
    on the same share basis; without two positive prices the record comes back as it is.
    """
    if not (close > 0 and then > 0):
        return record
    move = close / then
    return replace(
        record,
        market_cap=None if record.market_cap is None else record.market_cap * move,
        pe_ratio=None if record.pe_ratio is None else record.pe_ratio * move,
        dividend_yield=None if record.dividend_yield is None else record.dividend_yield / move,
    )


def derived(record: FundamentalData, price: float | None) -> FundamentalData:
    """Return the record with P/E and EPS from each other where the price tells them.

    Without earnings above zero there is no P/E: it is None, never negative.
    """
    eps, ratio = record.eps, record.pe_ratio
    if price is not None and price > 0:
        if eps is None and ratio is not None and ratio > 0:
            eps = price / ratio
        if ratio is None and eps is not None and eps > 0:
            ratio = price / eps
    if (eps is not None and eps <= 0) or (ratio is not None and ratio <= 0):
        ratio = None
    return replace(record, eps=eps, pe_ratio=ratio)


def trailing_yield(
    actions: Iterable[CorporateAction], symbol: str, day: date, close: float
) -> float | None:
    """Return the dividends of the year up to `day` over `close`, None without a positive close.

    A company without a dividend in that time yields 0.0. Amounts and close must be on the same
    share basis.
    """
    if not close > 0:
        return None
    year_before = date(day.year - 1, day.month, min(day.day, 28))
    paid = sum(
        action.value or 0.0
        for action in actions
        if action.symbol == symbol
        and action.type is CorporateActionType.DIVIDEND
        and year_before < action.ex_date <= day
    )
    return paid / close
