"""What strategies do wrong, one kind each, and that nobody else is harmed by it."""

import asyncio
import contextlib
import gc
import threading
import time
from datetime import datetime
from typing import ClassVar

import numpy as np
import pytest
from scripted_strategies import Scripted, buy, raises, spins
from strategy_markets import market_of, random_closes, table_of

from trading.errors import ParameterError, SignalError, StrategyFailure
from trading.strategy import worker as worker_module
from trading.strategy.base import PanelStrategy
from trading.strategy.momentum import Momentum
from trading.strategy.runner import StrategyRunner, lookback_of
from trading.strategy.signals import Signals
from trading.strategy.worker import Interrupted, StrategyHangs, Worker

DATA = market_of(random_closes(1, 30, 4, holes=0))
EMPTY = market_of(np.ones((0, 2)))


class ScriptedPanel(PanelStrategy):
    """Answers what `script(market_data)` returns, whole."""

    name: ClassVar[str] = "scripted_panel"
    lookback = 3

    def __init__(self, script):
        super().__init__()
        self.script = script

    def signal_panel(self, market_data):
        return self.script(market_data)


def ask(strategy, data=DATA, **settings):
    async def asked():
        with StrategyRunner(**settings) as runner:
            return await runner.analyze(strategy, data)

    return asyncio.run(asked())


def over(strategy, data=DATA, **settings):
    async def asked():
        with StrategyRunner(**settings) as runner:
            return await runner.signals_over(strategy, data)

    return asyncio.run(asked())


def trace(strategy, data=DATA, max_failures=3, **settings):
    async def asked():
        with StrategyRunner(**settings) as runner:
            return await runner.trace(strategy, data, max_failures=max_failures)

    return asyncio.run(asked())


def test_an_answer_becomes_signals_of_the_last_bar_sorted_by_column():
    signals = ask(Scripted(lambda d: (buy(d, s) for s in ("S002", "S000"))))

    assert table_of(signals) == [(29, "S000", "BUY", 0.5), (29, "S002", "BUY", 0.5)]
    assert signals.timestamps is DATA.timestamps
    assert signals[0].timestamp == DATA.now


def test_a_strategy_sees_its_lookback_and_is_not_asked_before():
    strategy = Scripted(lambda d: [buy(d)])

    assert len(ask(strategy, DATA.upto(1))) == 0
    assert len(ask(strategy, EMPTY)) == 0
    assert strategy.seen == []
    signals = over(strategy)
    assert set(strategy.seen) == {(3, 4)}
    assert signals.rows.tolist() == list(range(2, 30))


def test_a_panel_strategy_answers_bar_by_bar_as_over_all():
    strategy = Momentum.build(lookback_period=4)
    whole = over(strategy)

    assert len(whole) > 4
    for row in range(30):
        assert list(ask(strategy, DATA.upto(row))) == list(whole.at(row))
    assert len(over(strategy, EMPTY)) == 0


def mutates(data):
    data.close[-1] = 0.0
    return []


def mutates_time(data):
    data.timestamps[0] = data.timestamps[1]
    return []


def forged(data):
    signal = buy(data)
    object.__setattr__(signal, "strength", float("nan"))
    return [signal]


