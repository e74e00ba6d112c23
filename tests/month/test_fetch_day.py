"""The functions of the day against services on a local server: what is stored, what is told."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

PROVIDERS = Path(__file__).parents[1] / "data" / "providers"
if str(PROVIDERS) not in sys.path:
    sys.path.insert(0, str(PROVIDERS))

from faulty_server import FaultyServer  # noqa: E402
from vendor_services import KEYS, Market, Services  # noqa: E402

from trading.config import Settings  # noqa: E402
from trading.data.intake import Intake, open_providers, quality_report_key  # noqa: E402
from trading.data.providers.keys import environment_keys  # noqa: E402
from trading.errors import ConfigurationError, DataError  # noqa: E402
from trading.market.bars import CorporateAction, CorporateActionType  # noqa: E402
from trading.market.calendar import today  # noqa: E402
from trading.month.day_failure import tell_day_failure  # noqa: E402
from trading.month.failure_requests import DayFailure  # noqa: E402
from trading.month.fetch import (  # noqa: E402
    SessionsLeft,
    _expected,
    check_sessions,
    fetch_sessions,
)
from trading.month.payloads import MonthRun, SessionRange  # noqa: E402
from trading.month.resources import Resources  # noqa: E402
from trading.universe.slots import allocate  # noqa: E402

SYMBOLS = [f"T{i:04d}" for i in range(25)]
NO_EXTRAS = {"fundamentals_a_day": 0}


class Day:
    """A lake that lacks the last session, the services that have it, and the operator's mails."""

    def __init__(self, resources: Resources, services: Services, topic: str) -> None:
        self.resources, self.services, self.market = resources, services, services.market
        self.days = [session.astype(object) for session in self.market.sessions]
        self._topic = topic

    def fill(self, days: list[date]) -> None:
        settings = self.resources.settings
        providers = open_providers(settings, keys=environment_keys(self.resources.names))
        Intake(self.resources.data, settings, providers, expected=SYMBOLS).run(days)

    def presume(self, sessions: int) -> None:
        """Let a symbol be presumed delisted after so many sessions."""
        settings = self.resources.settings
        quality = settings.data.quality.model_copy(update={"presume_delisted_sessions": sessions})
        data = settings.data.model_copy(update={"quality": quality})
        changed = settings.model_copy(update={"data": data})
        self.resources = replace(self.resources, settings=changed)

    def mails(self) -> list[tuple[str, str]]:
        backend = sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
        sent = backend.topics[self._topic].sent_notifications
        return [(str(one[2]), str(one[1])) for one in sent]


@pytest.fixture
def day(make_resources: Callable[..., Resources]) -> Iterator[Day]:
    last = today() - timedelta(days=1)
    services = Services(Market(SYMBOLS, last - timedelta(days=12), last, splits=0))
    topic = boto3.client("sns").create_topic(Name="alerts")["TopicArn"]
    with FaultyServer(services) as server:
        vendors: dict[str, Any] = {
            name: {"base_url": server.base_url(name), "requests_per_minute": 60_000}
            for name in ("polygon", "yahoo")
        }
        patience = {"attempts": 2, "backoff_seconds": 0.01, "breaker_seconds": 0.01}
        settings = Settings.model_validate(
            {
                "data": {"provider": "polygon", "providers": {**vendors, **patience}},
                "schedule": {"fetch_attempts": 2, **NO_EXTRAS},
                "universe": {"active": 60, "archive": 10, "padding": 10, "batch": 20},
            }
        )
        resources = make_resources(
            settings,
            TRADING_ALERT_TOPIC=topic,
            TRADING_WARNING_TOPIC=topic,
            POLYGON_API_KEY=KEYS["polygon"],
        )
        yield Day(resources, services, topic)


def month_of(day: date) -> MonthRun:
    return MonthRun(month=f"{day:%Y-%m}", as_of=day, run=1, execution="monthly", correlation_id="c")


def test_a_good_day_is_stored_judged_and_disturbs_nobody(day: Day) -> None:
    day.fill(day.days[:-1])
    fetched = fetch_sessions(SessionRange(), day.resources)
    assert (fetched.sessions, fetched.rows, fetched.again) == (1, 25, False)
    assert (fetched.first, fetched.last) == (day.days[-1], day.days[-1])
    quality = check_sessions(SessionRange(start=fetched.first, end=fetched.last), day.resources)
    assert quality.verdict == "pass"
    assert day.mails() == []
    report = json.loads(day.resources.data.get(quality_report_key(day.days[-1])).body)
    assert (report["verdict"], report["intake"]["bars"]) == ("pass", 25)
    asked = dict(day.services.seen)
    assert fetch_sessions(SessionRange(), day.resources).sessions == 0
    assert day.services.seen == asked


