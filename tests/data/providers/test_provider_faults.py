"""Providers and fallback against services that fail: complete, or an exact list of what is missing.

Never a wrong bar: every bar that comes back is compared with the market.
"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from faulty_server import FaultyServer
from provider_examples import (
    ALL,
    FIRST,
    LAST,
    MORNING_AFTER,
    make_fallback,
    make_providers,
    make_settings,
    small_market,
    symbols_of,
)
from vendor_services import FAULTS, Market, Services
from virtual_time import VirtualClock, run_virtually

from trading.data.providers.base import FetchResult
from trading.data.providers.clock import LoopClock
from trading.errors import ProviderError, ProviderRefused
from trading.market.calendar import sessions_between, utc_midnight

# A whole market's partial day is a part of it: the fallback completes it.
HARMLESS = {("polygon", "partial")}


class FixedDay(LoopClock):
    """The machine's timers, on the morning after the market's last session."""

    def now(self) -> datetime:
        return MORNING_AFTER


def check_against(market: Market, result: FetchResult, symbols: Sequence[str], days: int) -> int:
    """Check that no bar is wrong and that what is missing is told exactly; return how much is."""
    wrong = market.wrong_rows(
        result.bars.assign(
            adjusted_close=result.bars["adjusted_close"].fillna(result.bars["close"])
        )
    )
    assert wrong.empty, wrong
    assert not result.bars.duplicated(["date", "symbol"]).any()
    whole = [gap for gap in result.missing if not gap.fields]
    assert sum(gap.sessions for gap in whole) + len(result.bars) == len(symbols) * days
    held = set(zip(result.bars["symbol"], result.bars["date"].dt.date, strict=True))
    for gap in whole:
        assert not any(s == gap.symbol and gap.first <= d <= gap.last for s, d in held)
        assert gap.reason
    return sum(gap.sessions for gap in whole)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ALL)
def test_a_fault_every_second_time_is_overcome_or_told(name: str, fault: str) -> None:
    market = small_market(8)
    services = Services(market, rate=0.5, seed=4, faults=[fault])
    clock = VirtualClock(MORNING_AFTER)
    provider = make_providers(make_settings(), [name], services=services, clock=clock)[0]
    names = market.symbols[1:]
    if (name, fault) == ("polygon", "wrong symbol"):
        with pytest.raises(ProviderRefused, match="no usable bar"):
            run_virtually(provider.fetch(names, LAST, LAST))
        return
    result = run_virtually(provider.fetch(names, LAST, LAST))
    check_against(market, result, names, 1)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ALL)
def test_a_fault_every_time_is_a_named_error(name: str, fault: str) -> None:
    market = small_market(3)
    services = Services(market, rate=1.0, faults=[fault])
    clock = VirtualClock(MORNING_AFTER)
    provider = make_providers(make_settings(), [name], services=services, clock=clock)[0]
    names = market.symbols[1:]
    if fault == "wrong content type" or (name, fault) in HARMLESS:
        check_against(market, run_virtually(provider.fetch(names, LAST, LAST)), names, 1)
        return
    with pytest.raises(ProviderError, match=name):
        run_virtually(provider.fetch(names, LAST, LAST))


@pytest.mark.parametrize("seed", range(6))
def test_a_month_at_thirty_per_cent_of_every_fault(seed: int) -> None:
    market = small_market(25)
    services = Services(market, rate=0.3, seed=seed)
    clock = VirtualClock(MORNING_AFTER)
    fallback = make_fallback(make_settings(), services=services, clock=clock)
    names = market.symbols[1:]
    result = run_virtually(fallback.fetch(names, date(2024, 6, 3), LAST))
    missing = check_against(market, result, names, len(market.rows(date(2024, 6, 3), LAST)))
    assert (missing > 0) == any("missing" in alert for alert in result.alerts)
    assert result.complete == (not result.missing)
    assert len(services.injected) > 5


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_a_day_over_real_sockets(rate: float) -> None:
    market = small_market(60)
    services = Services(market, rate=rate, seed=2)
    names = market.symbols[1:]
    with FaultyServer(services, MORNING_AFTER) as server:
        settings = make_settings(f"http://127.0.0.1:{server.port}", timeout_seconds=0.3)
        fallback = make_fallback(settings, clock=FixedDay())
        result = asyncio.run(fallback.fetch(names, LAST, LAST))
    check_against(market, result, names, 1)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["timeout", "reset", "short body", "truncated", "html"])
def test_each_fault_of_the_wire_over_real_sockets(fault: str) -> None:
    market = small_market(12)
    services = Services(market, rate=0.3, seed=6, faults=[fault])
    with FaultyServer(services, MORNING_AFTER) as server:
        # A server that answers needs more than this on a machine that is busy with other things.
        seconds = 3.0 if fault == "timeout" else 60.0
        root = f"http://127.0.0.1:{server.port}"
        settings = make_settings(root, timeout_seconds=seconds, max_wait_seconds=60.0)
        provider = make_providers(settings, ["iex"], clock=FixedDay())[0]
        result = asyncio.run(provider.fetch(market.symbols, LAST, LAST))
    check_against(market, result, market.symbols, 1)
    assert services.injected[fault] > 1
    assert result.complete


def test_a_primary_that_is_down_is_replaced_and_told() -> None:
    market = small_market(10)
    services = Services(market, down=["polygon"])
    clock = VirtualClock(MORNING_AFTER)
    fallback = make_fallback(make_settings(), ["polygon", "iex"], services=services, clock=clock)
    result = run_virtually(fallback.fetch(market.symbols, LAST, LAST))
    assert check_against(market, result, market.symbols, 1) == 0
    assert any(alert.startswith("polygon failed: polygon answered 503") for alert in result.alerts)
    assert set(result.provenance["source"]) == {"iex"}


def test_everything_down_is_one_error_with_every_reason() -> None:
    services = Services(small_market(3), down=ALL)
    clock = VirtualClock(MORNING_AFTER)
    fallback = make_fallback(make_settings(), services=services, clock=clock)
    with pytest.raises(ProviderRefused, match=r"polygon answered 503.*yahoo.*alpha_vantage.*iex"):
        run_virtually(fallback.fetch(["T0001"], LAST, LAST))


def test_a_day_of_three_thousand_symbols_at_thirty_per_cent() -> None:
    market = Market(symbols_of(3_000), date(2024, 6, 20), LAST)
    services = Services(market, rate=0.3, seed=9)
    clock = VirtualClock(MORNING_AFTER)
    fallback = make_fallback(
        make_settings(), services=services, clock=clock, expected=market.symbols[1:]
    )
    result = run_virtually(fallback.fetch(None, LAST, LAST))
    check_against(market, result, market.symbols[1:], 1)
    assert result.complete or any("missing" in alert for alert in result.alerts)


@pytest.mark.parametrize(
    "symbols",
    [
        pytest.param(25, marks=pytest.mark.slow),
        pytest.param(3_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
)
def test_a_thousand_days_at_ten_per_cent(symbols: int) -> None:
    """One run of years: one clock, one fallback, each session fetched the morning after."""
    sessions = sessions_between(date(2020, 1, 2), date(2023, 12, 29))[:1_000]
    first, last = sessions[0].astype(object), sessions[-1].astype(object)
    market = Market(symbols_of(symbols), first, last)
    services = Services(market, rate=0.1, seed=1)
    clock = VirtualClock(utc_midnight(first))
    fallback = make_fallback(make_settings(cross_checks=3), services=services, clock=clock)
    names = market.symbols[1:]
    whole, lost = 0, 0

    async def mornings() -> None:
        nonlocal whole, lost
        for day in (session.astype(object) for session in sessions):
            morning = utc_midnight(day) + timedelta(days=1, hours=6)
            await clock.sleep((morning - clock.now()).total_seconds())
            missing = check_against(market, await fallback.fetch(names, day, day), names, 1)
            whole, lost = whole + (missing == 0), lost + missing
            services.targets.clear()

    run_virtually(mornings())
    sys.stdout.write(f"{whole} of {len(sessions)} days whole, {lost} bars lost\n")
    assert whole / len(sessions) >= 0.995
    assert lost / (len(sessions) * len(names)) <= 0.005
    assert set(services.injected) == set(FAULTS)


def test_the_missing_runs_are_exact() -> None:
    class Holes(Services):
        def _content(self, service, path, *rest):  # type: ignore[no-untyped-def]
            if "T0002" in path:
                return [], 200
            content, status = super()._content(service, path, *rest)
            if "T0001" in path and service == "iex":
                days = {str(self.market.sessions[t]) for t in (3, 4, 5, 9)}
                content = [row for row in content if row["date"] not in days]
            return content, status

    market = small_market(4)
    clock = VirtualClock(MORNING_AFTER)
    fallback = make_fallback(make_settings(), ["iex"], services=Holes(market), clock=clock)
    end = market.day(19)
    result = run_virtually(fallback.fetch(market.symbols, FIRST, end))
    gaps = [(g.symbol, g.first, g.last, g.sessions) for g in result.missing]
    assert gaps == [
        ("T0001", market.day(3), market.day(5), 3),
        ("T0001", market.day(9), market.day(9), 1),
        ("T0002", market.day(0), market.day(19), 20),
    ]
    for first, second in pairwise(result.missing):
        assert (first.symbol, first.first) < (second.symbol, second.first)
    assert np.isfinite(result.bars["close"]).all()
