"""What every position sizer is: signals in, target weights out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from trading.errors import ParameterError, RiskError
from trading.market.market_data import MarketData
from trading.risk.correlation import LEAST_DEVIATION, filled_returns
from trading.strategy.base import Parameters
from trading.strategy.signals import Signals

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Targets:
    """Target weights as columns: at the close of `rows` the symbol should weigh `weights`.

    A symbol keeps its last target until the next one.

    Attributes
    ----------
    rows, columns : (E,) int64, bar and symbol, sorted by row, then column; a (row, column) once
    weights : (E,) float64, fractions of the sizing base; negative is short

    Raises
    ------
    RiskError
        Lengths differ, a weight is not finite, or the targets are unsorted or doubled.
    """

    rows: IntArray
    columns: IntArray
    weights: FloatArray

    def __post_init__(self) -> None:
        if not len(self.rows) == len(self.columns) == len(self.weights):
            raise RiskError("the columns of the targets differ in length")
        if not np.isfinite(self.weights).all():
            raise RiskError("a target weight is not a finite number; check the sizer")
        later = np.diff(self.rows)
        if ((later < 0) | ((later == 0) & (np.diff(self.columns) <= 0))).any():
            raise RiskError("targets must be sorted by row and column, and given once")

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def none(cls) -> "Targets":
        """Return no targets."""
        empty = np.empty(0, dtype=np.int64)
        return cls(empty, empty, np.empty(0))

    def at(self, row: int) -> "Targets":
        """Return the targets of one bar."""
        left, right = np.searchsorted(self.rows, [row, row + 1])
        which = slice(int(left), int(right))
        return Targets(self.rows[which], self.columns[which], self.weights[which])


def wanted_exposures(signals: Signals, *, long_only: bool) -> tuple[IntArray, IntArray, FloatArray]:
    """Return rows, columns and exposures (E,), -1..1, that signals ask for; HOLD asks for none.

    BUY asks for its strength, SELL for 0 if `long_only` and else for minus its strength.
    """
    asked = signals.actions != 0
    strengths = signals.strengths[asked]
    sells = 0.0 if long_only else -strengths
    exposures = np.where(signals.actions[asked] > 0, strengths, sells)
    return signals.rows[asked], signals.columns[asked], exposures


class PositionSizer(ABC):
    """A position sizer: frozen parameters, and a causal function from signals to target weights.

    The targets of a bar follow from the signals up to it and from the `lookback` bars that end with
    it, wherever the data begins: a live decision and a backtest get the same.

    Attributes
    ----------
    name : the registered name
    parameters_type : the class of the parameters
    """

    name: ClassVar[str]
    parameters_type: ClassVar[type[Parameters]] = Parameters

    def __init__(self, parameters: Parameters | None = None) -> None:
        self.parameters = self.parameters_type() if parameters is None else parameters
        if not isinstance(self.parameters, self.parameters_type):
            raise ParameterError(
                f"{self.name} takes {self.parameters_type.__name__}, "
                f"got {type(self.parameters).__name__}"
            )

    @classmethod
    def build(cls, **parameters: Any) -> Self:
        """Return the sizer with these parameters; `ParameterError` names every mistake."""
        try:
            checked = cls.parameters_type(**parameters)
        except ValidationError as error:
            known = ", ".join(cls.parameters_type.model_fields) or "none"
            lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise ParameterError(
                f"{cls.name}: {'; '.join(lines)} (its parameters: {known})"
            ) from error
        return cls(checked)

    @property
    @abstractmethod
    def lookback(self) -> int:
        """How many bars, the bar of the decision included, a target follows from; at least 1."""

    def targets(
        self,
        signals: Signals,
        data: MarketData,
        *,
        long_only: bool,
        held: FloatArray | None = None,
    ) -> Targets:
        """Return the target weights that the signals ask for.

        Parameters
        ----------
        signals : over the same bars and symbols as `data`
        data : T bars of N symbols
        long_only : SELL ends a long exposure; else it asks for a short one of its strength
        held : (N,) exposure wanted before the first row, -1..1, 0 none; None: all 0

        Raises
        ------
        RiskError
            The signals are over other bars or symbols than the data, or `held` is malformed.
        """
        bars, names = data.shape
        if signals.symbols != data.symbols or not np.array_equal(
            signals.timestamps, data.timestamps
        ):
            raise RiskError(
                f"the signals of {signals.strategy_id} are over {len(signals.timestamps)} bars of "
                f"{len(signals.symbols)} symbols, the data over {bars} bars of {names} symbols, or "
                "other ones; size signals with the data that they were made from"
            )
        before = np.zeros(names) if held is None else np.asarray(held, dtype=np.float64)
        if before.shape != (names,) or not (np.abs(before) <= 1.0).all():
            raise RiskError(f"held must be {names} exposures within -1..1, got {before}")
        rows, columns, exposures = wanted_exposures(signals, long_only=long_only)
        if not len(rows):
            return Targets.none()
        return self._targets(data, rows, columns, exposures, before)

    @abstractmethod
    def _targets(
        self,
        data: MarketData,
        rows: IntArray,
        columns: IntArray,
        exposures: FloatArray,
        held: FloatArray,
    ) -> Targets:
        """Return the targets for (E,) wanted exposures, E > 0, sorted by row and column."""


class NameSizer(PositionSizer):
    """A sizer that looks at one name at a time; HOLD leaves the name's weight as it was."""

    def _targets(
        self,
        data: MarketData,
        rows: IntArray,
        columns: IntArray,
        exposures: FloatArray,
        held: FloatArray,  # noqa: ARG002 - one name's size does not depend on the others
    ) -> Targets:
        return Targets(rows, columns, self.weights(data, rows, columns, exposures))

    @abstractmethod
    def weights(
        self, data: MarketData, rows: IntArray, columns: IntArray, exposures: FloatArray
    ) -> FloatArray:
        """Return the weights (E,) of the wanted `exposures` (E,), -1..1."""


