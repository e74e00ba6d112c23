"""Each provider against a service that works: its bars are the market's, in our convention."""

from datetime import date
from typing import Any

import numpy as np
import pytest
from provider_examples import (
    ALL,
    FIRST,
    LAST,
    MORNING_AFTER,
    make_fallback,
    make_providers,
    make_settings,
    small_market,
)
from vendor_services import Services
from virtual_time import VirtualClock, run_virtually

from trading.errors import ProviderRefused
from trading.market.bars import BAR_COLUMNS

MARKET = small_market(6)


def ask(name: str, symbols: list[str] | None, start: date, end: date, **options: Any) -> Any:
    services = options.pop("services", Services(MARKET))
    clock = VirtualClock(options.pop("now", MORNING_AFTER))
    provider = make_providers(make_settings(), [name], services=services, clock=clock)[0]
    return run_virtually(provider.fetch(symbols, start, end)), services


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("start", [LAST, date(2024, 6, 3), FIRST])
def test_a_provider_tells_the_markets_bars(name: str, start: date) -> None:
    names = MARKET.symbols[1:] if name in ("yahoo", "alpha_vantage") else MARKET.symbols
    result, _ = ask(name, names, start, LAST)
    assert tuple(result.bars.columns) == BAR_COLUMNS
    assert len(result.bars) == len(names) * len(MARKET.rows(start, LAST))
    assert result.complete
    told = result.bars.assign(
        adjusted_close=result.bars["adjusted_close"].fillna(result.bars["close"])
    )
    assert MARKET.wrong_rows(told).empty


def test_alpha_vantage_bars_are_split_adjusted_and_tell_the_split() -> None:
    result, services = ask("alpha_vantage", ["T0001"], FIRST, LAST)
    assert not result.actions
    market = small_market(6)
    market.splits = {1: (60, 4.0)}
    result, services = ask("alpha_vantage", ["T0001"], FIRST, LAST, services=Services(market))
    assert market.wrong_rows(result.bars).empty
    assert [(a.ex_date, a.value) for a in result.actions] == [(market.day(60), 4.0)]
    assert "full" in services.targets[0]


def test_a_day_of_the_whole_market_is_one_request() -> None:
    result, services = ask("polygon", None, LAST, LAST)
    assert services.seen == {"polygon": 1}
    assert sorted(result.bars["symbol"]) == sorted(MARKET.symbols)
    assert result.bars["adjusted_close"].isna().all()


@pytest.mark.parametrize("spelling", ["BRK.B", "BRK-B", "BRK/B", "BRKB"])
def test_class_shares_keep_the_spelling_that_was_asked_for(spelling: str) -> None:
    result, _ = ask("polygon", [spelling], LAST, LAST)
    assert list(result.bars["symbol"]) == [spelling]


def test_few_symbols_over_many_sessions_are_asked_one_by_one() -> None:
    result, services = ask("polygon", ["T0001", "T0002"], FIRST, LAST)
    assert services.seen == {"polygon": 2}
    assert result.complete


@pytest.mark.parametrize("name", ALL)
def test_an_unknown_symbol_is_missing_with_the_reason(name: str) -> None:
    result, _ = ask(name, ["T0001", "NONE"], LAST, LAST)
    assert list(result.bars["symbol"]) == ["T0001"]
    (gap,) = result.missing
    assert (gap.symbol, gap.first, gap.last, gap.sessions, gap.fields) == (
        "NONE",
        LAST,
        LAST,
        1,
        (),
    )
    assert name in gap.reason
    assert not gap.may_pass


@pytest.mark.parametrize("name", ["yahoo", "alpha_vantage", "iex"])
def test_nothing_at_all_is_an_error_with_the_reason(name: str) -> None:
    with pytest.raises(ProviderRefused, match=name):
        ask(name, ["NONE"], LAST, LAST)
    with pytest.raises(ProviderRefused, match="one symbol at a time"):
        ask(name, None, LAST, LAST)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("symbol", ["../v3", "a b", "", "T1?x=1", "Ä", "\ud800", "lower"])
def test_what_is_no_symbol_is_never_put_into_a_request(name: str, symbol: str) -> None:
    services = Services(MARKET)
    with pytest.raises(ProviderRefused, match="no symbol"):
        ask(name, [symbol], LAST, LAST, services=services)
    assert not services.seen


def test_a_session_that_is_not_over_is_not_asked_for() -> None:
    during = MORNING_AFTER.replace(day=28, hour=15)
    with pytest.raises(ProviderRefused, match="no session that is over"):
        ask("yahoo", ["T0001"], LAST, LAST, now=during)
    result, _ = ask("yahoo", ["T0001"], date(2024, 6, 27), LAST, now=during)
    assert result.report.last == date(2024, 6, 27)
    after = during.replace(hour=20, minute=30)
    result, _ = ask("yahoo", ["T0001"], LAST, LAST, now=after)
    assert result.report.last == LAST


