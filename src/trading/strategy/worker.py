"""A thread that strategies run in, so that one that hangs holds up nobody else.

A call that waits is cancelled, one that computes is interrupted at its next line of Python. One
that blocks outside of Python (a socket without a time-out, `time.sleep`) cannot be ended: its
thread stays behind, idle, and goes with the process. Code that holds the interpreter's lock while
it hangs, as only a faulty extension does, would stop everything; only a process of its own could
guard against that.
"""

import asyncio
import ctypes
import queue
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from trading.errors import StrategyFailure

R = TypeVar("R")
GRACE_SECONDS = 0.05


class StrategyHangs(StrategyFailure):
    """The strategy has not answered in time, or not come back from an earlier call."""


class _Expired(Exception):
    """Nobody waits any longer."""


class Interrupted(BaseException):
    """Thrown into a thread whose time is up."""


class Worker:
    """A thread with an event loop of its own that runs one job after another.

    Attributes
    ----------
    strategy_id : whose jobs they are
    busy : whether a job runs, be it one whose time is up
    heartbeat : monotonic seconds; a job of many steps sets it anew before each
    """

    def __init__(self, strategy_id: str) -> None:
        self.strategy_id = strategy_id
        self.busy = False
        self.heartbeat = 0.0
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._over = False
        self._thread = threading.Thread(
            target=self._work, name=f"strategy {strategy_id}", daemon=True
        )
        self._thread.start()

    async def run(self, job: Callable[[], R], limit: float) -> R:
        """Run `job` in the thread and return what it returns.

        Raises
        ------
        StrategyFailure
            The heartbeat is older than `limit` seconds. Or an earlier job has still not come back.
        """
        if self.busy:
            raise StrategyHangs(f"{self.strategy_id} hangs: an earlier call has not come back yet")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[R] = loop.create_future()
        self.busy, self._over, self.heartbeat = True, False, time.monotonic()
        self._jobs.put(lambda: self._do(job, loop, done))
        timer: asyncio.TimerHandle

        def expire() -> None:
            nonlocal timer
            left = self.heartbeat + limit - time.monotonic()
            if left > 0.0:
                timer = loop.call_later(left, expire)
            elif not done.done():
                done.set_exception(_Expired())

        timer = loop.call_later(limit, expire)
        try:
            return await done
        except _Expired:
            await self._interrupt()
            raise StrategyHangs(
                f"{self.strategy_id} has not answered within {limit:g} s; "
                "it hangs or needs a larger time-out"
            ) from None
        except asyncio.CancelledError:
            self._cancel()
            raise
        finally:
            timer.cancel()

    def complete(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Run a coroutine to its end; to be called by a job."""
        assert self._loop is not None  # noqa: S101 - the thread has made it
        self._task = self._loop.create_task(coroutine)
        task = self._task
        try:
            result: R = self._loop.run_until_complete(task)
        except asyncio.CancelledError:
            if self._over:
                # Cancelled from here, because nobody waits any longer: the whole job ends.
                raise Interrupted from None
            raise
        finally:
            self._task = None
            if task.done() and not task.cancelled():
                task.exception()  # Retrieved, else asyncio reports it as forgotten.
        return result

    def beat(self) -> None:
        """Start the time-out anew: the job has come to its next step."""
        self.heartbeat = time.monotonic()

    def stop(self) -> None:
        """Let the thread end once its present job is done."""
        self._jobs.put(None)

    def _work(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            while True:
                try:
                    job = self._jobs.get()
                    if job is None:
                        return
                    job()
                except Interrupted:
                    # It came just after the job had ended by itself.
                    continue

    def _do(
        self, job: Callable[[], R], loop: asyncio.AbstractEventLoop, done: asyncio.Future[R]
    ) -> None:
        result: R | None = None
        error: BaseException | None = None
        try:
            result = job()
        except Interrupted as interrupted:
            error = StrategyFailure(f"{self.strategy_id} was interrupted")
            error.__cause__ = interrupted
        except BaseException as raised:  # noqa: BLE001 - handed to whoever waits
            error = raised
        self.busy = False

        def settle() -> None:
            if done.done():
                return
            if error is None:
                done.set_result(result)  # type: ignore[arg-type]
            else:
                done.set_exception(error)

        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:
            # The loop that asked has closed: nobody waits for the answer.
            return

    def _cancel(self) -> None:
        self._over = True
        task, loop = self._task, self._loop
        if task is not None and loop is not None:
            loop.call_soon_threadsafe(task.cancel)

    async def _interrupt(self) -> None:
        self._cancel()
        await asyncio.sleep(GRACE_SECONDS)
        if self.busy and self._thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread.ident), ctypes.py_object(Interrupted)
            )
