"""One code path: a paper session and a backtest over the same bars do the same."""

import asyncio
import os
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paper_parity import assert_alike, make_session, run_backtest, run_paper
from random_sessions import PlainDice, ShortingDice, random_feed, session_settings, session_sleeves

from trading.backtest.engine import Sleeve, backtest
from trading.backtest.feed import BarFeed
from trading.backtest.settings import BacktestSettings
from trading.market.panel import Panel
from trading.risk.sizing import build_sizer
from trading.session.home import SessionHome
from trading.session.ledger import SessionLedger
from trading.session.settings import SessionSettings
from trading.session.store import SessionStore
from trading.strategy.mean_reversion import MeanReversion
from trading.strategy.momentum import Momentum
from trading.strategy.trend_following import TrendFollowing

QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
BARS = 32
REPOSITORY = Path(__file__).parents[2]


def check(
    seed: int, per_session: int, sleeves: list[Sleeve], rules: SessionSettings, bars: int = BARS
) -> None:
    feed = random_feed(seed, bars=bars, per_session=per_session)
    result = run_backtest(sleeves, feed, rules)
    with tempfile.TemporaryDirectory() as folder:
        assert_alike(run_paper(Path(folder), sleeves, feed, rules), result)


@pytest.mark.slow
@settings(max_examples=15, **QUIET)
@given(st.integers(0, 10_000), st.sampled_from([1, 1, 4]), session_sleeves(), session_settings())
def test_a_paper_session_does_what_the_backtest_does(
    seed: int, per_session: int, sleeves: list[Sleeve], rules: SessionSettings
) -> None:
    check(seed, per_session, sleeves, rules)


@pytest.mark.soak
@settings(max_examples=1000, **QUIET)
@given(st.integers(0, 10**9), st.sampled_from([1, 1, 4]), session_sleeves(), session_settings())
def test_many_paper_sessions_do_what_the_backtest_does(
    seed: int, per_session: int, sleeves: list[Sleeve], rules: SessionSettings
) -> None:
    check(seed, per_session, sleeves, rules)


def eventful() -> tuple[list[Sleeve], SessionSettings]:
    """Strategies and settings under which nearly everything happens."""
    kinds = [ShortingDice.build("short", seed=3, one_in=2), PlainDice.build("plain", one_in=2)]
    sleeves = [Sleeve(one, build_sizer("fixed_fraction", {"fraction": 0.6}), 0.5) for one in kinds]
    rules = {
        "power_safe": False,
        "execution": {
            "account": "margin",
            "initial_cash": 200_000,
            "max_volume_share": 0.05,
            "max_stale_sessions": 1,
            "delisting_return": -0.3,
        },
        "risk": {
            "max_position": {"limit": 0.2, "action": "resize"},
            "max_daily_trades": {"limit": 3.0, "action": "reject"},
            "stop_loss": 0.05,
            "max_drawdown": 0.1,
        },
    }
    return sleeves, SessionSettings.model_validate(rules)


# Markets, daily and hourly, that have splits, dividends, delistings and stale names together.
EVENTFUL_SEEDS = (0, 1, 2, 3, 4, 5)


def eventful_feed(seed: int, bars: int = 60) -> BarFeed:
    return random_feed(seed, bars=bars, per_session=1 if seed % 2 == 0 else 4)


def test_the_eventful_runs_hold_what_they_are_meant_to_hold() -> None:
    sleeves, rules = eventful()
    reasons, statuses, limits = set(), set(), set()
    dividends, borrow = 0.0, 0.0
    for seed in EVENTFUL_SEEDS:
        result = run_backtest(sleeves, eventful_feed(seed), rules)
        reasons |= set(result.closings["reason"]) | set(result.orders["reason"])
        statuses |= set(result.orders["status"])
        limits |= set(result.risk_events["limit"])
        dividends, borrow = dividends + abs(result.dividends), borrow + result.borrow_cost
    assert {"split", "delisted", "stale", "superseded", "end_of_session"} <= reasons
    assert {"FILLED", "CANCELLED", "EXPIRED", "REJECTED"} <= statuses
    assert {"max_position", "max_daily_trades", "stop_loss", "drawdown_halt"} <= limits
    assert dividends > 0.0
    assert borrow > 0.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", EVENTFUL_SEEDS)
def test_an_eventful_session(seed: int, tmp_path: Path) -> None:
    sleeves, rules = eventful()
    feed = eventful_feed(seed)
    assert_alike(run_paper(tmp_path, sleeves, feed, rules), run_backtest(sleeves, feed, rules))


class Interrupted(BaseException):
    """Ends a session where it stands, as a signal does."""


