"""What every strategy is: typed parameters, and signals from bars."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from trading.errors import ParameterError, SignalError
from trading.market.market_data import MarketData
from trading.strategy.signals import Action, Signal, Signals

INTERFACE_VERSION = 1


class Parameters(BaseModel):
    """The parameters of a strategy: frozen, bounded, every field described.

    A field of type int or float takes numbers only, numpy's too: neither text nor True.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        plain = value.item() if isinstance(value, np.generic) else value
        field = cls.model_fields[info.field_name or ""]
        if field.annotation in (int, float) and (
            isinstance(plain, bool) or not isinstance(plain, int | float)
        ):
            raise ValueError(f"expected a number, got {plain!r}")
        return plain


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
        if not isinstance(strategy_id, str):
            raise ParameterError(f"{self.name}: a strategy_id is text, got {strategy_id!r}")
        self.strategy_id = strategy_id or self.name

    @classmethod
    def build(cls, strategy_id: str = "", **parameters: Any) -> Self:
        """Return the strategy with these parameters; `ParameterError` names every mistake."""
        try:
            checked = cls.parameters_type(**parameters)
        except ValidationError as error:
            known = ", ".join(cls.parameters_type.model_fields) or "none"
            raise ParameterError(
                f"{cls.name}: {'; '.join(map(_mistake, error.errors()))} (its parameters: {known})"
            ) from error
        return cls(checked, strategy_id=strategy_id)

    @property
    @abstractmethod
    def lookback(self) -> int:
        """How many bars `analyze` needs to answer as it would with all of history.

        It is given so many and no more, in a backtest as in a session. A strategy that is no
        `PanelStrategy` is not asked before there are so many.
        """

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
    code. `signal_panel` must keep the *window rule*: the signals of a bar follow from the
    `lookback` bars that end with it, exactly, wherever the data begins. `trading backtest
    --check-lookahead` proves it; `trading.market.rolling` has windows that keep it.
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


def _mistake(error: Any) -> str:
    where = ".".join(map(str, error["loc"]))
    what = error["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
