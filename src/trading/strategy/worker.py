"""A thread that strategies run in, so that one that hangs holds up nobody else.

A call that waits is cancelled, one that computes is interrupted at its next line of Python. One
that blocks outside of Python (a socket without a time-out, `time.sleep`) cannot be ended: its
thread stays behind, idle, and goes with the process. Code that holds the interpreter's lock while
it hangs, as only a faulty extension does, would stop everything; only a process of its own could
guard against that. While one blocks that was interrupted, CPython 3.11 does not go on in functions
that are traced, as coverage and debuggers do (it waits for the exception to be taken).
"""

import asyncio
import contextlib
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

    An interruption hits the job it was meant for or nothing: it is sent only while that job runs,
    and one that comes too late is taken before the next job.

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
        self._jobs: queue.SimpleQueue[Callable[[], Callable[[], None]] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._over = False
        # Held where a job ends and where one is interrupted, so that these never cross.
        self._ending = threading.Lock()
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
            while (job := self._jobs.get()) is not None:
                answer: Callable[[], None] | None = None
                # A job is interrupted once at most: what is caught here does not come again.
                # Nothing that is itself Python, as `contextlib.suppress` is, may stand around it.
                try:  # noqa: SIM105
                    answer = job()
                except Interrupted:
                    pass
                try:
                    self._end()
                except Interrupted:
                    self._end()
                if answer is not None:
                    answer()

    def _do(
        self, job: Callable[[], R], loop: asyncio.AbstractEventLoop, done: asyncio.Future[R]
    ) -> Callable[[], None]:
        """Run a job and return what hands its outcome to whoever waits."""
        result: R | None = None
        error: BaseException | None = None
        try:
            result = job()
        except Interrupted:
            raise
        except BaseException as raised:  # noqa: BLE001 - handed to whoever waits
            error = raised

        def settle() -> None:
            if done.done():
                return
            if error is None:
                done.set_result(result)  # type: ignore[arg-type]
            else:
                done.set_exception(error)

        def answer() -> None:
            # A loop that has closed has nobody who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle)

        return answer

    def _end(self) -> None:
        with self._ending:
            # One that is still to come is raised here, where threads may be switched.
            time.sleep(0.0)
            self.busy = False

    def _cancel(self) -> None:
        self._over = True
        task, loop = self._task, self._loop
        if task is not None and loop is not None:
            loop.call_soon_threadsafe(task.cancel)

    async def _interrupt(self) -> None:
        self._cancel()
        await asyncio.sleep(GRACE_SECONDS)
        with self._ending:
            if self.busy:
                # Not taken back with NULL: CPython 3.11 would believe for ever that one is to come,
                # and go round in circles in every function that is traced.
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._thread.ident or 0), ctypes.py_object(Interrupted)
                )