def run_in_pieces(path: Path, sleeves: list[Sleeve], feed: BarFeed, rules: SessionSettings) -> int:
    """Run a session that is interrupted after every third bar; return how often it was."""
    home, times = SessionHome(path), 0
    while True:
        count = 0

        def stop(point: object) -> None:
            nonlocal count
            count += 1
            if count == 3:
                raise Interrupted

        try:
            asyncio.run(make_session(home, sleeves, feed, rules, on_bar=stop).run())
        except Interrupted:
            times += 1
            continue
        return times


@pytest.mark.slow
def test_a_session_that_is_stopped_and_started_goes_on(tmp_path: Path) -> None:
    sleeves, rules = eventful()
    feed = random_feed(2, bars=40)
    assert run_in_pieces(tmp_path, sleeves, feed, rules) == 13
    assert_alike(SessionLedger(SessionHome(tmp_path)), run_backtest(sleeves, feed, rules))


@pytest.mark.slow
def test_a_session_over_a_part_of_the_bars_is_the_backtest_from_there(tmp_path: Path) -> None:
    sleeves, rules = eventful()
    feed = random_feed(4, bars=50)
    start = date.fromisoformat(str(feed.data.sessions[10]))
    ledger = run_paper(tmp_path, sleeves, feed, rules, start=start)
    plain = BacktestSettings(execution=rules.execution, risk=rules.risk)
    assert_alike(ledger, backtest(sleeves, feed, plain, start=10))


def test_a_reset_after_a_halt_is_the_backtests_reset(tmp_path: Path) -> None:
    sleeves, rules = eventful()
    risk = {"max_drawdown": 0.05, "max_leverage": {"limit": 1.0, "action": "resize"}}
    rules = SessionSettings.model_validate(
        rules.model_dump(exclude={"risk"}) | {"risk": risk, "power_safe": False}
    )
    feed = random_feed(1, bars=40)
    halted = run_backtest(sleeves, feed, rules).risk_events
    assert "drawdown_halt" in set(halted["limit"])
    home = SessionHome(tmp_path)
    bars = 0

    def reset_at_25(point: object) -> None:
        nonlocal bars
        bars += 1
        if bars == 25:
            # As another process would: `trading session reset`.
            store = SessionStore(home.state_file)
            store.ask("reset")
            store.close()

    asyncio.run(make_session(home, sleeves, feed, rules, on_bar=reset_at_25).run())
    plain = BacktestSettings(execution=rules.execution, risk=rules.risk)
    result = asyncio.run(engine_run(sleeves, feed, plain, [25]))
    assert result.equity[-1] != run_backtest(sleeves, feed, rules).equity[-1]
    assert_alike(SessionLedger(home), result)


async def engine_run(
    sleeves: list[Sleeve], feed: BarFeed, plain: BacktestSettings, resets: list[int]
) -> object:
    from trading.backtest.engine import run

    return await run(sleeves, feed, plain, resets=resets)


@pytest.fixture(scope="module")
def real_feed() -> BarFeed:
    folder = Path(os.environ.get("TRADING_REAL_DATA", REPOSITORY / "../shared/data")) / "prices"
    if not folder.is_dir():
        pytest.skip(f"no real market data at {folder.parent}; set TRADING_REAL_DATA")
    names = ["r3000_2016_2019.parquet", "delisted_2016_2019.parquet"]
    bars = pd.concat([pd.read_parquet(folder / name) for name in names], ignore_index=True)
    bars["date"] = pd.to_datetime(bars["date"]).astype("datetime64[s]")
    bars = bars[bars["date"] < "2016-08-01"].drop_duplicates(["symbol", "date"])
    prices = bars[["open", "high", "low", "close"]]
    sane = (
        (prices > 0).all(axis=1)
        & (bars["low"] <= prices.min(axis=1))
        & (bars["high"] >= prices.max(axis=1))
    )
    panel = Panel.from_bars(bars[sane])
    most = np.argsort(-np.nansum(panel.volume * panel.close, axis=0))[:25]
    return BarFeed.from_panel(panel.select(tuple(panel.symbols[at] for at in sorted(most))))


@pytest.mark.real_data
@pytest.mark.slow
def test_half_a_year_of_real_bars(real_feed: BarFeed, tmp_path: Path) -> None:
    sizer = build_sizer("fixed_fraction", {"fraction": 0.05})
    strategies = [
        Momentum.build(lookback_period=20),
        MeanReversion.build(),
        TrendFollowing.build(short_ma=10, long_ma=40),
    ]
    sleeves = [Sleeve(one, sizer, 1 / 3) for one in strategies]
    rules = SessionSettings.model_validate(
        {
            "power_safe": False,
            "risk": {"max_position": {"limit": 0.04, "action": "resize"}, "stop_loss": 0.1},
        }
    )
    result = run_backtest(sleeves, real_feed, rules)
    assert len(result.fills) > 100
    assert result.dividends > 0.0
    assert_alike(run_paper(tmp_path, sleeves, real_feed, rules), result)
