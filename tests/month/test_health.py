"""Health: months and sessions that come in time, late, or have never come."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from trading.config import Settings
from trading.month import health as module
from trading.month.health import HealthRequest, health
from trading.month.ledger import ChampionRef, RunRecord


def resources(*runs: RunRecord, sessions=(), paused=False, champion=None):
    ledger = SimpleNamespace(
        runs=lambda: list(runs),
        champion=lambda: champion,
        switch=SimpleNamespace(read=lambda: object() if paused else None),
    )
    lake = SimpleNamespace(sessions=lambda: np.array(sessions, dtype="datetime64[D]"))
    return SimpleNamespace(settings=Settings(), ledger=ledger, lake=lake)


def run(month: str, status="SUCCEEDED", number=1) -> RunRecord:
    return RunRecord(
        month=month, as_of=date.fromisoformat(f"{month}-02"), run=number, status=status
    )


def on(monkeypatch: pytest.MonkeyPatch, day: str) -> None:
    monkeypatch.setattr(module, "today", lambda _zone: date.fromisoformat(day))


def found(answer, name: str) -> tuple[bool, str]:
    (check,) = (check for check in answer.checks if check.name == name)
    return check.passed, check.found


def test_a_new_deployment_is_healthy(monkeypatch) -> None:
    on(monkeypatch, "2026-11-20")
    answer = health(HealthRequest(), resources())
    assert answer.passed
    assert not answer.paused
    assert answer.champion is None
    assert found(answer, "month") == (True, "no month has run yet")
    assert found(answer, "sessions") == (True, "no session is stored yet")


@pytest.mark.parametrize(
    ("day", "last", "passed"),
    [
        ("2026-11-02", "2026-10", True),  # the first session itself
        ("2026-11-03", "2026-10", True),  # a day of grace
        ("2026-11-04", "2026-10", False),
        ("2026-11-04", "2026-11", True),
        ("2026-11-01", "2026-09", False),  # a Sunday before the month: October is due
        ("2026-01-01", "2025-12", True),  # a holiday over the turn of the year
        ("2026-01-01", "2025-11", False),
    ],
)
def test_a_month_is_late_from_the_second_day_after_its_first_session(
    monkeypatch, day, last, passed
) -> None:
    on(monkeypatch, day)
    answer = health(HealthRequest(), resources(run(last)))
    assert found(answer, "month")[0] is passed
    assert answer.passed is passed


@pytest.mark.parametrize(
    ("status", "passed"),
    [("RUNNING", True), ("SUCCEEDED", True), ("FAILED", False), ("WITHDRAWN", False)],
)
def test_what_became_of_the_month_that_is_due(monkeypatch, status, passed) -> None:
    on(monkeypatch, "2026-11-20")
    due = run("2026-11", status, number=3)
    answer = health(HealthRequest(), resources(run("2026-10"), due))
    assert found(answer, "month") == (passed, f"2026-11 run 3: {status}")


def test_a_month_run_ahead_does_not_hide_one_that_failed(monkeypatch) -> None:
    on(monkeypatch, "2026-11-20")
    answer = health(HealthRequest(), resources(run("2026-11", "FAILED"), run("2026-12")))
    assert found(answer, "month")[0] is False


@pytest.mark.parametrize(
    ("day", "last", "passed"),
    [
        ("2026-11-20", "2026-11-19", True),
        ("2026-11-20", "2026-11-18", True),  # the last session comes on the morning after it
        ("2026-11-20", "2026-11-17", False),
        ("2026-11-23", "2026-11-19", True),  # a Monday
        ("2026-11-27", "2026-11-25", True),  # the day after Thanksgiving
        ("2026-11-30", "2026-11-24", False),
    ],
)
def test_sessions_are_late_when_two_are_missing(monkeypatch, day, last, passed) -> None:
    on(monkeypatch, day)
    answer = health(HealthRequest(), resources(run(day[:7]), sessions=["2026-11-02", last]))
    assert found(answer, "sessions")[0] is passed


def test_a_pause_and_the_champion_are_told(monkeypatch) -> None:
    on(monkeypatch, "2026-11-20")
    champion = ChampionRef(
        version="0123456789abcdef", month="2026-10", kind="ensemble", prefix="production/x"
    )
    answer = health(HealthRequest(), resources(run("2026-11"), paused=True, champion=champion))
    assert (answer.passed, answer.paused, answer.champion) == (True, True, "0123456789abcdef")


def test_what_an_api_sends_along_is_ignored() -> None:
    assert HealthRequest.model_validate({"version": "2.0", "rawPath": "/health"})
