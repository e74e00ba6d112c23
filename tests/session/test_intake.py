"""Bars that come late, twice, out of order, restated or not at all: each has its name."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from paper_parity import QUICK
from random_sessions import PanelDice

from trading.backtest.engine import Sleeve
from trading.data.providers.base import FetchResult
from trading.data.report import IngestReport
from trading.errors import DataError
from trading.execution.activities import Split
from trading.execution.brokers.paper import PaperBroker
from trading.market.calendar import sessions_between
from trading.market.market_data import MarketData
from trading.market.panel import Panel
from trading.risk.sizing import build_sizer
from trading.session.home import SessionHome
from trading.session.intake import changed_history, clean_stream, gaps, inferred_splits
from trading.session.ledger import SessionLedger
from trading.session.settings import SessionSettings
from trading.session.sources import PolledSource
from trading.session.trading_session import TradingSession

DAYS = sessions_between(date(2021, 3, 1), date(2021, 3, 12))


def minute(
    second: int, symbol: str = "AAA", close: float = 10.0, **given: float
) -> dict[str, object]:
    """Return a bar that closed so many minutes after ten o'clock."""
    stamp = pd.Timestamp("2021-03-01 15:00", tz="UTC") + pd.Timedelta(minutes=second)
    prices = dict.fromkeys(("open", "high", "low", "close", "adjusted_close"), close)
    return {"date": stamp, "symbol": symbol, **prices, "volume": 100.0} | given


def test_a_stream_is_put_in_order_and_its_faults_are_named() -> None:
    rows = [
        minute(1),
        minute(3),
        minute(2),
        minute(2),
        minute(4, close=11.0),
        minute(4, close=12.0),
        minute(5, close=float("nan")),
        minute(6, high=5.0),
        minute(7, open=-1.0),
        minute(8, volume=-1.0),
        minute(90),
        minute(1, "BBB"),
    ]
    now = datetime(2021, 3, 1, 15, 30, tzinfo=UTC)
    clean, found = clean_stream(pd.DataFrame(rows), now=now)
    assert {one.kind: one.count for one in found} == {
        "malformed": 4,
        "future": 1,
        "duplicate": 1,
        "conflicting": 1,
        "out_of_order": 1,
    }
    aaa = clean[clean["symbol"] == "AAA"]
    assert aaa["close"].tolist() == [10.0, 10.0, 10.0, 12.0]
    assert aaa["date"].is_monotonic_increasing
    assert "2021-03-01T15:02:00+00:00" in next(o for o in found if o.kind == "duplicate").sentence()


def test_a_stream_without_time_zones_is_refused() -> None:
    frame = pd.DataFrame([minute(1)])
    frame["date"] = frame["date"].dt.tz_localize(None)
    with pytest.raises(DataError, match="time zone"):
        clean_stream(frame, now=None)


def market(closes: np.ndarray, days: Sequence[np.datetime64] = DAYS) -> MarketData:  # type: ignore[type-arg]
    values = np.asarray(closes, dtype=np.float64)
    names = tuple("ABCDEF"[: values.shape[1]])
    fields = [values.copy() for _ in range(4)]
    panel = Panel(np.array(days), names, *fields, np.full(values.shape, 1e6), values.copy())
    return MarketData.from_panel(panel)


def test_history_that_changed_is_named_and_a_split_is_no_change() -> None:
    before = np.full((10, 4), 10.0)
    before[3, 0] = np.nan
    after = before.copy()
    after[3, 0] = 10.0  # late
    after[4, 1] = np.nan  # withdrawn
    after[5, 2] = 10.5  # revised
    after[:, 3] = 5.0  # split two for one
    decided = datetime(2021, 3, 10, 23, 59, 59, tzinfo=UTC)
    found = changed_history(market(before), market(after), decided)
    assert {one.kind: one.examples for one in found} == {
        "late": ("A 2021-03-04T23:59:59",),
        "withdrawn": ("B 2021-03-05T23:59:59",),
        "revised": ("C 2021-03-08T23:59:59",),
    }
    # What came after the decision is not history.
    after = before.copy()
    after[9] = 99.0
    assert changed_history(market(before), market(after), decided) == []


def test_a_session_that_came_late_is_history_only() -> None:
    kept = [at for at in range(10) if at != 4]
    full = np.full((10, 2), 10.0)
    decided = datetime(2021, 3, 12, 23, 59, 59, tzinfo=UTC)
    found = changed_history(market(full[kept], DAYS[kept]), market(full), decided)
    assert [(one.kind, one.count) for one in found] == [("late", 2)]


@pytest.mark.parametrize(
    ("before", "now", "ratio"),
    [
        (100.0, 50.0, 2.0),
        (100.0, 66.67, 1.5),
        (10.0, 100.0, 0.1),
        (100.0, 99.0, None),
        (100.0, 101.5, None),
        (100.0, 0.0, None),
        (100.0, np.nan, None),
        (100.0, 100.0 / np.pi, None),
    ],
)
def test_splits_are_told_by_restated_closes(before: float, now: float, ratio: float | None) -> None:
    closes = np.array([[now]])
    data = MarketData(
        DAYS[:1].astype("datetime64[s]"), DAYS[:1], ("A",), *[closes.copy() for _ in range(6)]
    )
    found = inferred_splits({"A": before, "gone": 5.0}, data, 0, date(2021, 3, 2))
    assert [one.value for one in found] == ([] if ratio is None else [ratio])


