"""Take what is due out of the outbox and deliver it, again and again until it is done."""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from localcloud.events.outbox import Delivery, Outbox, Pending
from localcloud.faults.injector import Injector

LOGGER = logging.getLogger(__name__)
WORKERS = 4
LONGEST_WAIT = 1.0
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0


@dataclass(frozen=True)
class Done:
    """It is delivered; `follow_ups` come of it and take its place."""

    follow_ups: tuple[Delivery, ...] = ()


@dataclass(frozen=True)
class Again:
    """It failed for `reason` and may work later: after `delay` seconds, or with backoff.

    A try that is not `counted` is free, for example while a throttle lasts.
    """

    reason: str
    delay: float | None = None
    counted: bool = True


@dataclass(frozen=True)
class Dead:
    """It failed for `reason`, for good; `follow_ups` go to its dead-letter target."""

    reason: str
    follow_ups: tuple[Delivery, ...] = ()


Result = Done | Again | Dead
Deliverer = Callable[[Pending], Result]


def backoff(attempts: int) -> float:
    """Return the seconds before the next try after so many failed ones: 1, 2, 4 ... 60."""
    return float(min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(attempts, 16)))


class Dispatcher:
    """Delivers what lies in an outbox while the cloud runs.

    Parameters
    ----------
    outbox
        The deliveries.
    deliverers
        Who delivers which kind. They run on several threads, and each may see a delivery more
        than once: the cloud can die between the delivery and its record.
    faults
        Chooses events that are delivered twice.
    """

    def __init__(
        self,
        outbox: Outbox,
        deliverers: Mapping[str, Deliverer],
        faults: Injector | None = None,
    ) -> None:
        self._outbox = outbox
        self._faults = faults
        self._deliverers = dict(deliverers)
        self._in_flight: set[int] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="delivery")
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier run of the cloud has left; harmless when it has begun."""
        with self._lock:
            if not self._thread.is_alive() and not self._stopping.is_set():
                self._thread.start()

    def close(self) -> None:
        """Stop; what is in flight ends or is delivered again at the next start."""
        self._stopping.set()
        self._outbox.wake()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            for pending in self._outbox.due(excluding=self._claimed()):
                with self._lock:
                    self._in_flight.add(pending.id)
                self._workers.submit(self._deliver, pending)
            left = self._outbox.seconds_to_next(excluding=self._claimed())
            self._outbox.wait(LONGEST_WAIT if left is None else min(left, LONGEST_WAIT))

    def _claimed(self) -> frozenset[int]:
        with self._lock:
            return frozenset(self._in_flight)

    def _deliver(self, pending: Pending) -> None:
        try:
            self._record(pending, self._attempt(pending))
        except Exception:
            if not self._stopping.is_set():
                LOGGER.exception("delivery %d could not be recorded", pending.id)
        finally:
            with self._lock:
                self._in_flight.discard(pending.id)
            self._outbox.wake()

    def _attempt(self, pending: Pending) -> Result:
        deliverer = self._deliverers.get(pending.delivery.kind)
        if deliverer is None:
            return Dead(f"nothing delivers the kind {pending.delivery.kind!r}")
        try:
            if self._is_repeated(pending):
                deliverer(pending)
            return deliverer(pending)
        except Exception as error:
            LOGGER.exception("delivery %d failed", pending.id)
            return Again(f"{type(error).__name__}: {error}")

    def _is_repeated(self, pending: Pending) -> bool:
        """Tell whether the fault plan has this event delivered twice."""
        body = pending.delivery.body
        target = body.get("arn") or body.get("function")
        if self._faults is None or target is None:
            return False
        return self._faults.strike_delivery(body.get("service", "lambda"), target) is not None

    def _record(self, pending: Pending, result: Result) -> None:
        match result:
            case Done(follow_ups):
                self._outbox.finish(pending, *follow_ups)
            case Again(reason, delay, counted):
                wait = backoff(pending.attempts) if delay is None else delay
                self._outbox.retry(pending, reason, delay=wait, counted=counted)
            case Dead(reason, follow_ups):
                LOGGER.warning("gave up a delivery (%s): %s", pending.delivery.kind, reason)
                self._outbox.give_up(pending, reason, *follow_ups)
