"""A service's own clock: answers that were made before a session was final are not its bars."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from faulty_server import FaultyServer
from provider_examples import LAST, make_fallback, make_providers, make_settings, small_market
from vendor_services import Services

from trading.data.providers.base import FetchResult
from trading.data.providers.clock import LoopClock
from trading.data.providers.failures import parse_http_date
from trading.errors import ProviderStopped

FIRST = date(2024, 6, 24)
NOON = datetime(2024, 6, 28, 16, 0, tzinfo=UTC)
EVENING = datetime(2024, 6, 28, 20, 21, tzinfo=UTC)


class Ahead(LoopClock):
    """A machine's clock that has reached the morning after already."""

    def now(self) -> datetime:
        return datetime(2024, 6, 29, 6, 0, tzinfo=UTC)


def fetched(now: datetime, names: Sequence[str], *, dated: bool = True) -> FetchResult:
    market = small_market(3)
    with FaultyServer(Services(market), now, dated=dated) as server:
        settings = make_settings(f"http://127.0.0.1:{server.port}")
        return asyncio.run(
            make_fallback(settings, names, clock=Ahead()).fetch(market.symbols[1:], FIRST, LAST)
        )


@pytest.mark.parametrize("name", ["polygon", "yahoo", "alpha_vantage", "iex"])
def test_bars_of_a_session_under_way_are_refused(name: str) -> None:
    with pytest.raises(ProviderStopped) as refused:
        fetched(NOON, [name])
    told = str(refused.value)
    assert f"{name} answered at 2024-06-28 16:00 UTC by its own clock" in told
    assert "before the session 2024-06-28 was final" in told
    assert "this machine's clock says 2024-06-29 06:00 UTC: set it right" in told


def test_answers_made_when_the_session_was_final_are_its_bars() -> None:
    assert len(fetched(EVENING, ["yahoo"]).bars) == 2 * 5
    assert len(fetched(NOON, ["yahoo"], dated=False).bars) == 2 * 5


def test_a_date_that_is_no_clock_is_not_believed() -> None:
    assert len(fetched(NOON - timedelta(days=60), ["yahoo"]).bars) == 2 * 5


def test_sessions_before_are_not_touched_by_a_clock_that_runs_ahead() -> None:
    market = small_market(3)
    with FaultyServer(Services(market), NOON, dated=True) as server:
        settings = make_settings(f"http://127.0.0.1:{server.port}")
        provider = make_providers(settings, ["yahoo"], clock=Ahead())[0]
        held = asyncio.run(provider.fetch(market.symbols[1:], FIRST, date(2024, 6, 27)))
        assert len(held.bars) == 2 * 4


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Fri, 28 Jun 2024 16:00:00 GMT", NOON),
        ("Friday, 28-Jun-24 16:00:00 GMT", NOON),
        ("Fri Jun 28 16:00:00 2024", NOON),
        ("soon", None),
        ("", None),
        (None, None),
        ("Fri, 99 Jun 99999 99:99:99 GMT", None),
    ],
)
def test_http_dates(text: str | None, read: datetime | None) -> None:
    assert parse_http_date(text) == read