def test_what_lies_after_the_end_changes_nothing_before_it() -> None:
    longer, _ = ask("alpha_vantage", ["T0002"], FIRST, LAST)
    shorter, _ = ask("alpha_vantage", ["T0002"], FIRST, date(2024, 5, 31))
    head = longer.bars[: len(shorter.bars)]
    for column in BAR_COLUMNS:
        assert (head[column].to_numpy() == shorter.bars[column].to_numpy()).all()


def test_the_estimate_is_the_number_of_requests() -> None:
    provider = make_providers(make_settings(), ["polygon"], services=Services(MARKET))[0]
    assert provider.calls(3_000, 1) == 1
    assert provider.calls(2, 500) == 2
    slow = make_settings(polygon={"base_url": "http://x.test", "plan": "free"})
    provider = make_providers(slow, ["polygon"], services=Services(MARKET))[0]
    estimate = provider.estimate(3_000, 21)
    assert (estimate.calls, estimate.seconds) == (21, 20 * 12.0)
    free = make_settings(alpha_vantage={"plan": "free"})
    assert make_providers(free, ["alpha_vantage"], services=Services(MARKET))[0].calls(9, 100) == 9


def test_backups_complete_what_the_primary_lacks_and_every_value_tells_its_source() -> None:
    class Forgetful(Services):
        def _polygon(self, *asked: Any) -> Any:
            content, status = super()._polygon(*asked)
            rows = [r for r in content["results"] if r.get("T") != "T0003"]
            for row in rows:
                if row.get("T") == "T0004":
                    row["v"] = None
            return content | {"results": rows, "resultsCount": len(rows)}, status

    clock = VirtualClock(MORNING_AFTER)
    fallback = make_fallback(
        make_settings(), ["polygon", "yahoo"], services=Forgetful(MARKET), clock=clock
    )
    names = MARKET.symbols[1:]
    result = run_virtually(fallback.fetch(names, LAST, LAST))
    assert result.complete
    assert MARKET.wrong_rows(result.bars).empty
    provenance = result.provenance.set_index("symbol")
    assert provenance["source"].astype(str).to_dict() == {
        name: "yahoo" if name == "T0003" else "polygon" for name in names
    }
    assert provenance.loc["T0004", ["close_source", "volume_source"]].tolist() == [
        "polygon",
        "yahoo",
    ]
    assert any("1 of 5 bars came from the backup yahoo" in alert for alert in result.alerts)


def test_a_disagreement_is_reported_and_fields_on_another_scale_are_not_mixed() -> None:
    class Unadjusted(Services):
        def _yahoo(self, *asked: Any) -> Any:
            content, status = super()._yahoo(*asked)
            (quotes,) = content["chart"]["result"][0]["indicators"]["quote"]
            for name in ("open", "high", "low", "close"):
                quotes[name] = [4 * value for value in quotes[name]]
            return content, status

        def _polygon(self, *asked: Any) -> Any:
            content, status = super()._polygon(*asked)
            for row in content["results"]:
                row["v"] = None if row.get("T") == "T0002" else row.get("v")
            return content, status

    clock = VirtualClock(MORNING_AFTER)
    fallback = make_fallback(
        make_settings(cross_checks=3),
        ["polygon", "yahoo"],
        services=Unadjusted(MARKET),
        clock=clock,
    )
    result = run_virtually(fallback.fetch(MARKET.symbols[1:], LAST, LAST))
    (gap,) = result.missing
    assert (gap.symbol, gap.fields) == ("T0002", ("volume",))
    assert len(result.disagreements) >= 3
    for apart in result.disagreements:
        assert (apart.source, apart.other) == ("polygon", "yahoo")
        assert apart.other_close == pytest.approx(4 * apart.close)
    assert any("closes differ" in alert for alert in result.alerts)
    bars = result.bars.set_index("symbol")
    t = MARKET.rows(LAST, LAST)[0]
    np.testing.assert_allclose(
        bars.loc["T0002", "close"], MARKET.values["close"][t, MARKET.symbols.index("T0002")]
    )


def test_the_fallback_adds_the_splits_that_polygons_bars_come_without() -> None:
    clock = VirtualClock(MORNING_AFTER)
    fallback = make_fallback(make_settings(), ["polygon"], services=Services(MARKET), clock=clock)
    result = run_virtually(fallback.fetch(["BRK-B", "T0001"], FIRST, LAST))
    row, ratio = MARKET.splits[0]
    assert [(a.symbol, a.ex_date, a.value) for a in result.actions] == [
        ("BRK-B", MARKET.day(row), ratio)
    ]
    assert not result.alerts

    class Silent(Services):
        def _polygon(self, path: str, *asked: Any) -> Any:
            if path.startswith("/v3/"):
                return {"status": "NOT_AUTHORIZED", "message": "upgrade"}, 403
            return super()._polygon(path, *asked)

    fallback = make_fallback(make_settings(), ["polygon"], services=Silent(MARKET), clock=clock)
    result = run_virtually(fallback.fetch(["T0001"], LAST, LAST))
    assert result.complete
    assert [alert[:45] for alert in result.alerts] == [
        "polygon did not tell splits and dividends: po"
    ]
