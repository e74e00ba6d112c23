"""The plan of a backfill: requests by the services' own cost, time by limits and measured pace."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trading.config import Settings
from trading.data.backfill import (
    ASSUMED,
    BackfillPlan,
    Pace,
    PaceBook,
    Work,
    call_costs,
    plan_backfill,
    requested_sessions,
    take_account,
)
from trading.data.providers.client import CallCount
from trading.errors import ConfigurationError, DataError
from trading.market.calendar import sessions_between

FIRST, LAST, TODAY = date(2021, 1, 4), date(2023, 12, 29), date(2024, 1, 2)
SESSIONS = tuple(s.astype(object) for s in sessions_between(FIRST, LAST))


def settings_of(provider: str, **vendor: Any) -> Settings:
    providers = {provider: vendor} if vendor else {}
    return Settings.model_validate({"data": {"provider": provider, "providers": providers}})


def plan_of_three_years(
    settings: Settings, symbols: int | None, *, pace: Pace = ASSUMED, **changes: Any
) -> BackfillPlan:
    given: dict[str, Any] = {
        "first": FIRST,
        "last": LAST,
        "ask": SESSIONS,
        "held": 0,
        "future": 0,
        "symbols": symbols,
        "universe": "the market",
        "today": TODAY,
        "pace": pace,
        "free_bytes": None,
    }
    return plan_backfill(settings, **given | changes)


def test_a_market_by_session_takes_a_request_a_session_and_pages_of_actions() -> None:
    costs = call_costs("polygon", Work(SESSIONS, None, TODAY))
    assert [cost.calls for cost in costs] == [753, 24, 1, 45]
    assert [cost.exact for cost in costs] == [True, False, False, False]
    assert all("pages of 1,000" in cost.what for cost in costs[1:])


def test_few_symbols_of_polygon_are_asked_symbol_by_symbol() -> None:
    by_symbol = call_costs("polygon", Work(SESSIONS, 300, TODAY))
    assert by_symbol[0].calls == 300
    assert [cost.calls for cost in by_symbol[1:]] == [24, 1, 45]
    few = call_costs("polygon", Work(SESSIONS, 3, TODAY))
    assert [cost.calls for cost in few] == [3, 1, 45]
    by_session = call_costs("polygon", Work(SESSIONS[:300], 300, TODAY))
    assert by_session[0].calls == 300
    assert "session" in by_session[0].what


@pytest.mark.parametrize("name", ["yahoo", "alpha_vantage", "iex"])
def test_other_services_take_a_request_a_symbol_whatever_the_span(name: Any) -> None:
    assert sum(c.calls for c in call_costs(name, Work(SESSIONS, 3_000, TODAY))) == 3_000
    assert sum(c.calls for c in call_costs(name, Work(SESSIONS[:1], 3_000, TODAY))) == 3_000
    assert call_costs(name, Work((), 3_000, TODAY)) == ()
    assert call_costs(name, Work(SESSIONS, 0, TODAY)) == ()


def test_time_is_the_slower_of_the_limits_and_the_answers() -> None:
    free = plan_of_three_years(settings_of("polygon", plan="free"), None)
    assert free.waiting_seconds == pytest.approx((free.calls - 1) * 12.0)
    paid = plan_of_three_years(settings_of("polygon", plan="paid"), None)
    # 21 requests at once, half a second each
    assert paid.waiting_seconds == pytest.approx(np.ceil(paid.calls / 21) * 0.5)
    slow = ASSUMED.with_calls("polygon", 100, 1_000.0, TODAY)
    slower = plan_of_three_years(settings_of("polygon", plan="paid"), None, pace=slow)
    assert slower.waiting_seconds == pytest.approx(20 * paid.waiting_seconds)
    assert (slower.pace.measured, paid.pace.measured) == (TODAY, None)
    assert free.long
    assert not plan_of_three_years(settings_of("yahoo"), 10).long


def test_a_quota_a_day_spreads_the_work_over_days() -> None:
    plan = plan_of_three_years(settings_of("alpha_vantage", plan="free"), 3_000)
    assert plan.quota_days == 120
    assert plan.long
    assert plan_of_three_years(settings_of("yahoo"), 3_000).quota_days == 0


def test_nothing_to_ask_costs_nothing() -> None:
    plan = plan_of_three_years(settings_of("polygon"), None, ask=(), held=753)
    assert (plan.calls, plan.seconds, plan.disk_bytes, plan.long) == (0, 0.0, 0, False)
    assert plan.to_dict()["sessions"]["first"] is None


def test_a_disk_that_is_too_small_is_told() -> None:
    plan = plan_of_three_years(settings_of("polygon"), None, free_bytes=10_000_000)
    assert plan.disk_bytes > 400_000_000
    assert not plan.fits
    assert plan_of_three_years(settings_of("polygon"), None).fits


def test_a_simulated_market_is_not_asked_over_the_network() -> None:
    plan = plan_of_three_years(settings_of("simulated"), None)
    assert plan.bars == 3_200 * len(SESSIONS)
    assert (plan.calls, plan.waiting_seconds, plan.limits) == (0, 0.0, None)
    assert plan.handling_seconds > 0


def test_a_plan_is_plain_json() -> None:
    plan = plan_of_three_years(settings_of("polygon"), None)
    told = json.loads(json.dumps(plan.to_dict(), allow_nan=False))
    assert told["calls"]["total"] == plan.calls
    assert sum(kind["calls"] for kind in told["calls"]["by_kind"]) == plan.calls
    assert told["sessions"] == {
        "requested": 753,
        "holidays": 27,
        "held": 0,
        "not_over": 0,
        "to_ask": 753,
        "first": "2021-01-04",
        "last": "2023-12-29",
    }


def test_the_sessions_of_a_span_and_its_holidays() -> None:
    assert requested_sessions(date(2024, 7, 3), date(2024, 7, 5), "XNYS") == (
        (date(2024, 7, 3), date(2024, 7, 5)),
        1,
    )
    assert requested_sessions(date(2024, 7, 4), date(2024, 7, 4), "XNYS") == ((), 1)
    assert requested_sessions(date(2024, 7, 6), date(2024, 7, 7), "XNYS") == ((), 0)


@pytest.mark.parametrize(
    ("first", "last", "exchange", "told"),
    [
        (date(2024, 1, 3), date(2024, 1, 2), "XNYS", "--from 2024-01-03 is after --to 2024-01-02"),
        (date(1996, 1, 3), date(2024, 1, 2), "XTKS", "XTKS are known from 1997-01-01"),
        (date(1980, 1, 3), date(2024, 1, 2), "XNYS", "known from 1990-01-01 to 2035-12-31"),
        (date(2024, 1, 3), date(2044, 1, 2), "XNYS", "reaches beyond"),
        (date(2024, 1, 3), date(2024, 1, 4), "NOWHERE", "not a calendar"),
    ],
)
def test_days_that_cannot_be_are_misuse(first: date, last: date, exchange: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        requested_sessions(first, last, exchange)


def test_iex_without_a_server_and_an_unknown_plan_are_misuse() -> None:
    with pytest.raises(ConfigurationError, match="shut down"):
        plan_of_three_years(settings_of("iex"), 10)
    with pytest.raises(ConfigurationError, match=r"polygon\.plan is 'gold'"):
        plan_of_three_years(settings_of("polygon", plan="gold"), 10)


def test_the_pace_is_kept_and_moves_with_each_measurement(tmp_path: Path) -> None:
    book = PaceBook(tmp_path / "home" / "pace.json")
    assert book.read() == ASSUMED
    pace = book.read().with_calls("yahoo", 10, 20.0, TODAY).with_handling(100, 1_000, 6.45)
    book.write(pace)
    assert book.read() == pace
    assert pace.of("yahoo").seconds_a_call == 2.0
    assert pace.handling == pytest.approx(2.0)
    assert pace.seconds_to_handle(100, 1_000) == pytest.approx(6.45)
    again = pace.with_calls("yahoo", 5, 5.0, TODAY)
    assert again.of("yahoo").seconds_a_call == pytest.approx(1.5)
    assert again.with_calls("yahoo", 0, 0.0, TODAY) == again
    assert again.with_handling(0, 0, 3.0) == again
    assert not list(tmp_path.glob("home/*.new"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"providers": {"yahoo": 3}, "sessions": 1, "handling": 1}',
        '{"providers": {}, "sessions": 1, "handling": NaN}',
        '{"providers": {}, "sessions": 1, "handling": -1}',
        '{"providers": {"yahoo": {"seconds_a_call": "soon", "calls": 1, "measured": null}},'
        ' "sessions": 1, "handling": 1}',
        "\u0000",
    ],
)
def test_a_record_that_is_none_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "pace.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="no record of measured times"):
        PaceBook(tmp_path / "pace.json").read()


def test_a_record_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        PaceBook(tmp_path / "home" / "pace.json").write(ASSUMED)


def test_the_account_stands_beside_the_plan() -> None:
    plan = plan_of_three_years(settings_of("yahoo"), 300)
    calls = {"yahoo": CallCount(320, 20, 3.5, 310, 155.0), "iex": CallCount()}
    account = take_account(plan, calls, seconds=61.26, bars=1_000, bytes_written=None)
    assert (account.planned_calls, account.calls) == (300, 320)
    assert account.sources["yahoo"].seconds_a_call == 0.5
    assert account.sources["iex"].seconds_a_call is None
    assert json.loads(json.dumps(account.to_dict()))["seconds"] == 61.3
