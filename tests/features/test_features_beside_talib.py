"""The features that TA-Lib knows, beside TA-Lib: to 2e-5 of their size, as single precision allows.

TA-Lib begins its exponential means with a plain mean of the first values; after 600 sessions the
difference is gone.
"""

from collections.abc import Callable

import numpy as np
import pytest

from tests.features.random_panels import random_panel
from trading.features.compute import compute_features
from trading.features.specification import FEATURE_NAMES
from trading.market.panel import Panel

talib = pytest.importorskip("talib", reason="TA-Lib is not installed (extra dev)")

ROWS = 900
FIRST = 600


def overnight(panel: Panel, i: int) -> np.ndarray:
    p, o, c = panel.adjusted_close[:, i], panel.open[:, i], panel.close[:, i]
    night = np.log(o[1:] * (p[1:] / c[1:]) / p[:-1]) - np.log(c[1:] / o[1:])
    return talib.SMA(np.concatenate([[np.nan], night]), 21)


def bollinger(panel: Panel, i: int) -> np.ndarray:
    price = np.ascontiguousarray(panel.adjusted_close[:, i])
    upper, middle, _ = talib.BBANDS(price, 20, 1, 1)
    return (price - middle) / (upper - middle)


def amihud(panel: Panel, i: int) -> np.ndarray:
    moved = np.abs(talib.ROCP(of(panel, "adjusted_close", i), 1))
    return np.log(talib.SMA(moved / (of(panel, "close", i) * of(panel, "volume", i)), 21))


def of(panel: Panel, field: str, i: int) -> np.ndarray:
    return np.ascontiguousarray(getattr(panel, field)[:, i])


def price(panel: Panel, i: int) -> np.ndarray:
    return of(panel, "adjusted_close", i)


def change(back: int) -> Callable[[Panel, int], np.ndarray]:
    return lambda panel, i: talib.ROCP(price(panel, i), back)


ORACLES: dict[str, Callable[[Panel, int], np.ndarray]] = {
    **{f"return_{back}": change(back) for back in (1, 5, 21, 63, 126)},
    "momentum_252_21": lambda panel, i: np.roll(talib.ROCP(price(panel, i), 231), 21),
    "rsi_14": lambda panel, i: talib.RSI(price(panel, i), 14),
    "macd_histogram": lambda panel, i: talib.MACD(price(panel, i), 12, 26, 9)[2] / price(panel, i),
    "bollinger_z_20": bollinger,
    "volatility_21": lambda panel, i: (
        talib.STDDEV(talib.ROCP(price(panel, i), 1), 21) * np.sqrt(21 / 20)
    ),
    "overnight_21": overnight,
    "volume_shock": lambda panel, i: np.log(
        talib.SMA(of(panel, "volume", i), 21) / talib.SMA(of(panel, "volume", i), 126)
    ),
    "amihud_21": amihud,
    "high_252": lambda panel, i: of(panel, "close", i) / talib.MAX(of(panel, "high", i), 252) - 1.0,
}


@pytest.fixture(scope="module")
def panel() -> Panel:
    return random_panel(ROWS, 6, seed=21, missing=0.0, dirty=False)


@pytest.fixture(scope="module")
def features(panel: Panel) -> np.ndarray:
    return compute_features(panel, np.arange(ROWS))


@pytest.mark.parametrize("name", ORACLES)
def test_it_is_what_talib_computes(panel: Panel, features: np.ndarray, name: str) -> None:
    found = features[FIRST:, :, FEATURE_NAMES.index(name)]
    with np.errstate(invalid="ignore"):
        expected = np.stack([ORACLES[name](panel, i) for i in range(6)], axis=1)[FIRST:]
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-7)


def test_a_rolling_median_is_not_in_talib_and_is_numpys(panel: Panel, features: np.ndarray) -> None:
    traded = panel.close * panel.volume
    windows = np.lib.stride_tricks.sliding_window_view(traded, 21, axis=0)
    expected = np.log(np.median(windows, axis=2))[FIRST - 20 :]
    found = features[FIRST:, :, FEATURE_NAMES.index("dollar_volume_21")]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