def endless(data):
    while True:
        yield "nothing"


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        (raises(KeyError("no such thing")), StrategyFailure, "scripted raised KeyError: 'no such"),
        (raises(SystemExit(1)), StrategyFailure, "raised SystemExit"),
        (raises(KeyboardInterrupt()), StrategyFailure, "raised KeyboardInterrupt: no message"),
        (raises(asyncio.CancelledError()), StrategyFailure, "raised CancelledError"),
        (raises(StopIteration(3)), StrategyFailure, "raised RuntimeError"),
        (raises(TimeoutError("slow feed")), StrategyFailure, "raised TimeoutError: slow feed"),
        (raises(MemoryError()), StrategyFailure, r"raised MemoryError: no message \(scripted"),
        (mutates, StrategyFailure, "changed what it was given"),
        (mutates_time, StrategyFailure, "changed what it was given"),
        (lambda d: None, SignalError, "answered NoneType"),
        (lambda d: 7, SignalError, "answered int"),
        (lambda d: "BUY", SignalError, "answered str, expected Signal"),
        (lambda d: [None], SignalError, "answered NoneType, expected Signal"),
        (lambda d: [buy(d), ("A", 1)], SignalError, "answered tuple"),
        (endless, SignalError, "answered str"),
        (lambda d: [buy(d, "NOPE")], SignalError, "'NOPE' is not among the symbols"),
        (lambda d: [buy(d), buy(d)], SignalError, "two signals of S000"),
        (lambda d: [buy(d, strength=float("nan"))], SignalError, "within 0..1"),
        (lambda d: [buy(d, strength=2.0)], SignalError, "within 0..1"),
        (lambda d: [buy(d, strength=0.0)], SignalError, "has no strength"),
        (lambda d: [buy(d, timestamp=datetime(2020, 1, 1))], SignalError, "no time zone"),
        (lambda d: [buy(d.upto(0))], SignalError, "expected the last bar's"),
        (lambda d: [buy(d, strategy_id="other")], SignalError, "in the name of other"),
        (forged, SignalError, "strengths must lie within"),
    ],
)
def test_each_fault_is_a_named_error(script, error, words):
    with pytest.raises(error, match=words):
        ask(Scripted(script))


def test_what_a_strategy_does_to_its_view_stays_with_it():
    def vandal(data):
        object.__setattr__(data, "close", np.zeros((3, 4)))
        data.columns["S000"] = 3
        data.columns["NEW"] = 0
        return []

    close, columns = DATA.close, dict(DATA.columns)
    ask(Scripted(vandal))
    assert DATA.close is close
    assert DATA.columns == columns


def test_an_analyze_that_is_not_async_is_told_so():
    class Sync(Scripted):
        def analyze(self, market_data):  # type: ignore[override]
            return []

    class Streaming(Scripted):
        async def analyze(self, market_data):
            yield None

    with pytest.raises(SignalError, match="returned list; define it with `async def`"):
        ask(Sync(None))
    with pytest.raises(SignalError, match="returned async_generator"):
        ask(Streaming(None))


@pytest.mark.parametrize("lookback", [0, -3, 2.5, None])
def test_a_lookback_that_is_no_number_of_bars_is_a_failure(lookback):
    odd = type("Odd", (Scripted,), {"lookback": lookback})

    with pytest.raises(StrategyFailure, match="lookback must be a number of bars"):
        ask(odd(lambda d: []))


def test_validate_signal_of_the_strategy_is_asked_for_lists_and_panels():
    class Picky(Scripted):
        def validate_signal(self, signal):
            super().validate_signal(signal)
            if signal.symbol == "S001":
                raise SignalError("not this one")

    def both(data):
        return Signals.from_list("scripted", [buy(data, "S001")], data.timestamps, data.symbols)

    for script in (lambda d: [buy(d, "S001")], both):
        with pytest.raises(SignalError, match="not this one"):
            ask(Picky(script))
    assert len(ask(Picky(lambda d: [buy(d, "S000")]))) == 1


def panel_of(data, **changes):
    fields = {
        "strategy_id": "scripted_panel",
        "timestamps": data.timestamps,
        "symbols": data.symbols,
        "rows": np.array([0, 1]),
        "columns": np.array([0, 0]),
        "actions": np.array([1, -1], np.int8),
        "strengths": np.array([1.0, 1.0]),
    }
    return Signals(**fields | changes)


def spoiled(data):
    made = panel_of(data)
    made.strengths[0] = np.nan
    return made


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (lambda d: [], "signal_panel answered list"),
        (lambda d: panel_of(d, symbols=("X",) * len(d.symbols)), "other bars or symbols"),
        (lambda d: panel_of(d.upto(3)), "other bars or symbols"),
        (lambda d: panel_of(d, strategy_id="other"), "in the name of other"),
        (lambda d: panel_of(d, strengths=np.array([0.0, 1.0])), "a BUY of S000 has no strength"),
        (spoiled, "strengths must lie within"),
    ],
)
def test_each_fault_of_a_panel_is_a_named_error(script, words):
    with pytest.raises(SignalError, match=words):
        over(ScriptedPanel(script))
    good = over(ScriptedPanel(panel_of))
    assert table_of(good) == [(0, "S000", "BUY", 1.0), (1, "S000", "SELL", 1.0)]


