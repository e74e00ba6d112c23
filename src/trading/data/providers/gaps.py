"""What is missing: runs of sessions, by symbol, field and reason."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.data.providers.base import MissingBars
from trading.market.panel import SessionArray

# A bar is complete with these; the adjusted close is derived where a provider has none.
REQUIRED: Final = ("open", "high", "low", "close", "volume")


def required_known(
    bars: pd.DataFrame, symbols: Sequence[str], sessions: SessionArray
) -> npt.NDArray[np.bool_]:
    """Return `(F, T, N)`: whether `bars` have each of `REQUIRED` for sessions x symbols."""
    known = np.zeros((len(REQUIRED), len(sessions), len(symbols)), dtype=bool)
    column = pd.Index(symbols).get_indexer(bars["symbol"])
    days = bars["date"].to_numpy().astype("datetime64[D]")
    row = np.searchsorted(sessions, days)
    inside = (column >= 0) & np.isin(days, sessions)
    for position, field in enumerate(REQUIRED):
        value = bars[field].to_numpy()[inside]
        known[position, row[inside], column[inside]] = np.isfinite(value)
    return known


def missing_bars(
    bars: pd.DataFrame,
    symbols: Sequence[str],
    sessions: SessionArray,
    reasons: Mapping[str, str],
    default: str,
    *,
    passing: Collection[str] = (),
    soon: Collection[str] = (),
) -> tuple[MissingBars, ...]:
    """Return what `bars` lack of `symbols` x `sessions`, sorted by symbol and session.

    Parameters
    ----------
    bars : bars frame
    symbols : unique
    sessions : (T,) datetime64[D], sorted
    reasons : why, by symbol; `default` for the others
    passing, soon : symbols whose reason may pass, some day or within minutes
    """
    ordered = sorted(symbols)
    known = required_known(bars, ordered, sessions)
    if known.all():
        return ()
    # One number a cell: which fields it lacks, as bits; a run is a stretch of equal numbers.
    lacks = np.tensordot(1 << np.arange(len(REQUIRED)), ~known, axes=1).T
    edges = np.ones((len(ordered), len(sessions) + 1), dtype=bool)
    edges[:, 1:-1] = lacks[:, 1:] != lacks[:, :-1]
    symbol_at, session_at = np.nonzero(edges)
    whole = 1 << REQUIRED.index("close")
    found = []
    for (n, first), (other, after) in zip(
        zip(symbol_at[:-1], session_at[:-1], strict=True),
        zip(symbol_at[1:], session_at[1:], strict=True),
        strict=True,
    ):
        if n != other or not (code := int(lacks[n, first])):
            continue
        fields = tuple(f for bit, f in enumerate(REQUIRED) if code >> bit & 1)
        found.append(
            MissingBars(
                ordered[n],
                sessions[first].astype(object),
                sessions[after - 1].astype(object),
                int(after - first),
                () if code & whole else fields,
                reasons.get(ordered[n], default),
                ordered[n] in passing,
                ordered[n] in soon,
            )
        )
    return tuple(found)