@pytest.mark.slow
def test_who_is_in_the_universe_and_missing_is_told_by_name(day: Day) -> None:
    slots, _ = allocate(None, [*SYMBOLS, "GONE"], day.days[-1], day.resources.settings.universe)
    day.resources.data.put("universe/slots/2020-01.json", slots.to_json().encode())
    day.fill(day.days[:-1])
    last = SessionRange(start=day.days[-1], end=day.days[-1])
    fetched = fetch_sessions(last, day.resources)
    assert (fetched.missing, fetched.again) == (1, False)
    check_sessions(last, day.resources)
    ((subject, text),) = day.mails()
    assert subject == f"Market data of {day.days[-1]}: to be looked at"
    assert "missing: GONE" in text


@pytest.mark.slow
def test_who_is_gone_for_good_is_told_once_and_not_asked_once_that_is_known(day: Day) -> None:
    members = [*SYMBOLS, "GONE"]
    slots, _ = allocate(None, members, day.days[-1], day.resources.settings.universe)
    day.resources.data.put("universe/slots/2020-01.json", slots.to_json().encode())
    day.presume(3)
    day.fill(day.days[:2])
    for session in day.days[2:]:
        one = SessionRange(start=session, end=session)
        fetch_sessions(one, day.resources)
        check_sessions(one, day.resources)
    texts = [text for _, text in day.mails()]
    assert ["missing: GONE" in text for text in texts] == [True, True, False]
    assert "presumed delisted, missing for 3 sessions" in texts[2]
    gone = CorporateAction("GONE", day.days[2], CorporateActionType.DELISTING, None)
    day.resources.lake.ingest_actions([gone], adjusted_through=day.days[2])
    assert "GONE" not in (_expected(day.resources) or ())
    assert "GONE" in slots.active


@pytest.mark.slow
def test_a_provider_that_is_down_is_tried_again_and_told_at_the_end(day: Day) -> None:
    day.fill(day.days[:-1])
    day.services.down = frozenset({"polygon"})
    first = fetch_sessions(SessionRange(), day.resources)
    assert (first.failed, first.again, first.attempt, first.wait_seconds) == (1, True, 1, 900)
    assert day.mails() == []
    final = fetch_sessions(SessionRange(attempt=first.attempt), day.resources)
    assert (final.failed, final.again) == (1, False)
    ((subject, text),) = day.mails()
    assert "could not be fetched" in subject
    assert str(day.days[-1]) in text
    month = SessionRange(month=month_of(today()), start=day.days[-1], end=day.days[-1])
    with pytest.raises(SessionsLeft, match="503"):
        fetch_sessions(month, day.resources)


@pytest.mark.slow
def test_time_that_is_short_is_told_as_left(day: Day) -> None:
    day.fill(day.days[:-1])
    fetched = fetch_sessions(SessionRange(), day.resources, remaining=lambda: 10.0)
    assert (fetched.left, fetched.again, fetched.attempt, fetched.wait_seconds) == (1, True, 0, 1)


@pytest.mark.slow
def test_a_bad_day_is_told_and_stops_a_month(day: Day) -> None:
    day.fill(day.days[:-1])
    for name in ("open", "high", "low", "close"):
        day.market.values[name][-1] *= 100
    fetch_sessions(SessionRange(), day.resources)
    last = SessionRange(start=day.days[-1], end=day.days[-1])
    assert check_sessions(last, day.resources).verdict == "fail"
    ((subject, text),) = day.mails()
    assert subject.endswith("quarantined")
    assert "is kept and not served" in text
    assert "data/" in text
    with pytest.raises(DataError, match="not good enough"):
        check_sessions(last.model_copy(update={"month": month_of(today())}), day.resources)


def test_an_empty_lake_and_a_missing_key_name_the_way_out(day: Day) -> None:
    with pytest.raises(DataError, match="trading backfill"):
        fetch_sessions(SessionRange(), day.resources)
    day.fill(day.days[:1])
    keyless = {k: v for k, v in day.resources.names.items() if k != "POLYGON_API_KEY"}
    with pytest.raises(ConfigurationError, match="POLYGON_API_KEY"):
        fetch_sessions(SessionRange(), Resources(day.resources.settings, keyless))


def test_a_failed_day_is_told_in_a_sentence(day: Day) -> None:
    cause = json.dumps({"errorMessage": "polygon needs an API key", "stackTrace": ["secret"]})
    failure = {"Error": "ConfigurationError", "Cause": cause}
    tell_day_failure(
        DayFailure.model_validate({"execution": "run-1", "failure": failure}), day.resources
    )
    ((subject, text),) = day.mails()
    assert subject == "CRITICAL: the daily market data failed"
    assert "run-1 failed: ConfigurationError: polygon needs an API key" in text
    assert "stackTrace" not in text
