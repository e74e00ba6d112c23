"""Several strategies side by side, each with its share of the capital and its own troubles."""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from trading.errors import StrategyError
from trading.market.market_data import MarketData
from trading.strategy.base import BaseStrategy
from trading.strategy.runner import Failure, StrategyRunner, Trace
from trading.strategy.signals import Signals
from trading.strategy.worker import StrategyHangs

log = structlog.get_logger()

MAX_FAILURES = 3
KEPT_FAILURES = 100
ROUNDING = 1e-9


@dataclass(frozen=True)
class Allocation:
    """A strategy and the fraction of the capital that it may use."""

    strategy: BaseStrategy
    fraction: float


@dataclass(frozen=True)
class Status:
    """How a strategy is doing.

    Attributes
    ----------
    suspended : it is not asked until `resume`
    on_end : failures since it last answered well
    failures : failures in all
    last : the latest failure
    """

    strategy_id: str
    fraction: float
    suspended: bool
    on_end: int
    failures: int
    last: Failure | None


@dataclass
class _State:
    allocation: Allocation
    suspended: bool = False
    on_end: int = 0
    count: int = 0
    kept: deque[Failure] = field(default_factory=lambda: deque(maxlen=KEPT_FAILURES))
    wishes: dict[str, float] = field(default_factory=dict)


