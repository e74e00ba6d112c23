"""The drawdown of an account as it goes: from which peak it fell, how far, and for how long."""

from dataclasses import asdict, dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Self

from trading.errors import RiskError


@dataclass(frozen=True, slots=True)
class DrawdownState:
    """Where an account stands against its peak; plain values, so that it can be stored as JSON.

    Attributes
    ----------
    equity, peak : USD, now and the highest since the start or the last reset
    drawdown : 1 - equity / peak, 0 at the peak; above 1 if more than everything is lost
    deepest : the largest drawdown since the start or the last reset
    marks : how often equity was marked since the start or the last reset
    marks_below : marks since the peak
    since : when the peak was marked
    """

    equity: float
    peak: float
    drawdown: float
    deepest: float
    marks: int
    marks_below: int
    since: datetime

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"since": self.since.isoformat()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "DrawdownState":
        """Return the state that `to_json` wrote; `RiskError` if it is not one."""
        try:
            return cls(**(stored | {"since": datetime.fromisoformat(stored["since"])}))
        except (KeyError, TypeError, ValueError) as error:
            raise RiskError(f"what is stored is not the state of a drawdown: {error!r}") from error


class DrawdownMonitor:
    """Follow an account's equity and tell when it has fallen by `limit` from its peak.

    The rule is that of the simulation (docs/backtesting.md): the breach is a drawdown of `limit` or
    more; after `reset` the peak is the next equity marked.

    Parameters
    ----------
    limit : 0..1, or None to watch only
    state : what an earlier monitor had reached, to go on after a restart
    """

    def __init__(self, limit: float | None = None, state: DrawdownState | None = None) -> None:
        if limit is not None and not 0.0 < limit <= 1.0:
            raise RiskError(f"the drawdown limit must lie above 0 and at most at 1, got {limit}")
        self.limit = limit
        self._state = state

    @property
    def state(self) -> DrawdownState | None:
        """The state at the last mark; None before the first since the start or the last reset."""
        return self._state

    @property
    def breached(self) -> bool:
        """Whether the drawdown has reached the limit at the last mark."""
        return (
            self.limit is not None
            and self._state is not None
            and self._state.drawdown >= self.limit
        )

    def mark(self, equity: float, when: datetime) -> DrawdownState:
        """Take the account's equity at `when` (aware) and return where it stands.

        Raises
        ------
        RiskError
            Equity is not finite, the first is not positive, or the stamp has no zone or lies before
            the peak's.
        """
        if not isfinite(equity):
            raise RiskError(f"equity must be a finite number, got {equity}; mark the positions")
        if when.tzinfo is None:
            raise RiskError(f"the stamp {when} has no time zone; give UTC")
        last = self._state
        if last is None:
            if equity <= 0.0:
                raise RiskError(f"a drawdown needs a first equity above 0, got {equity}")
            self._state = DrawdownState(equity, equity, 0.0, 0.0, 1, 0, when)
            return self._state
        if when < last.since:
            raise RiskError(f"equity of {when} comes after that of {last.since}; keep the order")
        if equity >= last.peak:
            made = DrawdownState(equity, equity, 0.0, last.deepest, last.marks + 1, 0, when)
        else:
            fall = 1.0 - equity / last.peak
            deepest = max(last.deepest, fall)
            marks, below = last.marks + 1, last.marks_below + 1
            made = DrawdownState(equity, last.peak, fall, deepest, marks, below, last.since)
        self._state = made
        return made

    def reset(self) -> Self:
        """Forget the peak: the next mark is the new one."""
        self._state = None
        return self