class Waits(Scripted):
    """Waits for what never comes."""

    async def analyze(self, market_data):
        await asyncio.Event().wait()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [Scripted(spins), Waits(None)], ids=["computes", "waits"])
def test_a_strategy_that_hangs_is_given_up_and_its_thread_comes_back(strategy):
    async def asked():
        with StrategyRunner(timeout_seconds=1.0) as runner:
            for _ in range(2):
                with pytest.raises(StrategyHangs, match=r"has not answered within 1 s"):
                    await runner.analyze(strategy, DATA)
                await asyncio.sleep(1.0)
            other = Scripted(lambda d: [buy(d)])
            assert len(await runner.analyze(other, DATA)) == 1

    asyncio.run(asked())


def test_a_strategy_that_waits_in_a_backtest_hangs_on_its_first_bar_and_is_asked_no_more():
    traced = trace(Waits(None), timeout_seconds=0.1)

    assert [failure.kind for failure in traced.failures] == ["StrategyHangs"]
    assert traced.suspended


@pytest.mark.parametrize("lookback", [0, -3, 2.5, "ten", True, None])
def test_a_lookback_that_is_no_number_of_bars_is_a_failure_by_name(lookback):
    strategy = Scripted(lambda d: [buy(d)])
    strategy.lookback = lookback

    with pytest.raises(StrategyFailure, match="lookback must be a number of bars from 1 on"):
        lookback_of(strategy)
    assert [failure.kind for failure in trace(strategy).failures] == ["StrategyFailure"]


def test_a_lookback_that_raises_is_a_failure_by_name():
    class Broken(Scripted):
        @property
        def lookback(self):
            raise ZeroDivisionError("of what")

    with pytest.raises(StrategyFailure, match="scripted raised ZeroDivisionError: of what"):
        lookback_of(Broken(None))


def test_a_strategy_cannot_make_what_it_is_given_writeable():
    def forces(data):
        data.close.flags.writeable = True
        data.close[:] = 1.0
        return []

    before = DATA.close.copy()

    with pytest.raises(StrategyFailure, match="changed what it was given"):
        over(Scripted(forces))
    assert np.array_equal(DATA.close, before, equal_nan=True)


@pytest.mark.slow
def test_a_strategy_that_cannot_be_ended_is_not_asked_again_until_it_is_back():
    entered, release = threading.Event(), threading.Event()

    def holds():
        while not release.wait(0.05):
            pass

    def holds_out(_):
        # A job is interrupted once. One that blocks outside of Python never sees it; this one need
        # not be caught between two lines before it blocks, and does not stop a traced process.
        try:
            entered.set()
            holds()
        except Interrupted:
            holds()
        return []

    async def asked():
        strategy, other = Scripted(holds_out), Scripted(lambda d: [buy(d)])
        with StrategyRunner(timeout_seconds=2.0) as runner:
            # On a busy machine the time can be up before the strategy has begun.
            while not entered.is_set():
                with pytest.raises(StrategyHangs, match="has not answered"):
                    await runner.analyze(strategy, DATA)
            with pytest.raises(StrategyHangs, match="an earlier call has not come back"):
                await runner.analyze(strategy, DATA)
            assert len(await runner.analyze(other, DATA)) == 1
            release.set()
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                await asyncio.sleep(0.05)
                with contextlib.suppress(StrategyHangs):
                    assert len(await runner.analyze(strategy, DATA)) == 0
                    return
            pytest.fail("it never came back")

    asyncio.run(asked())