class StrategyManager:
    """Runs strategies side by side; what one does never reaches another.

    A strategy that fails gives no signals, so what it wished before holds on. After `max_failures`
    failures on end, or once it hangs, it is suspended until `resume`.

    Parameters
    ----------
    runner : asks the strategies; one of its own by default
    max_failures : on end, before a strategy is suspended
    alert : called with each failure and whether it suspended the strategy; an error that it raises
        is logged and stops nothing
    """

    def __init__(
        self,
        *,
        runner: StrategyRunner | None = None,
        max_failures: int = MAX_FAILURES,
        alert: Callable[[Failure, bool], None] | None = None,
    ) -> None:
        if max_failures < 1:
            raise StrategyError(f"max_failures must be at least 1, got {max_failures}")
        self.runner = runner or StrategyRunner()
        self.max_failures = max_failures
        self._alert = alert
        self._states: dict[str, _State] = {}

    def add(self, strategy: BaseStrategy, fraction: float) -> None:
        """Give a strategy a share of the capital.

        Raises
        ------
        StrategyError
            The fraction is not within 0..1 (0 excluded), the fractions would sum to more than 1, or
            the strategy_id is taken.
        """
        identity = strategy.strategy_id
        if identity in self._states:
            raise StrategyError(
                f"two strategies have the strategy_id {identity}; give one another strategy_id"
            )
        if not (math.isfinite(fraction) and 0.0 < fraction <= 1.0):
            raise StrategyError(
                f"{identity}: a share of the capital lies above 0 and up to 1, got {fraction}"
            )
        used = math.fsum(state.allocation.fraction for state in self._states.values())
        if used + fraction > 1.0 + ROUNDING:
            raise StrategyError(
                f"{identity}: {fraction:g} of the capital was asked for, but only "
                f"{max(1.0 - used, 0.0):g} is left; lower the fractions to sum to at most 1"
            )
        self._states[identity] = _State(Allocation(strategy, float(fraction)))

    def remove(self, strategy_id: str) -> None:
        """Take a strategy out; its share of the capital is free again."""
        self._state(strategy_id)
        del self._states[strategy_id]

    def suspend(self, strategy_id: str) -> None:
        """Do not ask a strategy until `resume`."""
        self._state(strategy_id).suspended = True

    def resume(self, strategy_id: str) -> None:
        """Ask a suspended strategy again, with a clean slate."""
        state = self._state(strategy_id)
        state.suspended, state.on_end = False, 0

    @property
    def allocations(self) -> tuple[Allocation, ...]:
        """The strategies in the order in which they were added."""
        return tuple(state.allocation for state in self._states.values())

    def status(self, strategy_id: str) -> Status:
        """Return how a strategy is doing."""
        state = self._state(strategy_id)
        last = state.kept[-1] if state.kept else None
        fraction = state.allocation.fraction
        return Status(strategy_id, fraction, state.suspended, state.on_end, state.count, last)

    def failures(self, strategy_id: str) -> tuple[Failure, ...]:
        """Return the latest failures of a strategy, at most 100, the oldest first."""
        return tuple(self._state(strategy_id).kept)

    def wishes(self, strategy_id: str) -> dict[str, float]:
        """Return the exposure that a strategy last asked for, by symbol; flat ones left out."""
        return dict(self._state(strategy_id).wishes)

    async def analyze(self, data: MarketData) -> dict[str, Signals]:
        """Ask every strategy for its signals of the last bar, all at the same time.

        Returns
        -------
        dict
            Signals by strategy_id; none from one that failed or is suspended.
        """
        answers = await asyncio.gather(*(self._ask(one, data) for one in self._states.values()))
        return dict(zip(self._states, answers, strict=True))

    async def trace(self, data: MarketData) -> dict[str, Trace]:
        """Ask every strategy for its signals of every bar; see `StrategyRunner.trace`.

        Failures are recorded as those of `analyze` are; a suspended strategy has no signals.
        """
        traces = await asyncio.gather(*(self._trace(one, data) for one in self._states.values()))
        return dict(zip(self._states, traces, strict=True))

    async def _ask(self, state: _State, data: MarketData) -> Signals:
        strategy = state.allocation.strategy
        none = Signals.none(strategy.strategy_id, data.timestamps, data.symbols)
        if state.suspended:
            return none
        try:
            signals = await self.runner.analyze(strategy, data)
        except StrategyError as error:
            stamp = data.now if len(data.timestamps) else None
            failure = Failure(strategy.strategy_id, stamp, error)
            self._record(state, failure, suspend=isinstance(error, StrategyHangs))
            return none
        state.on_end = 0
        self._remember(state, signals)
        return signals

    async def _trace(self, state: _State, data: MarketData) -> Trace:
        strategy = state.allocation.strategy
        if state.suspended:
            none = Signals.none(strategy.strategy_id, data.timestamps, data.symbols)
            return Trace(none, suspended=True)
        trace = await self.runner.trace(strategy, data, max_failures=self.max_failures)
        for failure in trace.failures:
            last = failure is trace.failures[-1]
            self._record(state, failure, suspend=last and trace.suspended)
        if not trace.suspended:
            state.on_end = 0
        self._remember(state, trace.signals)
        return trace

    def _record(self, state: _State, failure: Failure, *, suspend: bool) -> None:
        state.on_end += 1
        state.count += 1
        state.kept.append(failure)
        if suspend or state.on_end >= self.max_failures:
            state.suspended = True
        log.warning(
            "strategy_failed",
            strategy_id=failure.strategy_id,
            failure=failure.sentence(),
            suspended=state.suspended,
        )
        if self._alert is None:
            return
        try:
            self._alert(failure, state.suspended)
        except Exception:
            log.exception("alert_failed", strategy_id=failure.strategy_id)

    def _remember(self, state: _State, signals: Signals) -> None:
        long_only = state.allocation.strategy.long_only
        for column, action, strength in zip(
            signals.columns.tolist(),
            signals.actions.tolist(),
            signals.strengths.tolist(),
            strict=True,
        ):
            if action == 0:
                continue
            exposure = strength if action > 0 else 0.0 if long_only else -strength
            if exposure:
                state.wishes[signals.symbols[column]] = exposure
            else:
                state.wishes.pop(signals.symbols[column], None)

    def _state(self, strategy_id: str) -> _State:
        try:
            return self._states[strategy_id]
        except KeyError:
            known = ", ".join(self._states) or "none"
            raise StrategyError(
                f"no strategy {strategy_id!r} is run here; there are {known}"
            ) from None
