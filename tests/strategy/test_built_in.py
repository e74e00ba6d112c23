"""The built-in strategies against slow, obvious versions of themselves, and their common rules."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy_markets import market_of, paired_closes, random_closes, table_of

from trading.errors import ParameterError
from trading.strategy.base import PanelStrategy
from trading.strategy.mean_reversion import MeanReversion
from trading.strategy.momentum import Momentum
from trading.strategy.stat_arbitrage import StatArbitrage
from trading.strategy.trend_following import TrendFollowing

FAST = [
    TrendFollowing.build(short_ma=3, long_ma=11),
    TrendFollowing.build(short_ma=1, long_ma=2),
    Momentum.build(lookback_period=9, threshold=0.01),
    Momentum.build(lookback_period=5, threshold=-0.02, skip_period=3),
    MeanReversion.build(window=8, std_multiplier=1.2, exit_z=0.3, max_holding=6),
    MeanReversion.build(window=5, std_multiplier=1.0, exit_z=-0.5, max_holding=1),
]
PAIRS = StatArbitrage.build(
    formation_period=60, reform_months=2, correlation_threshold=0.3, entry_z=1.0, max_candidates=12
)
IDS = [f"{one.name}-{place}" for place, one in enumerate(FAST)]
UNKNOWN = None


def changes(exposure_of, closes):
    """Return (row, column, exposure) wherever it is known and was not the same just before."""
    told = []
    for column in range(closes.shape[1]):
        before = UNKNOWN
        for row in range(len(closes)):
            now = exposure_of(closes[: row + 1, column])
            if now is not UNKNOWN and now != before:
                told.append((row, column, now))
            before = now
    return sorted(told)


def told_by(strategy, closes):
    made = strategy.signal_panel(market_of(closes))
    return [
        (int(row), int(column), int(action == 1))
        for row, column, action in zip(made.rows, made.columns, made.actions, strict=True)
    ]


def trend(short, long):
    def exposure(history):
        if len(history) < long or not np.isfinite(history[-long:]).all():
            return UNKNOWN
        return int(history[-short:].mean() > history[-long:].mean())

    return exposure


def momentum(lookback, threshold, skip):
    def exposure(history):
        if len(history) < lookback + skip + 1:
            return UNKNOWN
        after, before = history[-1 - skip], history[-1 - skip - lookback]
        if not (np.isfinite(after) and np.isfinite(before) and after > 0 and before > 0):
            return UNKNOWN
        return int(after / before - 1 > threshold)

    return exposure


def reversion(window, multiplier, leave, holding):
    def score(history):
        if len(history) < window or not np.isfinite(history[-window:]).all():
            return UNKNOWN
        spread = history[-window:].std()
        # Numpy's deviation of equal values is not always exactly 0.
        return (history[-1] - history[-window:].mean()) / spread if spread > 1e-9 else 0.0

    def exposure(history):
        earliest = max(len(history) - holding - 1, 0)
        scores = [score(history[: end + 1]) for end in range(earliest, len(history))]
        if scores[-1] is UNKNOWN:
            return UNKNOWN
        for age in range(min(holding, len(scores))):
            z = scores[-1 - age]
            if z is UNKNOWN or z >= leave:
                return 0
            before = scores[-2 - age] if age + 2 <= len(scores) else UNKNOWN
            if z <= -multiplier and (before is UNKNOWN or before > -multiplier):
                return 1
        return 0

    return exposure


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_trend_following_is_two_moving_averages(seed):
    closes = random_closes(seed, 60, 4)
    closes[:, 3] = np.random.default_rng(seed).uniform(5, 6, 60)
    assert told_by(FAST[0], closes) == changes(trend(3, 11), closes)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_momentum_is_a_ratio_of_two_closes(seed):
    closes = random_closes(seed, 60, 4)
    assert told_by(FAST[2], closes) == changes(momentum(9, 0.01, 0), closes)
    assert told_by(FAST[3], closes) == changes(momentum(5, -0.02, 3), closes)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_mean_reversion_holds_from_its_latest_entry(seed):
    closes = random_closes(seed, 60, 4)
    assert told_by(FAST[4], closes) == changes(reversion(8, 1.2, 0.3, 6), closes)
    assert told_by(FAST[5], closes) == changes(reversion(5, 1.0, -0.5, 1), closes)


def test_mean_reversion_on_a_known_path():
    closes = np.array([10.0, 10, 10, 10, 7, 7, 10, 10, 10, 10])[:, None]
    strategy = MeanReversion.build(window=4, std_multiplier=1.5, exit_z=0.0, max_holding=5)

    told = told_by(strategy, closes)

    # z on the fall is (7 - 9.25) / 1.299 = -1.732; back at 10 it is (10 - 8.5) / 1.5 = 1.
    assert told == [(3, 0, 0), (4, 0, 1), (6, 0, 0)]


def test_a_price_that_never_moves_is_no_trend_and_no_deviation():
    closes = np.full((40, 1), 0.1)

    assert told_by(FAST[0], closes) == [(10, 0, 0)]
    assert told_by(FAST[4], closes) == [(7, 0, 0)]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_price_that_is_no_number_stops_and_then_restates_the_wish(bad):
    closes = np.linspace(10, 20, 40)[:, None]
    closes[20] = bad

    assert told_by(FAST[0], closes) == [(10, 0, 1), (31, 0, 1)]
    assert told_by(FAST[2], closes) == [(9, 0, 1), (21, 0, 1), (30, 0, 1)]


@pytest.mark.parametrize("strategy", FAST, ids=IDS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_decision_follows_from_its_lookback_and_nothing_else(strategy, seed):
    data = market_of(random_closes(seed, 70, 5))
    whole = strategy.signal_panel(data)
    for row in range(0, 70, 3):
        before = strategy.signal_panel(data.upto(row))
        assert table_of(before) == table_of(whole[: np.searchsorted(whole.rows, row + 1)])
        assert list(asyncio.run(strategy.analyze(data.upto(row)))) == list(whole.at(row))


@pytest.mark.parametrize("strategy", [*FAST, PAIRS], ids=[*IDS, "pairs"])
def test_the_order_of_the_symbols_does_not_matter(strategy):
    closes = paired_closes(5, 220, 4) if strategy is PAIRS else random_closes(5, 120, 8)
    names = tuple("HBDACFEG")
    order = np.random.default_rng(1).permutation(8)
    plain = strategy.signal_panel(market_of(closes, names))
    shuffled = strategy.signal_panel(market_of(closes[:, order], tuple(names[i] for i in order)))

    assert len(plain) > 0
    assert sorted(table_of(plain)) == sorted(table_of(shuffled))


@pytest.mark.parametrize("strategy", [*FAST, PAIRS], ids=[*IDS, "pairs"])
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (1, 1), (2, 0), (3, 2)])
def test_too_little_data_gives_no_wrong_signals(strategy: PanelStrategy, shape):
    data = market_of(np.ones(shape))

    assert len(strategy.signal_panel(data)) <= data.shape[1] * 2


@pytest.mark.parametrize(
    ("cls", "given", "words"),
    [
        (TrendFollowing, {"short_ma": 0}, "short_ma"),
        (TrendFollowing, {"short_ma": 10, "long_ma": 10}, "must be less"),
        (Momentum, {"threshold": float("nan")}, "threshold"),
        (Momentum, {"lookback_period": 0}, "lookback_period"),
        (MeanReversion, {"exit_z": -2.0}, "must lie above"),
        (MeanReversion, {"window": 5, "std_multiplier": 2.5}, "no z-score of a window of 5"),
        (StatArbitrage, {"entry_z": 0.4}, "exit_z"),
        (StatArbitrage, {"entry_z": 5.0}, "stop_z"),
        (StatArbitrage, {"correlation_threshold": 1.5}, "correlation_threshold"),
        (StatArbitrage, {"pairs": 3}, "pairs"),
    ],
)
def test_parameters_out_of_bounds_are_refused(cls, given, words):
    with pytest.raises(ParameterError, match=words):
        cls.build(**given)
