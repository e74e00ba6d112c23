"""Look-ahead analysis: every cheat is caught and named, honest strategies pass."""

import asyncio
from datetime import date

import numpy as np
import pytest

from tests.backtest import cheating_strategies as cheats
from trading.backtest.decision_table import DecisionTable, first_difference
from trading.backtest.lookahead import LookaheadReport, check_lookahead
from trading.backtest.perturbation import copied, scrambled_after
from trading.errors import DataError, StrategyFailure
from trading.market.calendar import sessions_between
from trading.market.market_data import MarketData
from trading.market.panel import Panel
from trading.risk.sizing import PositionSizer, build_sizer
from trading.strategy.base import BaseStrategy, PanelStrategy
from trading.strategy.mean_reversion import MeanReversion
from trading.strategy.momentum import Momentum
from trading.strategy.stat_arbitrage import StatArbitrage
from trading.strategy.trend_following import TrendFollowing

pytestmark = pytest.mark.slow


def market(sessions: int = 160, symbols: int = 6, seed: int = 3) -> MarketData:
    random = np.random.default_rng(seed)
    common = 0.01 * random.standard_normal((sessions, 1))
    close = 40 * np.exp(np.cumsum(common + 0.012 * random.standard_normal((sessions, symbols)), 0))
    close[random.random(close.shape) < 0.01] = np.nan
    days = sessions_between(date(2014, 1, 2), date(2035, 1, 1))[:sessions]
    names = tuple(f"N{i}" for i in range(symbols))
    volume = 1e5 * np.exp(random.standard_normal(close.shape))
    return MarketData.from_panel(Panel(days, names, close, close, close, close, volume, close))


def check(
    strategy: BaseStrategy,
    data: MarketData | None = None,
    sizer: PositionSizer | None = None,
    cuts: int = 8,
) -> LookaheadReport:
    return asyncio.run(check_lookahead(strategy, data or market(), sizer=sizer, cuts=cuts))


@pytest.mark.parametrize(
    "cheat",
    [
        cheats.CentredWindow,
        cheats.FullSampleZScore,
        cheats.NegativeShift,
        cheats.FutureVolume,
        cheats.BackwardFill,
        cheats.BehindTheArray,
    ],
)
def test_a_strategy_that_sees_the_future_is_caught(cheat: type[BaseStrategy]) -> None:
    report = check(cheat.build())
    assert not report.passed
    assert {one.test for one in report.differences} & {"truncated", "scrambled"}
    assert "looks ahead" in report.sentence()


@pytest.mark.parametrize("symbols", [1, 2])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cheat", [cheats.CentredWindow, cheats.NegativeShift])
def test_one_symbol_with_few_signals_is_enough(
    cheat: type[BaseStrategy], seed: int, symbols: int
) -> None:
    assert not check(cheat.build(), market(120, symbols, seed)).passed


@pytest.mark.parametrize(
    ("cheat", "test"),
    [
        (cheats.ShortLookback, "later start"),
        (cheats.Forgetful, "live"),
        (cheats.Lottery, "repeated"),
        (cheats.PlainCheat, "truncated"),
        (cheats.PlainMemory, "repeated"),
    ],
)
def test_what_else_differs_from_live_trading_is_named(cheat: type[BaseStrategy], test: str) -> None:
    report = check(cheat.build())
    assert not report.passed
    assert test in {one.test for one in report.differences}


@pytest.mark.parametrize(
    "strategy",
    [
        cheats.Scored.build(),
        cheats.Plain.build(),
        cheats.PlainWindow.build(),
        Momentum.build(lookback_period=30),
        MeanReversion.build(window=15, std_multiplier=1.0),
        TrendFollowing.build(short_ma=5, long_ma=20),
    ],
    ids=lambda one: one.name,
)
def test_honest_strategies_pass(strategy: BaseStrategy) -> None:
    report = check(strategy)
    assert report.passed, report.sentence()
    assert report.signals > 0
    assert {"truncated", "scrambled", "repeated"} <= set(report.comparisons)
    # A plain strategy is given exactly its lookback: there is no other start.
    assert ("later start" in report.comparisons) == isinstance(strategy, PanelStrategy)


