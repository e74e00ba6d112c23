import asyncio
from datetime import date, timedelta

import numpy as np
import pytest

from tests.notifications.month_example import example_report
from trading.errors import DataError, ParameterError
from trading.market.market_data import MarketData
from trading.market.panel import Panel
from trading.signals.model import MonthlySignal
from trading.signals.report import MonthReport, PortfolioSummary
from trading.signals.strategy import FinrlSignals
from trading.strategy.registry import strategy_class

FIELDS = ("open", "high", "low", "close", "volume", "adjusted_close")
SYMBOLS = ("A", "B", "C", "D")


def market(first="2026-08-24", bars=60, symbols=SYMBOLS):
    sessions = np.busday_offset(first, np.arange(bars), roll="forward").astype("datetime64[D]")
    prices = np.full((bars, len(symbols)), 10.0)
    return MarketData.from_panel(Panel(sessions, symbols, **dict.fromkeys(FIELDS, prices)))


def one(month, symbol, weight, previous, confidence=0.8):
    action = "SELL" if not weight else "HOLD" if previous else "BUY"
    return MonthlySignal(
        month=month,
        symbol=symbol,
        slot=1,
        action=action,
        rank=1,
        score=0.5,
        confidence=confidence,
        weight=weight,
        previous_weight=previous,
        price=10.0,
        reason="For a test.",
    )


def report(as_of, *signals):
    day = date.fromisoformat(as_of)
    month = as_of[:7]
    return example_report(
        month=month,
        as_of=day,
        last_session=day - timedelta(days=1),
        signals=tuple(one(month, *fields) for fields in signals),
        portfolio=PortfolioSummary(),
    )


@pytest.fixture
def reports(tmp_path):
    made: list[MonthReport] = [
        report("2026-09-01", ("A", 0.02, 0.0), ("B", 0.01, 0.0, 0.5), ("GONE", 0.04, 0.0)),
        report("2026-10-01", ("A", 0.02, 0.02), ("B", 0.0, 0.01), ("C", 0.02, 0.0, None)),
    ]
    for month in made:
        (tmp_path / f"{month.month}.json").write_bytes(month.to_json())
    return tmp_path


def told(strategy, data):
    signals = strategy.signal_panel(data)
    return [
        (str(data.sessions[row]), one.symbol, str(one.action), one.strength)
        for row, one in zip(signals.rows, signals, strict=True)
    ]


def test_it_is_a_strategy_like_the_others():
    assert strategy_class("finrl_signals") is FinrlSignals


def test_each_month_states_its_portfolio_on_the_day_by_whose_close_it_was_known(reports):
    strategy = FinrlSignals.build(reports=str(reports))

    assert told(strategy, market()) == [
        ("2026-09-01", "A", "BUY", 0.5),
        ("2026-09-01", "B", "BUY", 0.25),
        ("2026-10-01", "A", "BUY", 1.0),
        ("2026-10-01", "B", "SELL", 1.0),
        ("2026-10-01", "C", "BUY", 1.0),
    ]


def test_by_confidence_a_name_without_one_is_left_as_it_is(reports):
    strategy = FinrlSignals.build(reports=str(reports), strength="confidence")

    assert told(strategy, market()) == [
        ("2026-09-01", "A", "BUY", 0.8),
        ("2026-09-01", "B", "BUY", 0.5),
        ("2026-10-01", "A", "BUY", 0.8),
        ("2026-10-01", "B", "SELL", 1.0),
        ("2026-10-01", "C", "HOLD", 0.0),
    ]


def test_nothing_is_told_before_it_was_known(reports):
    strategy = FinrlSignals.build(reports=str(reports))
    data = market()
    whole = strategy.signal_panel(data)
    for row in range(len(data.timestamps)):
        before = strategy.signal_panel(data.upto(row))
        assert list(before) == list(whole[: np.searchsorted(whole.rows, row + 1)])
        assert list(asyncio.run(strategy.analyze(data.upto(row)))) == list(whole.at(row))


def test_a_day_without_a_bar_is_acted_on_at_the_next(reports):
    (reports / "2026-10.json").rename(reports / "2026-11.json")
    weekend = report("2026-11-01", ("A", 0.02, 0.0))
    (reports / "2026-11.json").write_bytes(weekend.to_json())

    assert told(FinrlSignals.build(reports=str(reports)), market())[-1] == (
        "2026-11-02",
        "A",
        "BUY",
        1.0,
    )


def test_a_month_before_the_first_bar_is_not_acted_on(reports):
    strategy = FinrlSignals.build(reports=str(reports))

    assert {day for day, *_ in told(strategy, market("2026-09-01", 40))} == {"2026-10-01"}
    assert told(strategy, market("2027-01-04", 40)) == []
    assert told(strategy, market(bars=1)) == []


def test_columns_may_come_in_any_order(reports):
    strategy = FinrlSignals.build(reports=str(reports))
    plain, turned = told(strategy, market()), told(strategy, market(symbols=SYMBOLS[::-1]))

    assert sorted(plain) == sorted(turned)


def test_folders_and_files_that_do_not_fit_are_named(tmp_path, reports):
    with pytest.raises(ParameterError, match="there is no folder .*nowhere"):
        FinrlSignals.build(reports=str(tmp_path / "nowhere")).signal_panel(market())
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ParameterError, match="holds no month report"):
        FinrlSignals.build(reports=str(empty)).signal_panel(market())
    with pytest.raises(ParameterError, match="strength"):
        FinrlSignals.build(strength="loud")
    (reports / "2026-10.json").write_text("{}")
    with pytest.raises(DataError, match=r"2026-10\.json: the month report is not readable"):
        FinrlSignals.build(reports=str(reports)).signal_panel(market())
    (reports / "2026-10.json").write_bytes((reports / "2026-09.json").read_bytes())
    with pytest.raises(DataError, match="holds the report of 2026-09"):
        FinrlSignals.build(reports=str(reports)).signal_panel(market())
