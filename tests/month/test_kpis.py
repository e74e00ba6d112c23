"""The figures behind the promises, from what the stations are asked and answer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.month.kpis import Kpi, kpis
from trading.month.notify import MailEvent, Recorded
from trading.month.payloads import (
    Champion,
    Context,
    Fetched,
    MonthRun,
    Prepared,
    Ranked,
    RankRequest,
    Resolved,
    SessionRange,
)


def fetched(**changed: Any) -> Fetched:
    values = {"sessions": 1, "rows": 3_000, "source": "polygon", "missing": 0, "failed": 0}
    return Fetched.model_validate({**values, **changed})


@pytest.mark.parametrize(
    ("changed", "percent"),
    [
        ({}, 100.0),
        ({"rows": 2_985, "missing": 15}, 99.5),
        ({"sessions": 1, "failed": 1}, 50.0),
        ({"sessions": 0, "rows": 0, "failed": 2}, 0.0),
        ({"sessions": 3, "rows": 8_910, "missing": 90, "failed": 1}, 74.25),
    ],
)
def test_fetch_success_is_the_share_of_the_bars_that_came(
    changed: dict[str, Any], percent: float
) -> None:
    (kpi,) = kpis(SessionRange(), fetched(**changed))
    assert (kpi.name, kpi.unit) == ("FetchSuccess", "Percent")
    assert kpi.value == pytest.approx(percent)


@pytest.mark.parametrize(
    "changed", [{"sessions": 0, "rows": 0}, {"again": True, "missing": 7}], ids=["idle", "again"]
)
def test_a_fetch_that_did_nothing_or_goes_on_says_nothing(changed: dict[str, Any]) -> None:
    assert kpis(SessionRange(), fetched(**changed)) == ()


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 100_000), st.integers(0, 100_000))
def test_fetch_success_is_a_percentage(sessions: int, failed: int, rows: int, lost: int) -> None:
    answer = fetched(sessions=sessions, failed=failed, rows=rows, missing=lost)
    for kpi in kpis(SessionRange(), answer):
        assert 0.0 <= kpi.value <= 100.0


def rank_request(begun: datetime | None) -> RankRequest:
    uri = "s3://runs/key"
    return RankRequest.model_construct(
        month=MonthRun.model_construct(),
        resolved=Resolved.model_construct(),
        prepared=Prepared.model_construct(),
        context=Context(context_uri=uri, batches=(0,), begun=begun),
        champion=Champion.model_construct(),
        scored=(),
    )


RANKED = Ranked(signals_uri="s3://runs/key", count=1, buy=1, sell=0, hold=0)


def test_scoring_latency_runs_from_the_context_to_the_ranks() -> None:
    begun = datetime.now(UTC) - timedelta(seconds=90)
    (kpi,) = kpis(rank_request(begun), RANKED)
    assert (kpi.name, kpi.unit) == ("ScoringSeconds", "Seconds")
    assert kpi.value >= 90.0


def test_a_context_of_before_the_measure_has_no_latency() -> None:
    assert kpis(rank_request(None), RANKED) == ()


@pytest.mark.parametrize("enveloped", [False, True], ids=["plain", "of EventBridge"])
@pytest.mark.parametrize("kind", ["Send", "Delivery", "Bounce", "Complaint", "Reject"])
def test_events_of_our_mails_are_counted_by_kind(kind: str, enveloped: bool) -> None:
    event: dict[str, Any] = {"eventType": kind}
    request = MailEvent.model_validate({"detail": event} if enveloped else event)
    assert kpis(request, Recorded(recorded=True)) == [Kpi(f"Mail{kind}", 1.0, "Count")]
    assert kpis(request, Recorded(recorded=False)) == ()


def test_other_events_are_not_counted() -> None:
    opened = MailEvent.model_validate({"eventType": "Open"})
    assert kpis(opened, Recorded(recorded=True)) == ()
