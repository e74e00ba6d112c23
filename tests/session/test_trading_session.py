"""What a session does when strategies, bars, disks and people misbehave."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paper_parity import make_session, run_paper
from random_sessions import PanelDice, PlainDice, random_feed

from trading.backtest.engine import Sleeve
from trading.backtest.feed import BarFeed
from trading.errors import BrokerStopped, ReconciliationError, SessionError, StoreError
from trading.execution.brokers.paper_store import PaperStore
from trading.execution.journal import Journal
from trading.market.market_data import MarketData
from trading.risk.sizing import build_sizer
from trading.session.event_log import EventLog
from trading.session.home import SessionHome
from trading.session.ledger import SessionLedger
from trading.session.settings import SessionSettings
from trading.session.store import SessionStore
from trading.strategy.base import BaseStrategy
from trading.strategy.signals import Signal

FEED = random_feed(1, bars=15)
SIZER = build_sizer("fixed_fraction", {"fraction": 0.3})
RULES = SessionSettings.model_validate(
    {
        "power_safe": False,
        "strategy_timeout_seconds": 1.5,
        "execution": {"initial_cash": 100_000, "max_volume_share": None},
    }
)


def told(home: SessionHome, kind: str) -> list[dict[str, Any]]:
    lines = home.log_file.read_text(encoding="utf-8").splitlines()
    return [line for line in map(json.loads, lines) if line["kind"] == kind]


class Misbehaves(BaseStrategy):
    """A strategy that does what it should not on some bars."""

    name = "misbehaves"
    from_bar = 5

    @property
    def lookback(self) -> int:
        return 1

    async def analyze(self, market_data: MarketData) -> list[Signal]:
        if market_data.now.date() >= date(2021, 3, 8):
            self.misbehave(market_data)
        return []

    def misbehave(self, market_data: MarketData) -> None:
        raise NotImplementedError


class Raises(Misbehaves):
    def misbehave(self, market_data: MarketData) -> None:
        raise ZeroDivisionError("by nothing")


class Mutates(Misbehaves):
    def misbehave(self, market_data: MarketData) -> None:
        market_data.close[:] = 1.0


class Hangs(Misbehaves):
    def misbehave(self, market_data: MarketData) -> None:
        end = time.monotonic() + 60.0
        while time.monotonic() < end:
            time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Raises, "raised ZeroDivisionError: by nothing"),
        (Mutates, "changed what it was given"),
        (Hangs, "has not answered within 1.5 s"),
    ],
)
def test_a_failing_strategy_is_named_and_suspended_and_the_other_goes_on(
    kind: type[Misbehaves], sentence: str, tmp_path: Path
) -> None:
    good = PlainDice.build("good", one_in=2)
    alone = run_paper(tmp_path / "alone", [Sleeve(good, SIZER, 0.5)], FEED, RULES)
    sleeves = [Sleeve(good, SIZER, 0.5), Sleeve(kind(strategy_id="bad"), SIZER, 0.5)]
    ledger = run_paper(tmp_path / "both", sleeves, FEED, RULES)
    assert len(ledger.fills) > 5
    np.testing.assert_array_equal(ledger.curve["equity"], alone.curve["equity"])
    failures = told(SessionHome(tmp_path / "both"), "strategy_failure")
    assert [one["on_end"] for one in failures] == [1, 2, 3]
    assert [one["suspended"] for one in failures] == [False, False, True]
    assert sentence in failures[0]["failure"]
    assert ledger.state.sleeves["bad"].suspended


def test_a_reset_asks_a_suspended_strategy_again(tmp_path: Path) -> None:
    home, sleeves = SessionHome(tmp_path), [Sleeve(Raises(strategy_id="bad"), SIZER)]
    command(home, sleeves, {12: "reset"})
    assert [one["on_end"] for one in told(home, "strategy_failure")] == [1, 2, 3, 1, 2, 3]


def command(
    home: SessionHome, sleeves: list[Sleeve], at: dict[int, str], feed: BarFeed = FEED
) -> SessionLedger:
    """Run a session; after so many bars another process leaves a command for it."""
    bars = 0

    def leave(point: object) -> None:
        nonlocal bars
        bars += 1
        if bars in at:
            store = SessionStore(home.state_file)
            store.ask(at[bars])
            store.close()

    asyncio.run(make_session(home, sleeves, feed, RULES, on_bar=leave).run())
    return SessionLedger(home)


def test_a_halt_lets_nothing_increase_until_the_reset(tmp_path: Path) -> None:
    home, sleeves = SessionHome(tmp_path), [Sleeve(PanelDice.build(one_in=2), SIZER)]
    ledger = command(home, sleeves, {4: "halt", 10: "reset"})
    orders = ledger.orders
    bars = {stamp: at for at, stamp in enumerate(ledger.curve["timestamp"])}
    place = orders["timestamp"].map(bars)
    bought = orders[(orders["side"] == "BUY") & (orders["status"] != "REJECTED")]
    during = bought[place[bought.index].between(4, 9)]
    assert during.empty
    refused = orders[(orders["reason"] == "halted")]
    assert len(refused) > 0
    assert (place[bought.index] >= 10).any()
    assert [one["state"] for one in told(home, "breaker")] == ["OPEN", "CLOSED"]


def test_the_kill_switch_cancels_everything_and_flattens(tmp_path: Path) -> None:
    home, sleeves = SessionHome(tmp_path), [Sleeve(PanelDice.build(one_in=2), SIZER)]
    ledger = command(home, sleeves, {8: "flatten"})
    assert ledger.state.killed
    assert ledger.books.account is not None
    assert ledger.books.account.positions == {}
    last = ledger.curve.iloc[-1]
    assert (last["gross"], last["equity"]) == (0, last["cash"])
    after = ledger.orders[ledger.orders["timestamp"] > ledger.curve["timestamp"].iloc[8]]
    assert set(after["side"]) <= {"SELL"}


def test_a_kill_before_the_first_bar_counts(tmp_path: Path) -> None:
    home, sleeves = SessionHome(tmp_path), [Sleeve(PanelDice.build(one_in=2), SIZER)]
    tomorrow = date(2021, 12, 31)
    asyncio.run(make_session(home, sleeves, FEED, RULES, start=tomorrow).run())
    store = SessionStore(home.state_file)
    store.ask("kill")
    store.close()
    asyncio.run(make_session(home, sleeves, FEED, RULES).run())
    ledger = SessionLedger(home)
    assert len(ledger.curve) == 15
    assert ledger.orders.empty


def test_two_sessions_on_one_home(tmp_path: Path) -> None:
    home = SessionHome(tmp_path)
    sentence = r"another session \(process \d+\) runs"
    with home.locked(), pytest.raises(SessionError, match=sentence), home.locked():
        pass
    with home.locked():
        pass


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    home = SessionHome(tmp_path / "file")
    with pytest.raises(SessionError, match="cannot be written"), home.locked():
        pass


@pytest.mark.parametrize(
    ("sleeves", "rules", "feed", "sentence"),
    [
        ([Sleeve(PanelDice.build(seed=2), SIZER)], RULES, FEED, "a session with strategies"),
        (
            [Sleeve(PanelDice.build(), SIZER)],
            RULES.model_copy(update={"risk": RULES.risk.model_copy(update={"stop_loss": 0.5})}),
            FEED,
            "a session with risk",
        ),
        (
            [Sleeve(PanelDice.build(), SIZER)],
            RULES,
            BarFeed(FEED.data.select(["AAA", "BBB"])),
            "a session with symbols",
        ),
    ],
)
def test_a_home_belongs_to_one_session(
    sleeves: list[Sleeve],
    rules: SessionSettings,
    feed: BarFeed,
    sentence: str,
    tmp_path: Path,
) -> None:
    run_paper(tmp_path, [Sleeve(PanelDice.build(), SIZER)], FEED, RULES)
    with pytest.raises(SessionError, match=sentence):
        run_paper(tmp_path, sleeves, feed, rules)


def full(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


FULL_DISKS: list[tuple[type, str, type[Exception]]] = [
    (PaperStore, "keep_entries", BrokerStopped),
    (SessionStore, "keep_decision", SessionError),
    (SessionStore, "keep_point", SessionError),
    (Journal, "_write", StoreError),
]


@pytest.mark.parametrize(("where", "what", "error"), FULL_DISKS)
def test_a_full_disk_stops_the_session_and_loses_nothing(
    where: type,
    what: str,
    error: type[Exception],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sleeves = [Sleeve(PanelDice.build(one_in=2), SIZER)]
    expected = run_paper(tmp_path / "good", sleeves, FEED, RULES)
    home = SessionHome(tmp_path / "full")
    bars = 0

    def fill_up(point: object) -> None:
        nonlocal bars
        bars += 1
        if bars == 6:
            monkeypatch.setattr(where, what, full)

    with pytest.raises(error, match="No space left on device"):
        asyncio.run(make_session(home, sleeves, FEED, RULES, on_bar=fill_up).run())
    monkeypatch.undo()
    asyncio.run(make_session(home, sleeves, FEED, RULES).run())
    ledger = SessionLedger(home)
    assert ledger.orders.equals(expected.orders)
    assert ledger.curve.equals(expected.curve)


def test_an_event_log_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, sleeves = SessionHome(tmp_path), [Sleeve(PanelDice.build(one_in=2), SIZER)]
    log = EventLog(home.path / "probe.jsonl")
    log.append([(1, '{"sequence": 1}'), (2, '{"sequence": 2}')])
    log.append([(2, '{"sequence": 2}'), (3, '{"sequence": 3}')])
    log.close()
    with (home.path / "probe.jsonl").open("a") as file:
        file.write('{"sequence": 4, "half')
    again = EventLog(home.path / "probe.jsonl")
    assert again.last == 3
    again.append([(4, '{"sequence": 4}')])
    again.close()
    lines = (home.path / "probe.jsonl").read_text().splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [1, 2, 3, 4]
    home.log_file.mkdir()
    with pytest.raises(SessionError, match="event log .* cannot be written"):
        asyncio.run(make_session(home, sleeves, FEED, RULES).run())


def test_books_that_disagree_stop_the_start(tmp_path: Path) -> None:
    sleeves = [Sleeve(PanelDice.build(one_in=2), SIZER)]
    run_paper(tmp_path, sleeves, FEED, RULES)
    home = SessionHome(tmp_path)
    # A journal of another account: the broker knows fills that it does not.
    home.journal_file.unlink()
    home.broker_file.rename(tmp_path / "other.db")
    for name in ("broker.db-wal", "broker.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    run_with_new_broker: Callable[[], Any] = lambda: asyncio.run(  # noqa: E731
        make_session(home, sleeves, random_feed(1, bars=16), RULES).run()
    )
    run_with_new_broker()
    home.broker_file.unlink()
    (tmp_path / "other.db").rename(home.broker_file)
    with pytest.raises((ReconciliationError, BrokerStopped)):
        run_with_new_broker()


def test_faults_of_the_broker_are_survived(tmp_path: Path) -> None:
    sleeves = [Sleeve(PanelDice.build(one_in=2), SIZER)]
    plain = RULES.model_dump()
    rules = SessionSettings.model_validate(
        plain | {"paper": {"timeout_probability": 0.3, "reject_probability": 0.2, "seed": 3}}
    )
    ledger = run_paper(tmp_path, sleeves, FEED, rules)
    assert "rejected_by_chance" in set(ledger.orders["reason"])
    assert "UNKNOWN" not in set(ledger.orders["status"])
    assert ledger.books.account is not None
    ledger.books.account.check()
    events = told(SessionHome(tmp_path), "order_event")
    assert "LOSE" in {one["event"] for one in events}


def test_gaps_in_the_bars_are_named(tmp_path: Path) -> None:
    data = FEED.data
    keep = np.array([at for at in range(15) if at != 7])
    fields = {
        name: getattr(data, name)[keep].copy()
        for name in ("open", "high", "low", "close", "volume", "adjusted_close")
    }
    for name in ("open", "high", "low", "close"):
        fields[name][10] = np.nan
    feed = BarFeed(MarketData(data.timestamps[keep], data.sessions[keep], data.symbols, **fields))
    run_paper(tmp_path, [Sleeve(PanelDice.build(), SIZER)], feed, RULES)
    named = {one["problem"]: one for one in told(SessionHome(tmp_path), "bars")}
    assert named["missing_session"]["examples"] == [str(data.sessions[7])]
    assert "missing" in named


def test_every_line_of_the_log_belongs_to_a_decision(tmp_path: Path) -> None:
    sleeves = [Sleeve(PanelDice.build(one_in=2), SIZER)]
    ledger = run_paper(tmp_path, sleeves, FEED, RULES)
    home = SessionHome(tmp_path)
    decisions = {one["correlation_id"] for one in told(home, "decision")}
    assert len(decisions) == 15
    fills = told(home, "fill")
    assert len(fills) == len(ledger.fills)
    assert {one["correlation_id"] for one in fills} <= decisions
    orders = told(home, "order")
    assert [one["number"] for one in orders] == ledger.orders["order_number"].tolist()


def test_a_session_without_strategies_or_with_one_id_twice(tmp_path: Path) -> None:
    twice = [Sleeve(PanelDice.build(), SIZER, 0.5)] * 2
    for sleeves in ([], twice):
        with pytest.raises(SessionError, match="ids of their own"):
            make_session(SessionHome(tmp_path), sleeves, FEED, RULES)


def test_run_again_without_new_bars_it_does_nothing(tmp_path: Path) -> None:
    sleeves = [Sleeve(PanelDice.build(one_in=2), SIZER)]
    before = run_paper(tmp_path, sleeves, FEED, RULES)
    summary = asyncio.run(make_session(SessionHome(tmp_path), sleeves, FEED, RULES).run())
    assert summary.bars == 0
    assert summary.equity == before.curve["equity"].iloc[-1] / 1e6
    assert SessionLedger(SessionHome(tmp_path)).orders.equals(before.orders)
