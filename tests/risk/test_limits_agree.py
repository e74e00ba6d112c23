"""What the limits measure in the compiled loop is what `risk` defines outside of it."""

import numpy as np
import pandas as pd
import pytest

from trading.backtest.feed import BarFeed
from trading.backtest.instructions import Instructions
from trading.backtest.replay import replay
from trading.execution.settings import ExecutionSettings
from trading.risk.correlation import correlation
from trading.risk.exposure import exposure
from trading.risk.portfolio_risk import portfolio_tail_risk
from trading.risk.settings import LimitSettings, RiskSettings

BARS, WINDOW, DECISION = 80, 30, 60


@pytest.fixture(scope="module")
def prices():
    generator = np.random.default_rng(11)
    common = generator.normal(0, 0.01, (BARS, 1))
    return 50.0 * np.exp(np.cumsum(common + generator.normal(0, 0.01, (BARS, 3)), axis=0))


def feed_of(prices: np.ndarray) -> BarFeed:
    days = pd.bdate_range("2020-01-01", periods=BARS).to_numpy().astype("datetime64[s]")
    frames = []
    for column, name in enumerate("ABC"):
        close = prices[:, column]
        frames.append(
            pd.DataFrame(
                {
                    "date": days,
                    "symbol": name,
                    "open": close,
                    "high": close,
                    "low": close,
                    "close": close,
                    "volume": 1e6,
                    "adjusted_close": close,
                }
            )
        )
    return BarFeed.from_bars(pd.concat(frames, ignore_index=True))


def tripped(prices, **limits):
    """The event and the account before it: A and B are held when C is asked for.

    When A and B are bought fewer than 20 returns are known, so no limit on returns can trip.
    """
    risk = RiskSettings(max_leverage=None, window=WINDOW, **limits)
    asked = Instructions.targets([10, 10, DECISION], [0, 1, 2], [0.3, 0.2, 0.25])
    result = replay(feed_of(prices), asked, ExecutionSettings(), risk)
    events = result.risk_events
    at = events[events["timestamp"] == pd.Timestamp(result.timestamps[DECISION], tz="UTC")]
    assert len(at) == 1, events
    held = result.fills.groupby("symbol")["quantity"].sum()
    quantities = np.array([float(held.get(name, 0.0)) for name in "ABC"])
    assert (quantities[:2] > 0).all()
    assert quantities[2] == 0
    values = quantities * prices[DECISION]
    equity = float(result.equity[DECISION])
    wanted = np.floor(0.25 * equity / prices[DECISION, 2] + 1e-9) * prices[DECISION, 2]
    return at.iloc[0], values, wanted, equity


def window_returns(prices):
    return prices[DECISION - WINDOW + 1 : DECISION + 1] / prices[DECISION - WINDOW : DECISION] - 1


def limit(value):
    return LimitSettings(limit=value, action="reject")


def test_value_at_risk(prices):
    event, values, wanted, equity = tripped(prices, max_var=limit(0.0095))
    values[2] = wanted
    expected = portfolio_tail_risk(values / equity, window_returns(prices)).value_at_risk
    assert (event["limit"], event["outcome"]) == ("max_var", "rejected")
    assert event["value"] == pytest.approx(expected, rel=1e-9)


def test_concentration(prices):
    event, values, wanted, equity = tripped(prices, max_concentration=limit(0.15))
    values[2] = wanted
    assert event["limit"] == "max_concentration"
    assert event["value"] == pytest.approx(exposure(values, equity).herfindahl, rel=1e-9)


def test_correlation(prices):
    returns = window_returns(prices)
    event, values, _, _ = tripped(prices, max_correlation=limit(0.45))
    expected = correlation(np.column_stack([returns @ values, returns[:, 2]]))[0, 1]
    assert event["limit"] == "max_correlation"
    assert event["value"] == pytest.approx(expected, rel=1e-9)
