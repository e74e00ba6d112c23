"""What a session must remember from one bar to the next, as plain JSON."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.errors import StoreError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SleeveState:
    """What one strategy wants, by symbol; symbols at 0 are left out.

    Attributes
    ----------
    exposures : -1..1, as its signals asked
    weights : target weights, as its sizer made them
    failures : bars on end on which it failed
    suspended : whether it is no longer asked
    """

    exposures: dict[str, float] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    failures: int = 0
    suspended: bool = False


@dataclass(frozen=True)
class SessionState:
    """Where a session stands after a decision.

    Attributes
    ----------
    decided_at : the bar of the decision, aware, UTC; None before the first
    session : the exchange's date of that bar
    decisions : how many were made
    next_number : of the next order that is accepted or rejected
    trades_today : orders accepted in the session
    halted : whether the limits let nothing increase a position
    peak : highest equity since the start or the last reset, micro-dollars; None before the first
    killed, flatten : the kill switch: no strategy is followed; every position is closed
    reset_due : whether the next decision closes the drawdown breaker first
    breaker_due : a change of the circuit breaker's file that may not have been written: empty,
        `reset`, or the reason of a halt
    last : last known close, USD, by symbol
    dead : delisted symbols
    sleeves : by strategy id
    """

    decided_at: datetime | None = None
    session: date | None = None
    decisions: int = 0
    next_number: int = 0
    trades_today: int = 0
    halted: bool = False
    peak: int | None = None
    killed: bool = False
    flatten: bool = False
    reset_due: bool = False
    breaker_due: str = ""
    last: dict[str, float] = field(default_factory=dict)
    dead: frozenset[str] = frozenset()
    sleeves: dict[str, SleeveState] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            **self.__dict__,
            "decided_at": None if self.decided_at is None else self.decided_at.isoformat(),
            "session": None if self.session is None else self.session.isoformat(),
            "dead": sorted(self.dead),
            "sleeves": {name: sleeve.__dict__ for name, sleeve in self.sleeves.items()},
        }

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "SessionState":
        """Return the state that `to_json` wrote; raises `StoreError` where it is not one."""
        try:
            stamp, day = plain["decided_at"], plain["session"]
            return cls(
                **plain
                | {
                    "decided_at": None if stamp is None else datetime.fromisoformat(stamp),
                    "session": None if day is None else date.fromisoformat(day),
                    "dead": frozenset(plain["dead"]),
                    "sleeves": {
                        name: SleeveState(**sleeve) for name, sleeve in plain["sleeves"].items()
                    },
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"what is stored is not the state of a session of this version ({error!r}); go on "
                "with the version that wrote it, or start anew in another home"
            ) from error

    def with_sleeve(self, strategy_id: str, sleeve: SleeveState) -> "SessionState":
        """Return the state with another state of one strategy."""
        return replace(self, sleeves=self.sleeves | {strategy_id: sleeve})


def spread(values: dict[str, float], columns: dict[str, int], empty: float = 0.0) -> FloatArray:
    """Return values by symbol as an array `(N,)`; symbols without a column are left out."""
    array = np.full(len(columns), empty)
    for symbol, value in values.items():
        if symbol in columns:
            array[columns[symbol]] = value
    return array


def gather(
    array: FloatArray, symbols: tuple[str, ...], keep: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """Return the values `(N,)` of the symbols to `keep` by name."""
    return {symbols[column]: float(array[column]) for column in np.flatnonzero(keep).tolist()}
