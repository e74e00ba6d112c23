from math import sqrt

import numpy as np
import pytest
from sized_market import market, random_market, sized

from trading.market.bars import BarInterval
from trading.risk.sizing import build_sizer


def test_the_weight_is_the_target_over_the_volatility():
    """Moskowitz, Ooi and Pedersen (2012): 40 % / the volatility of the instrument before."""
    data = random_market(300, 3, seed=1)
    sizer = build_sizer(
        "volatility_scaled", {"target_volatility": 0.4, "window": 60, "max_weight": 10.0}
    )
    assert sizer.lookback == 61
    found = sized(sizer, data, (250, 1, 1, 1.0), (299, 2, -1, 0.5))
    for weight, row, column, exposure in zip(
        found.weights, [250, 299], [1, 2], [1.0, -0.5], strict=True
    ):
        prices = data.close[row - 60 : row + 1, column]
        volatility = np.std(prices[1:] / prices[:-1] - 1.0, ddof=1) * sqrt(252)
        assert weight == pytest.approx(exposure * 0.4 / volatility, rel=1e-12)


@pytest.mark.parametrize(
    ("interval", "bars"),
    [(BarInterval.DAY, 252), (BarInterval.HOUR, 1764), (BarInterval.MINUTE, 98_280)],
)
def test_bars_of_any_length_are_annualised(interval, bars):
    prices = 100.0 * np.cumprod(np.where(np.arange(40) % 2, 1.01, 0.99))[:, None]
    sizer = build_sizer(
        "volatility_scaled", {"target_volatility": 0.1, "window": 20, "max_weight": 10.0}
    )
    found = sized(sizer, market(prices, interval), (39, 0, 1, 1.0)).weights
    deviation = 0.01 * sqrt(20 / 19)
    np.testing.assert_allclose(found, [0.1 / (deviation * sqrt(bars))], rtol=1e-9)


def test_a_calm_name_is_capped_and_one_that_stands_still_is_not_held():
    calm = np.array([[100.0], [100.001]] * 20)
    sizer = build_sizer("volatility_scaled", {"window": 20, "max_weight": 0.2})
    assert sized(sizer, market(calm), (39, 0, 1, 1.0)).weights == [0.2]
    still = np.full((40, 1), 33.3)
    assert sized(sizer, market(still), (39, 0, 1, 1.0)).weights == [0.0]
    grows = 100.0 * 1.001 ** np.arange(40)[:, None]
    assert sized(sizer, market(grows), (39, 0, 1, 1.0)).weights == [0.0]
