"""What is run: a strategy, when its orders fill, what they cost; and what an engine answers."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from benchmarks.market import Market

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SHORT, LONG = 20, 100
YEAR, MONTH = 252, 21


@dataclass(frozen=True, slots=True)
class Case:
    """One backtest, the same for every engine.

    Attributes
    ----------
    strategy : trend (SMA 20/100 crossings, a weight of `gross / N` each), momentum (monthly 12-1,
        top decile, a weight of `gross / K` each), plain (trend, per symbol, lists of signals)
    fill : when market orders fill
    base : what weights are fractions of: the equity at the decision, or the initial cash
    fractional : shares to a millionth, or whole shares
    gross : sum of the weights, were every name wanted; below 1 it leaves cash for costs
    initial_cash : USD; commission_bps, slippage_bps : of the traded value, each way
    """

    strategy: Literal["trend", "momentum", "plain"] = "trend"
    fill: Literal["same_close", "next_open", "next_close"] = "same_close"
    base: Literal["equity", "initial"] = "equity"
    fractional: bool = True
    gross: float = 0.6
    initial_cash: float = 10_000_000.0
    commission_bps: float = 5.0
    slippage_bps: float = 5.0

    def to_dict(self) -> dict[str, Any]:
        """Return the case as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What an engine answers.

    Attributes
    ----------
    equity : (T,) USD at the close of each row
    fills : number of executions
    before_trading : whether `equity` is marked before the orders of the row fill at its close
    refused : orders that were cut or refused for lack of cash, or for risk
    load_seconds : CPU-seconds of reading data that the timed call could not avoid, taken off
    finish : untimed: costs by row `(T,)` USD, orders refused, notes
    """

    equity: FloatArray
    fills: int
    before_trading: bool = False
    refused: int = 0
    load_seconds: float = 0.0
    finish: Callable[[], tuple[FloatArray, int, dict[str, float]]] | None = None
    notes: dict[str, float] = field(default_factory=dict)


Run = Callable[[], Outcome]
Prepare = Callable[[Market, Case], Run]


def momentum_choice(
    close: FloatArray, sessions: npt.NDArray[np.datetime64]
) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Return the decision rows `(D,)` and who is held `(D, N)`: the top decile by 12-1 momentum.

    Decided on the last session of each month, on the close of 21 sessions ago over that of 252
    sessions ago; ties go to the lower column.
    """
    months = sessions.astype("datetime64[M]")
    last = np.flatnonzero(months[1:] != months[:-1])
    rows = last[last >= YEAR]
    momentum = close[rows - MONTH] / close[rows - YEAR]
    ranks = np.argsort(np.argsort(-momentum, axis=1, kind="stable"), axis=1, kind="stable")
    return rows, ranks < max(close.shape[1] // 10, 1)
