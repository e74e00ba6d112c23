"""What a source of bars is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

import numpy as np
import pandas as pd

from trading.data.report import AFTER_THE_AS_OF_DATE, IngestReport
from trading.market.bars import CorporateAction


@dataclass(frozen=True)
class FetchResult:
    """Clean bars and what it took to get them.

    Attributes
    ----------
    bars : bars frame (`trading.market.bars`), sorted by symbol then date
    actions : corporate actions of those symbols and dates, sorted by date, symbol and type
    report : what was read, repaired and dropped
    """

    bars: pd.DataFrame
    actions: tuple[CorporateAction, ...]
    report: IngestReport

    def before(self, day: date) -> "FetchResult":
        """Return what lies strictly before `day`; the report counts the rest as dropped."""
        keep = self.bars["date"].to_numpy() < np.datetime64(day, "s")
        bars = self.bars[keep].reset_index(drop=True)
        dropped = dict(self.report.dropped)
        if left_out := len(self.bars) - len(bars):
            dropped[AFTER_THE_AS_OF_DATE] = left_out
        report = replace(self.report.describing(bars), dropped=dropped)
        return FetchResult(bars, tuple(a for a in self.actions if a.ex_date < day), report)


class DataProvider(Protocol):
    """A source of daily bars.

    `name` is a short word for it; `simulated` tells whether its market is invented.
    """

    name: str
    simulated: bool

    async def fetch(self, symbols: Sequence[str] | None, start: date, end: date) -> FetchResult:
        """Return the bars from `start` to `end`, both included; `symbols` None means every one.

        Raises `DataError` when the source holds nothing usable.
        """

    def last_session(self) -> date | None:
        """Return the last session that the source has, None when it has every past one."""
