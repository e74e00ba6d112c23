import asyncio
import math

import numpy as np
import pytest
from statsmodels.tsa.stattools import coint
from strategy_markets import market_of, paired_closes, table_of

from trading.errors import ParameterError
from trading.market.market_data import MarketData
from trading.strategy.pairs import PairRules, form_pairs, half_life
from trading.strategy.stat_arbitrage import StatArbitrage

RULES = PairRules(0.5, 0.05, 60.0, 10, 200, 1000)
SMALL = {"formation_period": 120, "reform_months": 2, "entry_z": 1.5, "correlation_threshold": 0.5}


def names(count):
    return [f"S{column:03}" for column in range(count)]


def formed(prices, rules=RULES, volume=None):
    count = prices.shape[1]
    return form_pairs(prices, np.ones(count) if volume is None else volume, names(count), rules)


def changed(**changes):
    fields = {name: getattr(RULES, name) for name in PairRules.__slots__}
    return PairRules(**fields | changes)


def test_planted_pairs_are_found_with_their_hedge_ratio():
    prices = paired_closes(2, 500, 4)

    pairs = formed(prices)

    assert {frozenset((pair.first, pair.second)) for pair in pairs} == {
        frozenset((2 * k, 2 * k + 1)) for k in range(4)
    }
    for pair in pairs:
        odd_first = pair.first % 2 == 1
        assert pair.hedge_ratio == pytest.approx(1.2 if odd_first else 1 / 1.2, rel=0.1)
        # The spread was made with a coefficient of 0.9: ln 2 / -ln 0.9 = 6.6 bars.
        assert 3.0 < pair.half_life < 11.0


def test_the_figures_of_a_pair_are_those_of_least_squares_and_statsmodels():
    prices = paired_closes(2, 300, 1)
    (pair,) = formed(prices)
    y, x = np.log(prices[:, pair.first]), np.log(prices[:, pair.second])
    slope, intercept = np.polyfit(x, y, 1)

    assert pair.hedge_ratio == pytest.approx(slope, rel=1e-9)
    assert pair.intercept == pytest.approx(intercept, rel=1e-8)
    assert pair.deviation == pytest.approx((y - slope * x - intercept).std(), rel=1e-9)
    assert pair.correlation == pytest.approx(np.corrcoef(np.diff(y), np.diff(x))[0, 1], abs=1e-9)
    both = [coint(a, b, maxlag=1, autolag=None)[1] for a, b in ((y, x), (x, y))]
    assert pair.p_value == pytest.approx(min(both), rel=1e-12)


def test_independent_walks_are_rarely_pairs():
    rng = np.random.default_rng(0)
    prices = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, (300, 12)), axis=0))

    assert formed(prices) == ()  # Uncorrelated: none is even tested.
    tested = formed(prices, changed(correlation=0.0, significance=0.01))
    assert len(tested) <= 2


@pytest.mark.parametrize("speed", [0.5, 0.9, 0.99])
def test_the_half_life_of_a_decay_is_exact(speed):
    spread = speed ** np.arange(200.0)

    assert half_life(spread) == pytest.approx(math.log(0.5) / math.log(speed), rel=1e-6)


def test_what_does_not_revert_has_no_half_life():
    assert half_life(np.arange(50.0) ** 2) == math.inf
    assert half_life(np.full(50, 3.0)) == math.inf
    assert half_life(np.tile([1.0, -1.0], 20)) == 0.0


def test_bad_columns_are_left_out_and_twins_are_no_pair():
    prices = np.column_stack([paired_closes(2, 300, 2), np.full(300, 5.0)])
    twin = np.column_stack([prices, prices[:, 0] * 3.0])
    hole = prices.copy()
    hole[100, 0] = np.nan
    negative = prices.copy()
    negative[5, 2] = -1.0

    assert all(6 not in (p.first, p.second) for p in formed(prices))
    assert {0, 5} not in [{p.first, p.second} for p in formed(twin)]
    assert {(p.first, p.second) for p in formed(hole)} <= {(2, 3), (3, 2)}
    assert {(p.first, p.second) for p in formed(negative)} <= {(0, 1), (1, 0)}
    assert formed(prices[:, :1]) == ()
    assert formed(prices[:, :0]) == ()


def test_the_search_is_bounded():
    prices = paired_closes(2, 300, 5)
    volume = np.array([9.0, 9, 1, 1, 8, 8, 1, 1, np.nan, 1])

    assert len(formed(prices, changed(max_pairs=2))) == 2
    assert len(formed(prices, changed(max_candidates=1))) <= 1
    few = formed(prices, changed(max_symbols=4, significance=0.5), volume)
    looked_at = {column for pair in few for column in (pair.first, pair.second)}
    assert looked_at <= {0, 1, 4, 5}
    assert looked_at


def test_the_legs_are_opened_against_each_other_and_closed_together():
    data = market_of(paired_closes(3, 420, 2))

    told = table_of(StatArbitrage.build(**SMALL).signal_panel(data))

    assert told
    by_row: dict[int, dict[str, tuple[str, float]]] = {}
    for row, symbol, action, strength in told:
        by_row.setdefault(row, {})[symbol] = (action, strength)
    for legs in by_row.values():
        for even, odd in (("S000", "S001"), ("S002", "S003")):
            assert (even in legs) == (odd in legs)
            if even in legs:
                one, other = legs[even], legs[odd]
                flat = one[1] == 0.0
                assert flat == (other[1] == 0.0)
                assert flat or {one[0], other[0]} == {"BUY", "SELL"}
                assert flat or max(one[1], other[1]) == 1.0


def test_a_pair_is_given_up_at_its_stop_and_when_a_leg_is_gone():
    closes = paired_closes(3, 420, 1)
    strategy = StatArbitrage.build(**SMALL)
    formation = strategy._formations(market_of(closes))[-1]
    gone = closes.copy()
    gone[formation + 5 :, 1] = np.nan
    broken = closes.copy()
    broken[formation + 5 :, 1] *= 3.0
    for changed_closes, last in ((gone, formation + 5 + 4), (broken, formation + 5)):
        told = table_of(strategy.signal_panel(market_of(changed_closes)))
        assert all(row <= last for row, *_ in told)
        held = {symbol: strength for _, symbol, _, strength in told}
        assert set(held.values()) <= {0.0}


def test_a_decision_follows_from_its_lookback_and_nothing_else():
    closes = paired_closes(4, 420, 3)
    closes[np.random.default_rng(0).random(closes.shape) < 0.0005] = np.nan
    strategy = StatArbitrage.build(formation_period=60, reform_months=1, entry_z=1.0)
    data = market_of(closes)
    whole = strategy.signal_panel(data)
    assert len(whole) > 20
    rows = sorted({*whole.rows[::3].tolist(), *range(60, 420, 23)})
    for row in rows:
        assert list(asyncio.run(strategy.analyze(data.upto(row)))) == list(whole.at(row))
    cut = strategy.signal_panel(data.upto(300))
    assert table_of(cut) == [one for one in table_of(whole) if one[0] <= 300]


def test_more_bars_in_a_session_than_stated_are_refused():
    data = market_of(paired_closes(4, 20, 1))
    hourly = MarketData(
        data.timestamps,
        np.repeat(data.sessions[:5], 4),
        data.symbols,
        data.open,
        data.high,
        data.low,
        data.close,
        data.volume,
        data.adjusted_close,
    )

    with pytest.raises(ParameterError, match="a session has 4 bars, more than session_bars"):
        StatArbitrage.build().signal_panel(hourly)
    assert len(StatArbitrage.build(session_bars=4).signal_panel(hourly)) == 0
