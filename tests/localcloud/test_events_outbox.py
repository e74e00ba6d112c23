"""The outbox keeps what was promised, and the dispatcher keeps at it."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localcloud.events.dispatcher import Again, Dead, Dispatcher, Done, Result, backoff
from localcloud.events.outbox import Delivery, Outbox, Pending, append, open_outbox


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


def dispatched(outbox: Outbox, deliver: Callable[[Pending], Result]) -> None:
    """Dispatch until nothing is pending."""
    dispatcher = Dispatcher(outbox, {"test": deliver})
    dispatcher.start()
    deadline = time.monotonic() + 60
    while outbox.counts()["pending"] and time.monotonic() < deadline:
        time.sleep(0.01)
    dispatcher.close()
    assert outbox.counts()["pending"] == 0, "still pending after ten seconds"


def test_what_is_enqueued_survives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    first = Outbox(path)
    first.enqueue(Delivery("test", {"n": 1}), Delivery("test", {"n": 2}))
    first.close()

    second = Outbox(path)
    assert [one.delivery.body["n"] for one in second.due()] == [1, 2]
    second.close()


def test_a_journal_writes_record_and_event_in_one_step(outbox: Outbox) -> None:
    connection = sqlite3.connect(outbox.path)
    append(connection, Delivery("test", {}))
    connection.rollback()
    assert outbox.counts()["pending"] == 0

    with connection:
        append(connection, Delivery("test", {}))
    connection.close()
    assert outbox.counts()["pending"] == 1


def test_writers_of_one_file_share_one_outbox(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    shared = open_outbox(path)
    assert open_outbox(path) is shared
    shared.close()
    assert open_outbox(path) is not shared
    open_outbox(path).close()


def test_a_delivery_is_tried_until_it_succeeds(outbox: Outbox) -> None:
    seen: list[int] = []

    def deliver(pending: Pending) -> Result:
        seen.append(pending.attempts)
        return Again("not yet", delay=0.0) if len(seen) < 4 else Done()

    outbox.enqueue(Delivery("test", {}))
    dispatched(outbox, deliver)

    assert seen == [0, 1, 2, 3]
    assert outbox.counts() == {"pending": 0, "dead": 0}


def test_a_free_try_is_not_counted(outbox: Outbox) -> None:
    seen: list[int] = []

    def deliver(pending: Pending) -> Result:
        seen.append(pending.attempts)
        return Again("throttled", delay=0.0, counted=False) if len(seen) < 3 else Done()

    outbox.enqueue(Delivery("test", {}))
    dispatched(outbox, deliver)
    assert seen == [0, 0, 0]


def test_an_error_of_a_deliverer_is_a_failed_try(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localcloud.events.dispatcher.FIRST_RETRY_SECONDS", 0.01)
    tries: list[int] = []

    def deliver(pending: Pending) -> Result:
        tries.append(pending.id)
        if len(tries) == 1:
            raise ConnectionError("the target is away")
        return Done()

    outbox.enqueue(Delivery("test", {}))
    dispatched(outbox, deliver)
    assert len(tries) == 2


def test_follow_ups_replace_what_was_delivered(outbox: Outbox) -> None:
    seen: list[int] = []

    def deliver(pending: Pending) -> Result:
        generation = pending.delivery.body["generation"]
        seen.append(generation)
        following = Delivery("test", {"generation": generation + 1})
        return Done((following, following)) if generation < 2 else Done()

    outbox.enqueue(Delivery("test", {"generation": 0}))
    dispatched(outbox, deliver)
    assert sorted(seen) == [0, 1, 1, 2, 2, 2, 2]


def test_what_is_given_up_is_kept_with_its_reason(outbox: Outbox) -> None:
    outbox.enqueue(Delivery("test", {}), Delivery("unheard", {}))
    dispatched(outbox, lambda _: Dead("its queue is gone"))

    assert outbox.counts() == {"pending": 0, "dead": 2}
    assert set(outbox.failures()) == {
        ("test", "its queue is gone"),
        ("unheard", "nothing delivers the kind 'unheard'"),
    }


def test_a_slow_delivery_does_not_hold_the_others(outbox: Outbox) -> None:
    release, quick = threading.Event(), threading.Event()

    def deliver(pending: Pending) -> Result:
        if pending.delivery.body["slow"]:
            assert release.wait(5)
        else:
            quick.set()
            release.set()
        return Done()

    outbox.enqueue(Delivery("test", {"slow": True}), Delivery("test", {"slow": False}))
    dispatched(outbox, deliver)
    assert quick.is_set()


def test_backoff_doubles_up_to_a_minute() -> None:
    assert [backoff(n) for n in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
