"""Sessions that are asked together, and what of an answer they want."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from trading.data.providers.base import FetchResult, MissingBars


@dataclass(frozen=True)
class Block:
    """Sessions that are asked together.

    Attributes
    ----------
    sessions : ascending
    symbols : who is asked for, None for whoever comes
    lacking : of held sessions, the symbols that each lacks; None where sessions are new
    """

    sessions: tuple[date, ...]
    symbols: tuple[str, ...] | None
    lacking: Mapping[date, tuple[str, ...]] | None = None

    def gaps_of(self, day: date, answer: FetchResult) -> tuple[MissingBars, ...]:
        """Return the gaps of one session that the block asked for."""
        return tuple(
            replace(gap, first=day, last=day, sessions=1)
            for gap in answer.missing
            if gap.first <= day <= gap.last
            and (self.lacking is None or gap.symbol in self.lacking[day])
        )

    def part_of(self, answer: FetchResult) -> FetchResult:
        """Return the part of an answer that is asked for: these sessions, and what they lack."""
        days = answer.bars["date"].to_numpy().astype("datetime64[D]")
        keep = np.isin(days, np.array(self.sessions, dtype="datetime64[D]"))
        if self.lacking is not None:
            lacks = pd.MultiIndex.from_tuples(
                [(s, pd.Timestamp(day)) for day, names in self.lacking.items() for s in names]
            )
            cells = pd.MultiIndex.from_arrays([answer.bars["symbol"], answer.bars["date"]])
            keep &= cells.isin(lacks)
        provenance = answer.provenance
        return replace(
            answer,
            bars=answer.bars[keep].reset_index(drop=True),
            provenance=None if provenance is None else provenance[keep].reset_index(drop=True),
        )