class PortfolioSizer(PositionSizer):
    """A sizer that weighs all wanted names together, anew at every bar with a signal.

    At such a bar every name whose wanted exposure is not 0 gets a target, and so does every name
    that is no longer wanted. A name with fewer than half of the window's returns known, or whose
    returns do not vary, has no known risk: its target is 0.
    """

    @abstractmethod
    def weigh(self, returns: FloatArray, exposures: FloatArray) -> FloatArray:
        """Return the weights (M,) of M >= 1 names, signed like `exposures`.

        Parameters
        ----------
        returns : (window, M) simple returns; a missing one is the mean of its name
        exposures : (M,) wanted, -1..1, none 0
        """

    def _targets(
        self,
        data: MarketData,
        rows: IntArray,
        columns: IntArray,
        exposures: FloatArray,
        held: FloatArray,
    ) -> Targets:
        wanted = held.copy()
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        found: list[tuple[IntArray, IntArray, FloatArray]] = []
        for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
            row, changed = int(rows[start]), columns[start:end]
            wanted[changed] = exposures[start:end]
            members = np.flatnonzero(wanted)
            weights = np.zeros(len(wanted))
            weights[members] = self._weigh_known(data, row, members, wanted[members])
            touched = np.union1d(members, changed)
            found.append((np.full(len(touched), row), touched, weights[touched]))
        merged = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        return Targets(*merged)

    def _weigh_known(
        self, data: MarketData, row: int, members: IntArray, exposures: FloatArray
    ) -> FloatArray:
        weights = np.zeros(len(members))
        first = row - self.lookback + 1
        if first < 0 or not len(members):
            return weights
        returns, known = known_returns(data.adjusted_close[first : row + 1, members])
        if known.any():
            try:
                weights[known] = self.weigh(returns[:, known], exposures[known])
            except RiskError as error:
                raise RiskError(f"{self.name} at {data.timestamps[row]}: {error}") from error
        return weights


def known_returns(prices: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the simple returns `(W, M)` of prices `(W + 1, M)` and which names are known `(M,)`.

    A return is missing where one of its two prices is missing, infinite or not positive; it counts
    as the mean of the name's known ones. A name is known with at least half of its returns, and
    more than one, if they vary.
    """
    usable = np.where((prices > 0.0) & np.isfinite(prices), prices, np.nan)
    returns, known = filled_returns(usable[1:] / usable[:-1] - 1.0)
    return returns, known & (returns.std(axis=0) > LEAST_DEVIATION)