def test_a_row_tells_what_it_lacks() -> None:
    closes = np.full((3, 3), 10.0)
    closes[2, 1] = np.nan
    days = np.array(["2021-03-01", "2021-03-02", "2021-03-06"], dtype="datetime64[D]")
    found = {one.kind: one.examples for one in gaps(market(closes, days), 2)}
    assert found == {
        "not_a_session": ("2021-03-06",),
        "missing": ("B",),
        "missing_session": ("2021-03-03", "2021-03-04", "2021-03-05"),
    }
    assert gaps(market(closes, days), 0) == []


class ScriptedClock:
    """Goes where it is told to."""

    def __init__(self, now: datetime) -> None:
        self.present = now

    def now(self) -> datetime:
        return self.present

    async def wait_until(self, moment: datetime) -> None:
        self.present = max(self.present, moment)

    async def reach(self, moment: datetime) -> None:
        """What is there may be worked on."""


class ScriptedProvider:
    """A vendor that knows more each time it is asked, and restates history when A splits."""

    name = "scripted"
    simulated = True

    def __init__(self, clock: ScriptedClock) -> None:
        self._clock = clock
        self.asked = 0

    async def fetch(self, symbols: Sequence[str] | None, start: date, end: date) -> FetchResult:
        self.asked += 1
        days = DAYS[np.datetime64(end) >= DAYS]
        closes = np.full((len(days), 2), 100.0)
        split = days >= np.datetime64("2021-03-08")
        closes[split, 0] = 50.0
        if split.any():
            closes[~split, 0] = 50.0
        names = ("A", "B") if len(days) < 8 else ("A", "B", "NEW")
        if len(names) == 3:
            closes = np.column_stack([closes, np.full(len(days), 7.0)])
        fields = [closes.copy() for _ in range(4)]
        panel = Panel(days, names, *fields, np.full(closes.shape, 1e6), closes.copy())
        bars = panel.to_bars()
        report = IngestReport("scripted", len(bars), len(bars), len(names), None, None)
        return FetchResult(bars, (), report)

    def last_session(self) -> date | None:
        return None


@pytest.mark.slow
def test_a_polled_source_day_by_day_with_a_split(tmp_path: Path) -> None:
    clock = ScriptedClock(datetime(2021, 3, 3, 22, tzinfo=UTC))
    provider = ScriptedProvider(clock)
    rules = SessionSettings.model_validate(
        {
            "power_safe": False,
            "execution": {
                "initial_cash": 100_000,
                "slippage": {"model": "none"},
                "commission": {"model": "none"},
            },
        }
    )
    home = SessionHome(tmp_path)

    class Buys(PanelDice):
        """Wants A from the first bar on."""

        name = "buys"

        def signal_panel(self, market_data: MarketData):  # type: ignore[no-untyped-def]
            from trading.strategy.signals import Signals

            first = np.array([0])
            keep = first if market_data.sessions[-1] == DAYS[0] else first[:0]
            return Signals(
                self.strategy_id,
                market_data.timestamps,
                market_data.symbols,
                keep,
                keep,
                np.ones(len(keep), dtype=np.int8),
                np.ones(len(keep)),
            )

    class Until(PolledSource):
        async def wait(self) -> bool:
            await super().wait()
            return clock.present < datetime(2021, 3, 13, tzinfo=UTC)

    source = Until(provider, clock, start=date(2021, 1, 1), symbols=None, every=timedelta(hours=12))
    sleeves = [Sleeve(Buys.build(), build_sizer("fixed_fraction", {"fraction": 0.5}))]
    session = TradingSession(
        home,
        sleeves,
        rules,
        source,
        lambda names: PaperBroker(
            home.broker_file, names, rules.execution, rules.paper, power_safe=False
        ),
        clock,
        patience=QUICK,
    )
    asyncio.run(session.run())
    ledger = SessionLedger(home)
    # 3 March had closed when the session began: three bars at once, then one a day.
    assert ledger.curve["session"].tolist() == [str(day) for day in DAYS]
    assert ledger.books.account is not None
    # 500 shares at 100 became 1,000 at 50; nothing was gained or lost.
    assert ledger.books.account.positions["A"].quantity == 1000
    assert set(ledger.curve["equity"]) == {100_000 * 10**6}
    log = home.log_file.read_text(encoding="utf-8")
    assert '"problem": "split_inferred", "count": 1, "examples": ["A 2 for 1"]' in log
    assert '"problem": "unknown_symbol", "count": 1, "examples": ["NEW"]' in log
    assert '"problem": "revised"' not in log
    assert Split.__name__.lower() in log
