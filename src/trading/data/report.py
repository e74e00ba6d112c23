"""What an ingest read, repaired and dropped."""

from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

import pandas as pd

# Reasons to leave a row out that say nothing about its quality.
OUTSIDE_THE_REQUEST = "outside_the_request"
AFTER_THE_AS_OF_DATE = "on_or_after_the_as_of_date"
NOT_WANTED = frozenset({OUTSIDE_THE_REQUEST, AFTER_THE_AS_OF_DATE})


@dataclass(frozen=True)
class IngestReport:
    """The account of one reading of a source; every row is kept or counted in `dropped`.

    Attributes
    ----------
    source : what was read, in words
    rows_read, rows_kept : rows of the source, rows of the bars frame
    symbols : symbols of the bars frame
    first, last : its first and last session, None when it is empty
    repairs : rows mended, by kind
    dropped : rows left out, by reason
    unknown : values that the source does not tell and that stay NaN, by field
    """

    source: str
    rows_read: int
    rows_kept: int
    symbols: int
    first: date | None
    last: date | None
    repairs: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """`clean` when every row that was wanted is kept as it was read, else `repaired`."""
        faults = set(self.repairs) | set(self.unknown) | (set(self.dropped) - NOT_WANTED)
        return "repaired" if faults else "clean"

    def describing(self, bars: pd.DataFrame) -> "IngestReport":
        """Return this report with the counts and dates of `bars`."""
        dates = bars["date"]
        first, last = (dates.min().date(), dates.max().date()) if len(bars) else (None, None)
        return replace(
            self,
            rows_kept=len(bars),
            symbols=int(bars["symbol"].nunique()),
            first=first,
            last=last,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; days as ISO text."""
        plain = asdict(self) | {"verdict": self.verdict}
        for name in ("first", "last"):
            plain[name] = None if plain[name] is None else plain[name].isoformat()
        return plain
