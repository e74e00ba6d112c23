"""The success rate: how many past signals came true over the month that followed.

A signal is judged from the close at which its order filled (the session after its decision) to the
close of the first session of the next month, where the next month's orders fill. A BUY succeeds
when its net return is positive, after commission and half spread of entering; a HOLD trades nothing
and succeeds when its return is positive; a SELL succeeds when the return is so negative that it was
worth the commission and half spread of leaving. Against equal weight, the same returns are compared
with the mean return of all names that traded at the decision.

Signals of one month share their market, so the interval, which takes them for independent, is
narrower than what is really known.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import numpy as np
import numpy.typing as npt

from trading.backtest.holding import growth_paths
from trading.backtest.metrics import wilson_interval
from trading.backtest.simulator import FILL_DELAY
from trading.execution.slippage import CostModel
from trading.features.returns import LONGEST_GAP, FinalReturns, bridged_returns
from trading.market.bars import CorporateAction
from trading.market.panel import Panel
from trading.signals.model import SuccessRate
from trading.strategy.signals import Action

FloatArray = npt.NDArray[np.float64]

MONTHS = 12
EVERY = "all signals"
AGAINST = "against equal weight"


@dataclass(frozen=True, slots=True)
class PastSignal:
    """A signal as it was given: for which month, and the last session it saw."""

    month: str
    symbol: str
    action: Action
    decision: date


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """Judged signals of one month: `(n,)` actions, returns net of costs, whether they are known."""

    actions: npt.NDArray[np.str_]
    net: FloatArray
    equal_weight: float


def success_rates(
    signals: Iterable[PastSignal],
    panel: Panel,
    costs: CostModel,
    *,
    months: int = MONTHS,
    actions: Sequence[CorporateAction] = (),
) -> tuple[SuccessRate, ...]:
    """Return the success of all signals and of each action, by itself and against equal weight.

    Parameters
    ----------
    signals : past signals, of any months
    panel : bars up to now; only months whose last fill lies in it count
    costs : commission and half spread; impact is left out, since a signal has no size
    months : the latest so many completed months are counted
    actions : corporate actions up to now; they tell what delistings paid

    A name without a return in its month is `missing`; one that left the market in it without a
    known final return counts at its last price. A month that is not over is left out.
    """
    ordered = sorted(signals, key=lambda signal: (signal.month, signal.decision, signal.symbol))
    over = [signal for signal in ordered if _exit_row(panel, signal.month) is not None]
    counted = sorted({signal.month for signal in over})[-months:]
    finals = FinalReturns.of(panel, actions)
    judged = [
        _judge(list(group), month, decision, panel, costs, finals)
        for (month, decision), group in groupby(over, lambda s: (s.month, s.decision))
        if month in counted
    ]
    kinds = {EVERY: tuple(Action), **{str(action): (action,) for action in Action}}
    alone = [
        _rate(label, actions, judged, len(counted), relative=False)
        for label, actions in kinds.items()
    ]
    against = [
        _rate(f"{label}, {AGAINST}", actions, judged, len(counted), relative=True)
        for label, actions in kinds.items()
    ]
    return (*alone, *against)


def _judge(
    signals: list[PastSignal],
    month: str,
    decision: date,
    panel: Panel,
    costs: CostModel,
    finals: FinalReturns,
) -> _Outcomes:
    """Return what became of one month's signals."""
    row = int(np.searchsorted(panel.sessions, np.datetime64(decision, "D")))
    leave = _exit_row(panel, month)
    gross = np.full(len(panel.symbols), np.nan)
    if leave is not None and panel.sessions[row : row + 1] == np.datetime64(decision, "D"):
        gross = _holding_returns(panel, row + FILL_DELAY, leave, finals)
        traded = np.isfinite(panel.adjusted_close[row])
    else:
        traded = np.zeros(len(panel.symbols), dtype=bool)
    column = {symbol: i for i, symbol in enumerate(panel.symbols) if symbol}
    at = np.array([column.get(signal.symbol, -1) for signal in signals], dtype=np.int64)
    found = np.where(at >= 0, gross[at], np.nan)
    actions = np.array([str(signal.action) for signal in signals], dtype=np.str_)
    net = found.copy()
    net[actions == Action.BUY] -= costs.linear_rate * (1.0 + found[actions == Action.BUY])
    net[actions == Action.SELL] += costs.linear_rate
    market = gross[traded & np.isfinite(gross)]
    return _Outcomes(actions, net, float(market.mean()) if len(market) else float("nan"))


def _holding_returns(panel: Panel, fill: int, leave: int, finals: FinalReturns) -> FloatArray:
    """Return each name's return `(N,)` from the close of row `fill` to `leave`; NaN without any."""
    start = max(0, fill - LONGEST_GAP)
    bridged = bridged_returns(panel.adjusted_close[start : leave + 1])
    returns = finals.placed(bridged, start)[fill + 1 - start :]
    if not len(returns):
        return np.full(len(panel.symbols), np.nan)
    known = np.isfinite(returns).any(axis=0)
    return np.where(known, growth_paths(returns)[-1] - 1.0, np.nan)


def _exit_row(panel: Panel, month: str) -> int | None:
    """Return the row of the first session after a month; None while it has not come."""
    following = (np.datetime64(month, "M") + 1).astype("datetime64[D]")
    row = int(np.searchsorted(panel.sessions, following))
    return row if row < len(panel.sessions) else None


def _rate(
    label: str, actions: tuple[Action, ...], judged: list[_Outcomes], months: int, *, relative: bool
) -> SuccessRate:
    successes = signals = missing = 0
    for month in judged:
        of_kind = np.isin(month.actions, [str(action) for action in actions])
        lead = month.net - (month.equal_weight if relative else 0.0)
        known = of_kind & np.isfinite(lead)
        wish = np.where(month.actions == Action.SELL, -1.0, 1.0)
        successes += int((known & (wish * lead > 0.0)).sum())
        signals += int(known.sum())
        missing += int((of_kind & ~known).sum())
    low, high = wilson_interval(successes, signals)
    return SuccessRate(
        label=label,
        months=months,
        signals=signals,
        successes=successes,
        rate=successes / signals if signals else None,
        low=low,
        high=high,
        missing=missing,
    )
