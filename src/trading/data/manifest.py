"""Manifests of raw objects, and the digests that identify bars whatever file holds them."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.data.parquet import BarColumns
from trading.data.providers.base import FetchResult
from trading.errors import DataError
from trading.market.bars import FIELDS, CorporateAction

DAYS = ("first", "last", "adjusted_through")


@dataclass(frozen=True)
class Manifest:
    """What one immutable raw object of the lake holds.

    Attributes
    ----------
    id : SHA-256 of the bars and corporate actions, independent of file format
    key : key of the Parquet object
    checksum : SHA-256 of its bytes
    source, simulated : where the bars come from, and whether that market is invented
    rows, symbols : how many
    first, last : first and last session
    actions : number of corporate actions that came with the bars
    verdict : `clean`, or `repaired` when the report counts anything mended or left out
    report : the `IngestReport`
    adjusted_through : the day through which the source had adjusted the bars, see `BarColumns`
    """

    id: str
    key: str
    checksum: str
    source: str
    simulated: bool
    rows: int
    symbols: int
    first: date
    last: date
    actions: int
    verdict: str
    report: dict[str, Any]
    adjusted_through: date | None = None

    @property
    def own_key(self) -> str:
        """Where the manifest lies: beside its Parquet object."""
        return f"{self.key.rpartition('/')[0]}/manifest.json"

    @property
    def told(self) -> date:
        """The day through which the source had adjusted its figures."""
        return self.adjusted_through or self.last

    def to_json(self) -> bytes:
        """Return the manifest as JSON; the same manifest gives the same bytes."""
        plain = asdict(self)
        for name in DAYS:
            plain[name] = plain[name].isoformat() if plain[name] else None
        return json.dumps(plain, indent=2, sort_keys=True).encode()

    @classmethod
    def from_json(cls, body: bytes, key: str) -> "Manifest":
        """Read a manifest; `key` names it in the `DataError` raised when it is not one."""
        try:
            plain = json.loads(body)
            for name in DAYS:
                plain[name] = date.fromisoformat(plain[name]) if plain.get(name) else None
            return cls(**plain)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"{key} of the lake is not a manifest ({error}); restore it from a backup, or "
                "remove it where it is no file of the lake's"
            ) from error


def describe(
    fetched: FetchResult, bars: BarColumns, *, identity: str, key: str, body: bytes, simulated: bool
) -> Manifest:
    """Return the manifest of a fetch whose Parquet bytes are `body`, stored as `key`."""
    return Manifest(
        id=identity,
        key=key,
        checksum=hashlib.sha256(body).hexdigest(),
        source=fetched.report.source,
        simulated=simulated,
        rows=len(bars),
        symbols=len(np.unique(bars.code)),
        first=bars.day.min().astype(object),
        last=bars.day.max().astype(object),
        actions=len(fetched.actions),
        verdict=fetched.report.verdict,
        report=fetched.report.to_dict(),
        adjusted_through=bars.adjusted_through,
    )


def session_digests(bars: BarColumns) -> dict[str, tuple[str, int]]:
    """Return, for each session (ISO day), the SHA-256 of its bars and their number.

    The digest covers the symbols, sorted, and their six values as little-endian float64 with one
    NaN and one zero; it does not depend on the order of the rows nor on any file format.
    """
    order = _by_session(bars)
    day, code = bars.day[order], bars.code[order]
    values = np.stack([bars.values[name][order] for name in FIELDS], axis=1).astype("<f8")
    values += 0.0  # makes -0.0 a plain zero
    values[np.isnan(values)] = np.nan
    raw_names = b"".join(hashlib.sha256(name.encode()).digest() for name in bars.names)
    names = np.frombuffer(raw_names, dtype=np.uint8).reshape(-1, 32)
    starts = np.flatnonzero(np.r_[True, day[1:] != day[:-1]]) if len(day) else np.empty(0, int)
    digests: dict[str, tuple[str, int]] = {}
    for left, right in zip(starts, [*starts[1:], len(day)], strict=True):
        digest = hashlib.sha256(names[code[left:right]].tobytes())
        digest.update(values[left:right].tobytes())
        digests[str(day[left])] = (digest.hexdigest(), int(right - left))
    return digests


def _by_session(bars: BarColumns) -> npt.NDArray[np.intp]:
    """Return the order by day, then symbol."""
    offset = (bars.day - bars.day.min()).astype(np.int64) if len(bars) else np.empty(0, np.int64)
    if len(bars) and (np.diff(bars.code) >= 0).all() and offset.max() < 2**16:
        # Sorted by symbol already; two-byte keys are sorted by radix, many times faster.
        return np.argsort(offset.astype(np.uint16), kind="stable")
    return np.lexsort((bars.code, offset))


def digest_of_sessions(digests: dict[str, str]) -> str:
    """Return one SHA-256 for sessions and their digests, by date."""
    whole = hashlib.sha256()
    for day in sorted(digests):
        whole.update(f"{day} {digests[day]}\n".encode())
    return whole.hexdigest()


def batch_identity(bars: BarColumns, actions: Sequence[CorporateAction]) -> str:
    """Return the SHA-256 that identifies bars and actions, whatever order they came in."""
    digests = {day: digest for day, (digest, _) in session_digests(bars).items()}
    whole = hashlib.sha256(digest_of_sessions(digests).encode())
    for line in sorted(f"{a.ex_date} {a.symbol} {a.type} {a.value!r}" for a in actions):
        whole.update(f"{line}\n".encode())
    return whole.hexdigest()
