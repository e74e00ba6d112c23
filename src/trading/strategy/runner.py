"""Ask a strategy for its signals so that nothing it does can harm who asks."""

import inspect
import traceback
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np

from trading.errors import ParameterError, SignalError, StrategyError, StrategyFailure
from trading.market.market_data import MarketData
from trading.strategy import answers
from trading.strategy.base import BaseStrategy, PanelStrategy
from trading.strategy.signals import Signals
from trading.strategy.worker import Interrupted, Worker

R = TypeVar("R")

TIMEOUT_SECONDS = 30.0
PANEL_TIMEOUT_SECONDS = 600.0
# What numpy says where an array that must stay read only is to be made writeable.
WRITEABLE = "cannot set WRITEABLE flag"


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with a strategy, and on which bar.

    Attributes
    ----------
    timestamp : the bar's close, UTC; None where the whole history was asked for at once
    error : `StrategyFailure` or `SignalError`
    """

    strategy_id: str
    timestamp: datetime | None
    error: StrategyError

    @property
    def kind(self) -> str:
        """The name of the error's class."""
        return type(self.error).__name__

    def sentence(self) -> str:
        """Return the failure in one sentence."""
        when = f" on the bar of {self.timestamp.isoformat()}" if self.timestamp else ""
        return f"{self.kind}{when}: {self.error}"


@dataclass(frozen=True)
class Trace:
    """The signals of a strategy over a history, with what failed on the way.

    Attributes
    ----------
    signals : all that it gave; none on a bar on which it failed
    failures : in the order of the bars
    suspended : whether it was no longer asked after the last failure
    """

    signals: Signals
    failures: tuple[Failure, ...] = ()
    suspended: bool = False


