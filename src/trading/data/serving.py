"""What a lake serves: the bars of its catalog, as known on the morning of a day."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from trading.data.actions.told import in_force
from trading.data.as_of import Knowledge
from trading.data.catalog import Catalog
from trading.data.curated import CuratedBars
from trading.data.manifest import digest_of_sessions
from trading.data.parquet import BarColumns
from trading.data.raw import RawLayer
from trading.data.reference import ReferenceData
from trading.errors import DataError
from trading.market.bars import FIELDS, CorporateAction, CorporateActionType


@dataclass(frozen=True)
class Serving:
    """The reading side of a lake.

    Parameters
    ----------
    uri : names the lake in errors
    raw, curated, reference : its layers
    """

    uri: str
    raw: RawLayer
    curated: CuratedBars
    reference: ReferenceData

    def parts(
        self,
        catalog: Catalog,
        before: date,
        start: date | None,
        fields: tuple[str, ...] = FIELDS,
        judging: date | None = None,
        as_of: date | None = None,
    ) -> list[BarColumns]:
        """Return the bars of a time, in parts that do not overlap.

        They are as known on the morning of `as_of`, by default of `before`. A quarantined session
        is left out unless it is the one that is being judged. Raises `DataError` when there is no
        bar.
        """
        hidden = {day for day in catalog.quarantined if day != str(judging)}
        served = {day: held for day, held in catalog.sessions.items() if day not in hidden}
        days = days_of(served, before, start)
        if not days:
            raise DataError(
                f"{self.uri} holds no bars from {start or 'its beginning'} to before "
                f"{before}; it holds {self._span(catalog)}"
            )
        if catalog.simulated:
            return self._stored(catalog, days, fields, hidden)
        derived = "adjusted_close" in fields
        # Dividends move the adjusted close alone, and are many more than splits.
        only = None if derived else CorporateActionType.SPLIT
        known = Knowledge.of(self.reference, as_of or before, catalog.told, only)
        needed = (*fields, "close") if derived and "close" not in fields else fields
        parts = self._stored(catalog, days, needed, hidden)
        later: list[BarColumns] = []
        if derived and (beyond := days_of(served, known.closes_until(parts, before), before)):
            later = self._stored(catalog, beyond, ("close",), hidden)
        return known.applied(parts, later)

    def stored(
        self, catalog: Catalog, before: date, start: date, hidden: Collection[str] = ()
    ) -> list[BarColumns]:
        """Return the bars of a time as they were stored, without the sessions in `hidden`."""
        days = days_of(catalog.sessions, before, start)
        return self._stored(catalog, days, FIELDS, hidden) if days else []

    def data_hash(self, catalog: Catalog, before: date) -> str:
        """Return what identifies the bars served before a day, see `Lake.data_hash`."""
        held = {day: x.digest for day, x in catalog.served.items() if day < before.isoformat()}
        digest = digest_of_sessions(held)
        if catalog.simulated or not held:
            return digest
        known = Knowledge.of(self.reference, before, catalog.told)
        if not (known.told or known.symbols.listings or known.repairs):
            return digest
        adjusted = known.digest(self._stored(catalog, list(held), (), set(catalog.quarantined)))
        return hashlib.sha256(f"{digest} {adjusted}".encode()).hexdigest() if adjusted else digest

    def actions(self, catalog: Catalog, before: date) -> tuple[CorporateAction, ...]:
        """Return the corporate actions before a day, see `Lake.corporate_actions`."""
        if catalog.simulated:
            held = (row.action for row in in_force(self.reference.told(catalog.told)))
            return tuple(action for action in held if action.ex_date < before)
        return Knowledge.of(self.reference, before, catalog.told).actions()

    def _stored(
        self,
        catalog: Catalog,
        days: Sequence[str],
        fields: tuple[str, ...],
        hidden: Collection[str],
    ) -> list[BarColumns]:
        """Return the bars of some sessions as they are stored."""
        low, high = np.datetime64(min(days), "D"), np.datetime64(max(days), "D")
        parts = self.curated.years(catalog, sorted({day[:4] for day in days}), fields)
        left_out = np.array(sorted(hidden), dtype="datetime64[D]")
        kept = []
        for part in parts:
            if len(part) and (part.day.min() < low or part.day.max() > high):
                part = part.take((part.day >= low) & (part.day <= high))
            kept.append(part.take(~np.isin(part.day, left_out)) if hidden else part)
        return kept

    def _span(self, catalog: Catalog) -> str:
        if catalog.served:
            return f"sessions from {min(catalog.served)} to {max(catalog.served)}"
        if any(True for _ in self.raw.manifests()):
            return "raw batches but no catalog of them: run `trading data rebuild`"
        return "none at all: fetch some first"


def days_of(sessions: Iterable[str], before: date, start: date | None) -> list[str]:
    """Return the sessions (ISO days) from `start` to before `before`, in their order."""
    first = (start or date.min).isoformat()
    return [day for day in sessions if first <= day < before.isoformat()]