def test_an_interruption_that_comes_as_the_job_ends_hits_no_later_job(monkeypatch):
    grace = 0.004
    monkeypatch.setattr(worker_module, "GRACE_SECONDS", grace)

    async def asked():
        worker = Worker("punctual")
        for i in range(150):
            # About as long as the time-out and the grace: now one is first, now the other.
            until = time.monotonic() + 0.001 + grace * (0.9 + 0.2 * (i % 20) / 20)

            def computes(until=until):
                while time.monotonic() < until:
                    pass
                return "done"

            with contextlib.suppress(StrategyHangs):
                await worker.run(computes, 0.001)
            deadline = time.monotonic() + 60
            while worker.busy and time.monotonic() < deadline:
                await asyncio.sleep(0)
            assert not worker.busy
            assert await worker.run(lambda i=i: i, 60.0) == i
        worker.stop()

    asyncio.run(asked())


def test_strategies_are_asked_at_the_same_time():
    together = threading.Barrier(2, timeout=10)

    def meets(data):
        together.wait()
        return [buy(data)]

    async def asked():
        with StrategyRunner() as runner:
            answers = [runner.analyze(Scripted(meets), DATA) for _ in range(2)]
            return await asyncio.gather(*answers)

    assert [len(answer) for answer in asyncio.run(asked())] == [1, 1]


def test_a_failing_bar_has_no_signals_and_the_next_one_is_asked():
    def sometimes(data):
        if len(strategy.seen) in (3, 7):
            raise ValueError("bad luck")
        return [buy(data)]

    strategy = Scripted(sometimes)

    traced = trace(strategy)

    assert [row for row in range(2, 30) if row not in traced.signals.rows] == [4, 8]
    assert [failure.kind for failure in traced.failures] == ["StrategyFailure"] * 2
    assert traced.failures[0].timestamp == DATA.upto(4).now
    assert "bad luck" in traced.failures[0].sentence()
    assert not traced.suspended


def test_failures_on_end_suspend_and_what_was_given_is_kept():
    def fails_from_the_fifth(data):
        if len(strategy.seen) >= 5:
            raise ValueError("for good")
        return [buy(data)]

    strategy = Scripted(fails_from_the_fifth)

    traced = trace(strategy)

    assert traced.suspended
    assert traced.signals.rows.tolist() == [2, 3, 4, 5]
    assert len(traced.failures) == 3
    assert len(strategy.seen) == 7
    strategy.seen.clear()
    with pytest.raises(StrategyFailure, match="for good"):
        over(strategy)


@pytest.mark.slow
def test_a_hang_in_the_middle_of_a_history_keeps_what_was_given():
    def hangs_on_the_fifth(data):
        if len(strategy.seen) == 5:
            spins(data)
        return [buy(data)]

    strategy = Scripted(hangs_on_the_fifth)

    traced = trace(strategy, timeout_seconds=2.0)

    assert traced.suspended
    assert traced.signals.rows.tolist() == [2, 3, 4, 5]
    assert [failure.kind for failure in traced.failures] == ["StrategyHangs"]
    assert traced.failures[0].timestamp == DATA.upto(6).now


def test_a_panel_that_fails_is_traced_without_a_bar():
    traced = trace(ScriptedPanel(raises(ValueError("whole"))))

    assert traced.suspended
    assert len(traced.signals) == 0
    assert traced.failures[0].timestamp is None


@pytest.mark.slow
def test_the_time_out_is_for_each_bar_not_for_all():
    def slow(data):
        time.sleep(0.1)
        return [buy(data)]

    assert len(over(Scripted(slow), timeout_seconds=2.0)) == 28


@pytest.mark.slow
def test_threads_end_with_the_runner():
    async def asked():
        runner = StrategyRunner()
        await runner.analyze(Scripted(lambda d: [], "passing"), DATA)

    asyncio.run(asked())
    gc.collect()
    deadline = time.monotonic() + 60
    while any(t.name == "strategy passing" for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan")])
def test_a_time_out_is_a_positive_time(seconds):
    with pytest.raises(ParameterError, match="timeout_seconds must be a positive"):
        StrategyRunner(timeout_seconds=seconds)
    with pytest.raises(ParameterError, match="panel_timeout_seconds must be a positive"):
        StrategyRunner(panel_timeout_seconds=seconds)
