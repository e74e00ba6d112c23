"""The dataset: what the agents learn from and the month is scored with."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from trading.config import Settings
from trading.errors import DataError
from trading.features.archive import content_digest, read_archive, write_archive
from trading.features.columns import arrange_columns
from trading.features.compute import Features, compute_features
from trading.features.context import Context, market_context
from trading.features.decisions import decision_grid, outcome_known
from trading.features.eligibility import eligible_names
from trading.features.returns import FinalReturns, bridged_returns
from trading.features.scaling import scale_features
from trading.features.specification import FEATURE_NAMES, FEATURES_VERSION
from trading.features.traded import median_value_traded
from trading.market.bars import CorporateAction
from trading.market.panel import Panel, SessionArray
from trading.universe.liquidity import (
    NEVER,
    BoolArray,
    IntArray,
)
from trading.universe.slots import SlotMap, SlotState

FILE = "dataset.npz"
Float32Array = npt.NDArray[np.float32]
VOLATILITY = FEATURE_NAMES.index("volatility_21")
ARRAYS = (
    "sessions",
    "active",
    "decisions",
    "phases",
    "features",
    "context",
    "eligible",
    "returns",
    "dollar_volume",
    "volatility",
    "known",
    "ended",
)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features, outcomes and eligibility over decisions x slots, as of a date.

    S is the number of slots, T of sessions, D of decisions.

    Attributes
    ----------
    as_of : the date on whose morning this was known; every session lies before it
    sessions : (T,) datetime64[D]
    symbols : S names: current slots at their index, names of the past in the empty ones, "" else
    active : (S,) bool, the slot is ACTIVE now: the name may be bought this month
    decisions : (D,) int64, rows of sessions, ascending; the last is T - 1, the month to be scored
    phases : (D,) int8, 0 = the calendar months; 1.. = shifted grids, for training only
    features : (D, S, 17) float32, finite; 0 where unknown, which is the median of ranked ones
    context : (D, C) float32
    eligible : (D, S) bool, could be held after that decision, by what was known then
    returns : (T, S) float32, simple daily, NaN where there is none; the first bar after a gap
        carries the return over the gap, and where it is known what a delisting paid stands after
        the last bar (`features.returns`)
    dollar_volume : (D, S) float32, median of 21 sessions, USD, NaN where unknown
    volatility : (D, S) float32, daily, 21 sessions, NaN where unknown
    data_hash, slots_version, features_version : what it was built from
    known : (D, 17) float32, share of the eligible names whose feature was known; None where it
        was not counted
    left_out : names that could once have been held, but for which there was no empty slot
    ended : (S,) bool, the last return is what the delisting paid, at which nothing can be bought;
        None where nobody knows any
    """

    as_of: date
    sessions: SessionArray
    symbols: tuple[str, ...]
    active: BoolArray
    decisions: IntArray
    phases: npt.NDArray[np.int8]
    features: Features
    context: Context
    eligible: BoolArray
    returns: Float32Array
    dollar_volume: Float32Array
    volatility: Float32Array
    data_hash: str
    slots_version: str
    features_version: str
    known: Float32Array | None = None
    left_out: int = 0
    ended: BoolArray | None = None

    @property
    def has_outcome(self) -> BoolArray:
        """Which decisions have a whole holding period behind them, `(D,)` bool.

        The period runs from the close after the decision to the close after the next decision of
        the same phase; both must lie within the sessions.
        """
        return outcome_known(self.decisions, self.phases, len(self.sessions))

    @cached_property
    def fillable(self) -> BoolArray:
        """Where an order can fill, `(T, S)` bool: at a bar, and what a delisting paid is none."""
        traded = np.isfinite(self.returns)
        if self.ended is not None:
            ended = np.flatnonzero(self.ended)
            last = len(traded) - 1 - np.argmax(traded[::-1, ended], axis=0)
            traded[last, ended] = False
        return traded

    @property
    def months(self) -> tuple[str, ...]:
        """The month `YYYY-MM` of the session that follows each decision, D of them."""
        following = np.append(self.sessions, np.datetime64(self.as_of, "D"))[self.decisions + 1]
        return tuple(str(month) for month in following.astype("datetime64[M]"))

    @cached_property
    def content_hash(self) -> str:
        """The SHA-256 over every array and field, hexadecimal."""
        return content_digest(self._header(), self._arrays())

    def to_bytes(self) -> bytes:
        """Return the dataset as a numpy archive (npz), the same bytes for the same content."""
        return write_archive(self._header() | {"content_hash": self.content_hash}, self._arrays())

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a dataset; raises `DataError` where the bytes are not one, or are broken."""
        try:
            header, arrays = read_archive(content)
            stored = header.pop("content_hash")
            header["as_of"] = date.fromisoformat(header["as_of"])
            header["symbols"] = tuple(header["symbols"])
            dataset = cls(**(header | arrays))
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(
                f"this is not a dataset, or it is broken ({error}); prepare the month again"
            ) from error
        if dataset.content_hash != stored:
            raise DataError(
                f"the dataset says its content is {stored[:16]}, but it is "
                f"{dataset.content_hash[:16]}; prepare the month again"
            )
        return dataset

    def save(self, folder: Path) -> Path:
        """Write the dataset into `folder`, which is made, and return the file."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE
        path.write_bytes(self.to_bytes())
        return path

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the dataset that `save` wrote into `folder`; raises `DataError`."""
        path = folder / FILE
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"there is no dataset at {path}; prepare the month first") from error
        return cls.from_bytes(content)

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {name: getattr(self, name) for name in ARRAYS if getattr(self, name) is not None}

    def _header(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ARRAYS}
        return plain | {"as_of": self.as_of.isoformat(), "symbols": list(self.symbols)}


def build_dataset(
    panel: Panel,
    slots: SlotMap,
    settings: Settings,
    *,
    data_hash: str,
    actions: Sequence[CorporateAction] = (),
) -> Dataset:
    """Return the dataset as of `slots.as_of`; bars from that date on are not looked at.

    Features, their ranks and eligibility at a past decision are taken over every name of the panel
    that traded then, delisted ones included, and only afterwards cut to the slots: what the
    dataset says of a past decision is what it said at the time. `actions` tell what delistings
    before that date paid.

    Raises
    ------
    DataError
        The panel does not hold an active name, or its history is shorter than the features need.
    ConfigurationError
        `training.phases` is out of range.
    """
    known = panel.before(slots.as_of)
    grid = decision_grid(known.sessions, slots.as_of, settings.training.phases)
    raw = compute_features(known, grid.rows, removed=_removal_rows(known, slots))
    traded = median_value_traded(known)[grid.rows]
    eligible = eligible_names(known, grid.rows, traded, settings)
    stale = settings.universe.max_stale_sessions
    columns = arrange_columns(known, slots, eligible, stale)
    share = _known_share(raw, eligible)
    volatility = _cut(raw[:, :, VOLATILITY], columns.source)
    features = _cut(scale_features(raw, eligible), columns.source)
    np.nan_to_num(features, copy=False, nan=0.0)
    finals = FinalReturns.of(known, [a for a in actions if a.ex_date < slots.as_of])
    ended = finals.known(len(known.sessions))
    returns = finals.placed(bridged_returns(known.adjusted_close)).astype(np.float32)
    return Dataset(
        as_of=slots.as_of,
        sessions=known.sessions.astype("datetime64[D]"),
        symbols=columns.symbols,
        active=np.array([slot.state is SlotState.ACTIVE for slot in slots.slots]),
        decisions=grid.rows,
        phases=grid.phases,
        features=features,
        context=market_context(known, grid.rows),
        eligible=eligible[:, columns.source] & (columns.source >= 0),
        returns=_cut(returns, columns.source),
        dollar_volume=_cut(traded.astype(np.float32), columns.source),
        volatility=volatility,
        data_hash=data_hash,
        slots_version=slots.version,
        features_version=FEATURES_VERSION,
        known=share,
        left_out=columns.left_out,
        ended=ended[columns.source] & (columns.source >= 0) if ended.any() else None,
    )


def _removal_rows(panel: Panel, slots: SlotMap) -> IntArray:
    """Return the row from which on each name is archived: the last session before its removal."""
    position = {symbol: i for i, symbol in enumerate(panel.symbols) if symbol}
    rows = np.full(len(panel.symbols), NEVER)
    for slot in slots.slots:
        if slot.removed and slot.symbol in position:
            day = np.datetime64(slot.removed, "D")
            rows[position[slot.symbol]] = np.searchsorted(panel.sessions, day) - 1
    return rows


def _cut(values: Float32Array, source: IntArray) -> Float32Array:
    """Return the columns of `values` (axis 1) that `source` names, NaN where it is -1."""
    picked = values[:, source]
    picked[:, source < 0] = np.nan
    return picked


def _known_share(features: Features, eligible: BoolArray) -> Float32Array:
    known = (~np.isnan(features) & eligible[:, :, None]).sum(axis=1)
    share = known / np.maximum(eligible.sum(axis=1), 1)[:, None]
    return np.asarray(share, dtype=np.float32)
