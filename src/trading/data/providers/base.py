"""What a source of bars is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

import numpy as np
import pandas as pd

from trading.data.report import AFTER_THE_AS_OF_DATE, IngestReport
from trading.market.bars import CorporateAction


@dataclass(frozen=True, slots=True)
class MissingBars:
    """Bars that were asked for and that no provider gave.

    Attributes
    ----------
    symbol : whose
    first, last : the first and last session of the gap
    sessions : how many sessions it has
    fields : what is missing of those bars; empty when the whole bars are
    reason : why, in words
    may_pass : whether it may come yet: no provider said for good that it has nothing
    soon : whether asking again within minutes may help
    """

    symbol: str
    first: date
    last: date
    sessions: int
    fields: tuple[str, ...]
    reason: str
    may_pass: bool = False
    soon: bool = False


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two providers' closes of one bar that are further apart than the tolerance, in USD."""

    symbol: str
    session: date
    source: str
    close: float
    other: str
    other_close: float


@dataclass(frozen=True)
class FetchResult:
    """Clean bars and what it took to get them.

    Attributes
    ----------
    bars : bars frame (`trading.market.bars`), sorted by symbol then date
    actions : corporate actions of those symbols and dates, sorted by date, symbol and type
    report : what was read, repaired and dropped
    missing : what was asked for and is not in `bars`, exactly; sorted by symbol and session
    disagreements : bars that two providers tell differently
    provenance : beside each row of `bars` the `date`, `symbol` and `source` of its close, and
        `<field>_source` for every field (categories, missing where the value is); None when the
        whole answer has one source
    alerts : sentences that the operator has to read: a provider that stopped, backups used, gaps
    """

    bars: pd.DataFrame
    actions: tuple[CorporateAction, ...]
    report: IngestReport
    missing: tuple[MissingBars, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    provenance: pd.DataFrame | None = None
    alerts: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every bar that was asked for is there, with every field that is required."""
        return not self.missing

    def before(self, day: date) -> "FetchResult":
        """Return what lies strictly before `day`; the report counts the rest as dropped."""
        keep = self.bars["date"].to_numpy() < np.datetime64(day, "s")
        bars = self.bars[keep].reset_index(drop=True)
        dropped = dict(self.report.dropped)
        if left_out := len(self.bars) - len(bars):
            dropped[AFTER_THE_AS_OF_DATE] = left_out
        report = replace(self.report.describing(bars), dropped=dropped)
        provenance = self.provenance
        return replace(
            self,
            bars=bars,
            actions=tuple(a for a in self.actions if a.ex_date < day),
            report=report,
            missing=tuple(gap for gap in self.missing if gap.first < day),
            disagreements=tuple(d for d in self.disagreements if d.session < day),
            provenance=None if provenance is None else provenance[keep].reset_index(drop=True),
        )


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