def test_pairs_pass() -> None:
    random = np.random.default_rng(5)
    data = market(700, 4, seed=8)
    close = np.array(np.nan_to_num(data.close, nan=40.0))
    noise = np.zeros(700)
    for row in range(1, 700):
        noise[row] = 0.9 * noise[row - 1] + 0.01 * random.standard_normal()
    close[:, 1] = close[:, 0] * 1.5 * np.exp(noise)
    panel = Panel(
        data.sessions, data.symbols, close, close, close, close, np.full(close.shape, 1e6), close
    )
    report = check(StatArbitrage.build(), MarketData.from_panel(panel), cuts=4)
    assert report.passed, report.sentence()


@pytest.mark.parametrize("name", ["fixed_fraction", "volatility_scaled", "risk_parity"])
def test_the_targets_of_a_sizer_are_compared_too(name: str) -> None:
    report = check(cheats.Scored.build(), sizer=build_sizer(name))
    assert report.passed
    assert report.comparisons["truncated"] == 16


def test_a_difference_says_where_and_what() -> None:
    report = check(cheats.NegativeShift.build())
    one = report.differences[0]
    data = market()
    assert one.symbol in data.symbols
    assert one.timestamp == str(data.timestamps[one.row])
    assert one.row <= one.cut
    assert one.whole != one.changed
    assert f"the signal of {one.symbol} at bar {one.row}" in report.sentence()
    assert report.to_dict()["differences"][0]["test"] == one.test
    assert report.to_dict()["passed"] is False


def test_without_signals_nothing_is_proved() -> None:
    report = check(cheats.Scored.build(), market(8))
    assert not report.passed
    assert "nothing could be compared" in report.sentence()


def test_a_strategy_that_raises_is_a_named_failure() -> None:
    with pytest.raises(StrategyFailure, match="broken failed .*ZeroDivisionError: by chance"):
        check(cheats.Broken.build())


def test_one_bar_is_too_few() -> None:
    with pytest.raises(DataError, match="needs two bars"):
        check(cheats.Scored.build(), market().upto(0))


def test_a_scrambled_future_leaves_the_past_and_stays_a_market() -> None:
    data = market()
    other = scrambled_after(data, 50, np.random.default_rng(0))
    np.testing.assert_array_equal(other.close[:51], data.close[:51])
    changed = other.close[51:] != data.close[51:]
    assert changed.mean() > 0.9
    assert (other.high >= other.low)[~np.isnan(other.high)].all()


def test_a_copy_has_nothing_behind_it() -> None:
    part = copied(market().upto(10))
    base = part.close.base
    assert base is None or base.shape == part.close.shape


def test_the_first_difference_is_the_earliest() -> None:
    def table(rows: list[int], weights: list[float]) -> DecisionTable:
        columns = np.zeros(len(rows), dtype=np.int64)
        return DecisionTable("targets", np.array(rows), columns, np.array(weights)[:, None])

    one = table([1, 3, 5], [0.1, 0.2, 0.3])
    assert first_difference(one, one) is None
    assert first_difference(one, table([1, 3, 5], [0.1, 0.2 + 1e-13, 0.3])) is None
    assert first_difference(one, table([1, 3, 5], [0.1, 0.21, 0.31])) == (3, 0)
    assert first_difference(one, table([3, 5], [0.2, 0.3])) == (1, 0)
    assert first_difference(one, table([1, 2, 3, 5], [0.1, 0.0, 0.2, 0.3])) == (2, 0)
    assert table([3], [0.2]).at(3, 0) == "0.2"
    assert table([3], [0.2]).at(4, 0) == "nothing"
