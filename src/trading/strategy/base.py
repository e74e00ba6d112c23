"""What every strategy is: typed parameters, and signals from bars."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from trading.errors import ParameterError, SignalError
from trading.market.market_data import MarketData
from trading.strategy.signals import Action, Signal, Signals

INTERFACE_VERSION = 1


class Parameters(BaseModel):
    """The parameters of a strategy: frozen, bounded, every field described."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BaseStrategy(ABC):
    """A strategy: a frozen set of parameters and a function from bars to signals.

    Write `analyze` alone, and answer the signals of the last bar; or derive from
    `PanelStrategy` and answer those of every bar at once, which is what makes a backtest fast.
    `analyze` sees bars that have closed and decides at the close of the last of them. It keeps no
    memory between calls: what it answers follows from `market_data`, so that a restart changes
    nothing.

    Attributes
    ----------
    name : the registered name
    version : of the strategy's logic; shown with every result
    parameters_type : the class of the parameters
    long_only : whether SELL only ends a long exposure (else it asks for a short one)
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    interface_version: ClassVar[int] = INTERFACE_VERSION
    parameters_type: ClassVar[type[Parameters]] = Parameters
    long_only: ClassVar[bool] = True

    def __init__(self, parameters: Parameters | None = None, *, strategy_id: str = "") -> None:
        self.parameters = self.parameters_type() if parameters is None else parameters
        if not isinstance(self.parameters, self.parameters_type):
            raise ParameterError(
                f"{self.name} takes {self.parameters_type.__name__}, "
                f"got {type(self.parameters).__name__}"
            )
        self.strategy_id = strategy_id or self.name

    @classmethod
    def build(cls, strategy_id: str = "", **parameters: Any) -> Self:
        """Return the strategy with these parameters; `ParameterError` names every mistake."""
        try:
            checked = cls.parameters_type(**parameters)
        except ValidationError as error:
            known = ", ".join(cls.parameters_type.model_fields) or "none"
            lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise ParameterError(
                f"{cls.name}: {'; '.join(lines)} (its parameters: {known})"
            ) from error
        return cls(checked, strategy_id=strategy_id)

    @property
    @abstractmethod
    def lookback(self) -> int:
        """How many bars `analyze` needs to answer as it would with all of history."""

    @abstractmethod
    async def analyze(self, market_data: MarketData) -> Iterable[Signal]:
        """Return the signals of the last bar of `market_data`."""

    def get_parameters(self) -> dict[str, Any]:
        """Return the parameters as plain JSON values."""
        return self.parameters.model_dump(mode="json")

    def validate_signal(self, signal: Signal) -> None:
        """Raise `SignalError` for a signal that this strategy must not give.

        `Signal` has checked itself already; override this to check more, and call it first.
        """
        if signal.strategy_id != self.strategy_id:
            raise SignalError(
                f"{self.strategy_id} gave a signal in the name of {signal.strategy_id}"
            )
        if signal.action is Action.BUY and signal.strength == 0.0:
            raise SignalError(f"{self.strategy_id}: a BUY of {signal.symbol} has no strength")


class PanelStrategy(BaseStrategy):
    """A strategy that answers the signals of every bar at once.

    `analyze` is the last bar of the same answer, so a live decision and a backtest follow the same
    code. `signal_panel` must be causal: the signals of a bar follow from the `lookback` bars that
    end with it, exactly, wherever the data begins. `trading backtest --check-lookahead` proves it.
    """

    @abstractmethod
    def signal_panel(self, market_data: MarketData) -> Signals:
        """Return the signals of every bar of `market_data`."""

    async def analyze(self, market_data: MarketData) -> Signals:
        """Return the signals of the last bar."""
        window = market_data.tail(self.lookback)
        return self.signal_panel(window).at(len(window.timestamps) - 1)


def flat_signals(strategy: BaseStrategy, data: MarketData) -> Signals:
    """Return no signals, in the strategy's name: the answer where there is too little history."""
    return Signals.none(strategy.strategy_id, data.timestamps, data.symbols)


def crossing_signals(
    strategy: BaseStrategy, data: MarketData, exposure: np.ndarray[Any, np.dtype[np.int8]]
) -> Signals:
    """Return a signal wherever the wanted exposure changes from one bar to the next.

    Parameters
    ----------
    exposure : (T, N) int8: 1 long, 0 flat, -1 short, -128 not known. The first known exposure of a
        symbol counts as a change from flat; an unknown one is no change, and what was wanted
        before it is remembered for one bar only
    """
    change = np.zeros(exposure.shape, dtype=bool)
    known = exposure[1:] != -128
    before = exposure[:-1]
    change[1:] = known & (before != -128) & (exposure[1:] != before)
    rows, columns = np.nonzero(change)
    wanted = exposure[rows, columns]
    return Signals(
        strategy.strategy_id,
        data.timestamps,
        data.symbols,
        rows,
        columns,
        np.where(wanted > 0, 1, -1).astype(np.int8),
        np.where(wanted == 0, 0.0, 1.0) if not strategy.long_only else np.ones(len(rows)),
    )
