"""The records of a month: signals, and what the model portfolio did.

Numbers are fractions (0.031 is 3.1 %), prices and money USD. What is not known is None, never 0.
"""

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trading.strategy.signals import Action, Signal

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
Symbol = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[!-~]+$")]
Sentence = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^\P{Cc}+$")]
Level = Annotated[float, Field(gt=0.0)]


class Record(BaseModel):
    """An immutable record: unknown names and non-finite numbers are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MonthlySignal(Record):
    """The month's word on one symbol: it enters the model portfolio, stays in it or leaves it.

    Attributes
    ----------
    month : `YYYY-MM`
    symbol, slot : the name and its slot of the 3,600
    action : BUY enters (it was not held), HOLD stays, SELL leaves (its weight becomes 0)
    rank : 1 is the best of the ranked names; None for a name that could not be ranked any more
    score : the ensemble's score, None likewise
    confidence : 0..1, None likewise
    weight, previous_weight : share of the net asset value after and before the month's orders
    price : last close in USD, None where there is no bar
    reason : one sentence, without line breaks
    """

    month: Month
    symbol: Symbol
    slot: int = Field(ge=0)
    action: Action
    rank: int | None = Field(ge=1)
    score: float | None
    confidence: Fraction | None
    weight: Fraction
    previous_weight: Fraction
    price: float | None = Field(gt=0.0)
    reason: Sentence

    @model_validator(mode="after")
    def _action_agrees_with_weights(self) -> Self:
        if self.action is Action.SELL and self.weight > 0:
            raise ValueError(f"{self.symbol} is a SELL but keeps a weight of {self.weight}")
        if self.action is not Action.SELL and self.weight == 0:
            raise ValueError(f"{self.symbol} is a {self.action} without a weight")
        if self.action is Action.BUY and self.previous_weight > 0:
            raise ValueError(f"{self.symbol} is a BUY but was held at {self.previous_weight}")
        return self

    @property
    def change(self) -> float:
        """Weight after less weight before."""
        return self.weight - self.previous_weight

    def to_signal(self, timestamp: datetime, strategy_id: str) -> Signal:
        """Return the same as a strategy's `Signal`; strength is the confidence, 0 without one."""
        kept = self.model_dump(
            include={"month", "slot", "rank", "score", "weight", "previous_weight"}
        )
        return Signal(
            timestamp=timestamp,
            symbol=self.symbol,
            action=self.action,
            strength=self.confidence or 0.0,
            strategy_id=strategy_id,
            metadata=kept,
        )


class SuccessRate(Record):
    """How many past signals came true, and how sure that is.

    Attributes
    ----------
    label : which signals, and against what
    months : completed months that were counted
    signals : signals with an outcome; `successes` of them came true
    rate, low, high : share that came true and its 95 % interval; None without signals
    missing : signals whose outcome is not known (no price), counted in nothing else
    """

    label: str = Field(min_length=1)
    months: int = Field(ge=0)
    signals: int = Field(ge=0)
    successes: int = Field(ge=0)
    rate: Fraction | None = None
    low: Fraction | None = None
    high: Fraction | None = None
    missing: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.successes > self.signals:
            raise ValueError(f"{self.successes} successes of {self.signals} signals")
        figures = (self.rate, self.low, self.high)
        if self.signals == 0 and any(figure is not None for figure in figures):
            raise ValueError("a rate without signals; leave rate, low and high None")
        return self


class MonthPerformance(Record):
    """What the model portfolio did in the month that ended, and where it stands.

    Attributes
    ----------
    month : the month whose signals follow, `YYYY-MM`
    session : the last session seen; levels are of its close
    model_version : the model that gives the month's signals
    nav, benchmark, equal_weight : levels, 1.0 at inception; None where there is no data
    net_return, benchmark_return, equal_weight_return : simple returns since the month before,
        the portfolio's net of costs; None in the first month and where there is no data
    turnover, costs : of the month's orders, fractions of the net asset value
    names : holdings after the month's orders
    """

    month: Month
    session: date
    model_version: str = Field(min_length=1)
    nav: Level
    benchmark: Level | None = None
    equal_weight: Level | None = None
    net_return: float | None = None
    benchmark_return: float | None = None
    equal_weight_return: float | None = None
    turnover: float | None = Field(None, ge=0.0)
    costs: float | None = Field(None, ge=0.0)
    names: int = Field(ge=0)