class StrategyRunner:
    """Asks strategies, each in a thread of its own, within a time-out, and checks what they answer.

    Whatever a strategy does becomes a named error: `SignalError` for an answer that breaks the
    contract; `StrategyFailure` when it raises, changes what it was given (the arrays are read
    only), or has not answered in time. A strategy that hangs is given up; it cannot be asked again
    before its thread has come back. The threads end with the runner.

    Parameters
    ----------
    timeout_seconds : for one `analyze`
    panel_timeout_seconds : for one `signal_panel`
    """

    def __init__(
        self,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        panel_timeout_seconds: float = PANEL_TIMEOUT_SECONDS,
    ) -> None:
        for name, value in (
            ("timeout_seconds", timeout_seconds),
            ("panel_timeout_seconds", panel_timeout_seconds),
        ):
            if not 0.0 < value < float("inf"):
                raise ParameterError(f"{name} must be a positive number of seconds, got {value}")
        self.timeout_seconds = timeout_seconds
        self.panel_timeout_seconds = panel_timeout_seconds
        # By identity: a strategy need not be hashable.
        self._workers: dict[int, tuple[BaseStrategy, Worker]] = {}
        self._finalizer = weakref.finalize(self, _stop, self._workers)

    async def analyze(self, strategy: BaseStrategy, data: MarketData) -> Signals:
        """Return the signals of the last bar of `data`, checked.

        `analyze` of the strategy sees the last `lookback` bars. Where there are fewer, a
        `PanelStrategy` is asked all the same and any other strategy has no signals.

        Returns
        -------
        Signals
            Over the bars of `data`; every row is the last.

        Raises
        ------
        StrategyFailure, SignalError
        """
        return await self._run(
            strategy, lambda worker: _ask(worker, strategy, data), self.timeout_seconds
        )

    async def signals_over(self, strategy: BaseStrategy, data: MarketData) -> Signals:
        """Return the signals of every bar of `data`; the first failure is raised.

        A `PanelStrategy` answers at once, any other strategy bar by bar.

        Raises
        ------
        StrategyFailure, SignalError
        """
        trace = await self.trace(strategy, data, max_failures=1)
        if trace.failures:
            raise trace.failures[0].error
        return trace.signals

    async def trace(
        self, strategy: BaseStrategy, data: MarketData, *, max_failures: int = 3
    ) -> Trace:
        """Return the signals of every bar of `data`, with the failures instead of raising them.

        A bar on which the strategy fails has no signals, so what it wished before holds on. After
        `max_failures` failures on end, or once it hangs, it is not asked any more.
        """
        none = Signals.none(strategy.strategy_id, data.timestamps, data.symbols)
        if isinstance(strategy, PanelStrategy):
            try:
                signals = await self._run(
                    strategy,
                    lambda _: answers.panel(
                        strategy, strategy.signal_panel(_own(data, len(data.timestamps))), data
                    ),
                    self.panel_timeout_seconds,
                )
            except StrategyError as error:
                return Trace(none, (Failure(strategy.strategy_id, None, error),), suspended=True)
            return Trace(signals)
        walk = _Walk(strategy, data, max_failures)
        try:
            await self._run(strategy, walk.go, self.timeout_seconds)
        except StrategyError as error:
            walk.fail(error)
            walk.suspended = True
        return walk.trace()

    def close(self) -> None:
        """Let the threads end; a runner that is collected does it by itself."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def _run(self, strategy: BaseStrategy, job: Callable[[Worker], R], limit: float) -> R:
        known = self._workers.get(id(strategy))
        if known is None:
            known = self._workers[id(strategy)] = (strategy, Worker(strategy.strategy_id))
        worker = known[1]
        return await worker.run(lambda: _guarded(strategy, lambda: job(worker)), limit)


@dataclass
class _Walk:
    """A strategy asked bar by bar; what it has given so far outlives its failure."""

    strategy: BaseStrategy
    data: MarketData
    max_failures: int
    row: int = -1
    given: list[Signals] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    suspended: bool = False
    _on_end: int = 0
    _over: bool = False

    def go(self, worker: Worker) -> None:
        _ = self.data.columns  # Made once, and handed on to every view.
        for row in range(lookback_of(self.strategy) - 1, len(self.data.timestamps)):
            if self._over:
                return
            self.row = row
            worker.beat()
            try:
                signals = _guarded(
                    self.strategy,
                    lambda row=row: _ask(worker, self.strategy, self.data.upto(row)),  # type: ignore[misc]
                )
            except StrategyError as error:
                self.fail(error)
                if self._on_end >= self.max_failures:
                    self.suspended = True
                    return
                continue
            self._on_end = 0
            if len(signals) and not self._over:
                self.given.append(signals)

    def fail(self, error: StrategyError) -> None:
        self._on_end += 1
        stamp = self.data.upto(self.row).now if self.row >= 0 else None
        self.failures.append(Failure(self.strategy.strategy_id, stamp, error))

    def trace(self) -> Trace:
        self._over = True
        given = list(self.given)
        if not given:
            signals = Signals.none(
                self.strategy.strategy_id, self.data.timestamps, self.data.symbols
            )
        else:
            signals = Signals(
                self.strategy.strategy_id,
                self.data.timestamps,
                self.data.symbols,
                np.concatenate([one.rows for one in given]),
                np.concatenate([one.columns for one in given]),
                np.concatenate([one.actions for one in given]),
                np.concatenate([one.strengths for one in given]),
            )
        return Trace(signals, tuple(self.failures), self.suspended)


def lookback_of(strategy: BaseStrategy) -> int:
    """Return the lookback of a strategy, a number of bars from 1 on.

    Raises
    ------
    StrategyFailure
        It raises instead, or says something else.
    """

    def ask() -> int:
        # Its author may have returned anything.
        lookback: Any = strategy.lookback
        if isinstance(lookback, bool) or not isinstance(lookback, int) or lookback < 1:
            raise StrategyFailure(
                f"{strategy.strategy_id}: its lookback must be a number of bars from 1 on, "
                f"got {lookback!r}"
            )
        return lookback

    return _guarded(strategy, ask)


def _own(data: MarketData, bars: int) -> MarketData:
    """Return the last bars as a view of the strategy's own, which shares read-only arrays alone."""
    columns = data.columns
    view = data.tail(bars)
    object.__setattr__(view, "columns", columns.copy())
    return view


def _ask(worker: Worker, strategy: BaseStrategy, data: MarketData) -> Signals:
    lookback = lookback_of(strategy)
    bars = len(data.timestamps)
    if not bars or (bars < lookback and not isinstance(strategy, PanelStrategy)):
        return Signals.none(strategy.strategy_id, data.timestamps, data.symbols)
    asked: Any = strategy.analyze(_own(data, lookback))
    if not inspect.iscoroutine(asked):
        raise SignalError(
            f"{strategy.strategy_id}: analyze returned {type(asked).__name__}; "
            "define it with `async def` and return the signals"
        )
    return answers.last_bar(strategy, worker.complete(asked), data)


def _guarded(strategy: BaseStrategy, job: Callable[[], R]) -> R:
    """Run a job; whatever it raises becomes a `StrategyError`."""
    try:
        return job()
    except (StrategyError, Interrupted):
        raise
    except BaseException as error:
        if isinstance(error, ValueError) and ("read-only" in str(error) or WRITEABLE in str(error)):
            what = "changed what it was given; market data is read only: copy an array first"
        else:
            what = f"raised {type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
        raise StrategyFailure(f"{strategy.strategy_id} {what} ({_place(error)})") from error


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "no place"


def _stop(workers: dict[int, tuple[BaseStrategy, Worker]]) -> None:
    for _, worker in workers.values():
        worker.stop()
    workers.clear()
