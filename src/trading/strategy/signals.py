"""Signals: what a strategy wants, one at a time or whole cross-sections at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.errors import SignalError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int8]
TimeArray = npt.NDArray[np.datetime64]


class Action(StrEnum):
    """What a signal asks for."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


CODES = {Action.SELL: -1, Action.HOLD: 0, Action.BUY: 1}
ACTIONS = {code: action for action, code in CODES.items()}


@dataclass(frozen=True, slots=True)
class Signal:
    """One wish of one strategy.

    BUY asks for a long exposure of `strength`; SELL ends a long exposure and, from a strategy that
    goes short, asks for a short one of `strength` (0: flat); HOLD leaves things as they are.

    Attributes
    ----------
    timestamp : aware, UTC: when the bar closed that the decision was made on
    strength : conviction, 0..1
    metadata : anything JSON can hold; nothing in it changes what is traded

    Raises
    ------
    SignalError
        The symbol is empty, the stamp has no zone, or the strength is not within 0..1.
    """

    timestamp: datetime
    symbol: str
    action: Action
    strength: float
    strategy_id: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.symbol, str) or not self.symbol:
            raise SignalError(f"a signal needs a symbol, got {self.symbol!r}")
        if not isinstance(self.timestamp, datetime) or self.timestamp.tzinfo is None:
            raise SignalError(f"{self.symbol}: the timestamp {self.timestamp!r} has no time zone")
        if not isinstance(self.action, Action):
            raise SignalError(
                f"{self.symbol}: the action must be Action.BUY, SELL or HOLD, got {self.action!r}"
            )
        if type(self.strength) is not float and (
            isinstance(self.strength, bool)
            or not isinstance(self.strength, (int, float, np.floating))
        ):
            raise SignalError(
                f"{self.symbol}: the strength must be a number, got {self.strength!r}"
            )
        if not 0.0 <= self.strength <= 1.0:
            raise SignalError(
                f"{self.symbol}: the strength must lie within 0..1, got {self.strength}"
            )


@dataclass(frozen=True, eq=False)
class Signals(Sequence[Signal]):
    """Many signals as columns; as a sequence, the same as `Signal` objects.

    Attributes
    ----------
    strategy_id : whose they are
    timestamps : (T,) datetime64[s], UTC: the bars that `rows` counts
    symbols : N symbols that `columns` counts
    rows, columns : (E,) int64, sorted by row, then column; a (row, column) once
    actions : (E,) int8: 1 BUY, 0 HOLD, -1 SELL
    strengths : (E,) float64, 0..1

    Raises
    ------
    SignalError
        Lengths differ, something is out of range, NaN, unsorted or doubled.
    """

    strategy_id: str
    timestamps: TimeArray
    symbols: tuple[str, ...]
    rows: IntArray
    columns: IntArray
    actions: CodeArray
    strengths: FloatArray

    def __post_init__(self) -> None:
        sizes = {len(self.rows), len(self.columns), len(self.actions), len(self.strengths)}
        if len(sizes) != 1:
            raise SignalError(f"{self.strategy_id}: the columns of the signals differ in length")
        if not len(self.rows):
            return
        for what, values, end in (
            ("row", self.rows, len(self.timestamps)),
            ("column", self.columns, len(self.symbols)),
        ):
            if values.min() < 0 or values.max() >= end:
                raise SignalError(
                    f"{self.strategy_id}: a signal's {what} lies outside 0..{end - 1}"
                )
        key = self.rows * len(self.symbols) + self.columns
        if (np.diff(key) <= 0).any():
            raise SignalError(
                f"{self.strategy_id}: signals must be sorted by row and column, and given once"
            )
        if not ((self.strengths >= 0.0) & (self.strengths <= 1.0)).all():
            bad = self.strengths[~((self.strengths >= 0.0) & (self.strengths <= 1.0))][0]
            raise SignalError(f"{self.strategy_id}: strengths must lie within 0..1, got {bad}")
        if not ((self.actions >= -1) & (self.actions <= 1)).all():
            raise SignalError(f"{self.strategy_id}: actions must be -1 SELL, 0 HOLD or 1 BUY")

    @classmethod
    def none(cls, strategy_id: str, timestamps: TimeArray, symbols: Sequence[str]) -> "Signals":
        """Return no signals over these bars."""
        empty = np.empty(0, dtype=np.int64)
        return cls(
            strategy_id,
            timestamps,
            tuple(symbols),
            empty,
            empty,
            empty.astype(np.int8),
            np.empty(0),
        )

    @classmethod
    def from_list(
        cls,
        strategy_id: str,
        signals: Iterable[Signal],
        timestamps: TimeArray,
        symbols: Sequence[str],
    ) -> "Signals":
        """Arrange signals; their stamps must be among `timestamps`, their symbols among `symbols`.

        Raises `SignalError` for an unknown stamp or symbol, and for two signals on one bar and
        symbol.
        """
        columns = {symbol: column for column, symbol in enumerate(symbols)}
        stamps = timestamps.astype("datetime64[s]").astype(np.int64)
        found: list[tuple[int, int, int, float]] = []
        for signal in signals:
            if not isinstance(signal, Signal):
                raise SignalError(
                    f"{strategy_id} answered {type(signal).__name__}, expected Signal"
                )
            column = columns.get(signal.symbol)
            if column is None:
                raise SignalError(f"{strategy_id}: {signal.symbol!r} is not in the universe")
            second = int(signal.timestamp.timestamp())
            row = int(np.searchsorted(stamps, second))
            if row == len(stamps) or stamps[row] != second:
                raise SignalError(
                    f"{strategy_id}: {signal.symbol} is stamped {signal.timestamp.isoformat()}, "
                    "which is not the close of a bar that was given"
                )
            found.append((row, column, CODES[signal.action], float(signal.strength)))
        found.sort(key=lambda one: one[:2])
        columns_of = list(zip(*found, strict=True)) if found else [(), (), (), ()]
        return cls(
            strategy_id,
            timestamps,
            tuple(symbols),
            np.array(columns_of[0], dtype=np.int64),
            np.array(columns_of[1], dtype=np.int64),
            np.array(columns_of[2], dtype=np.int8),
            np.array(columns_of[3], dtype=np.float64),
        )

    def at(self, row: int) -> "Signals":
        """Return the signals of one bar."""
        left, right = np.searchsorted(self.rows, [row, row + 1])
        return self._slice(slice(int(left), int(right)))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Signal]:
        for index in range(len(self)):
            yield self[index]

    def __getitem__(self, index: Any) -> Any:
        """Return one `Signal`, or a slice of these `Signals`."""
        if isinstance(index, slice):
            return self._slice(index)
        stamp: datetime = self.timestamps[self.rows[index]].astype("datetime64[s]").item()
        return Signal(
            stamp.replace(tzinfo=UTC),
            self.symbols[self.columns[index]],
            ACTIONS[int(self.actions[index])],
            float(self.strengths[index]),
            self.strategy_id,
        )

    def _slice(self, which: slice) -> "Signals":
        return Signals(
            self.strategy_id,
            self.timestamps,
            self.symbols,
            self.rows[which],
            self.columns[which],
            self.actions[which],
            self.strengths[which],
        )
