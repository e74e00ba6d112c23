import numpy as np
from sized_market import random_market, sized

from trading.risk.sizing import build_sizer


def test_the_weight_is_the_fraction_times_the_strength():
    """R. Vince, "Portfolio Management Formulas" (1990): a fixed fraction of the capital."""
    data = random_market(10, 3)
    sizer = build_sizer("fixed_fraction", {"fraction": 0.1})
    found = sized(sizer, data, (2, 0, 1, 1.0), (2, 2, 1, 0.5), (7, 0, -1, 0.3), (8, 2, 0, 1.0))
    np.testing.assert_array_equal(found.rows, [2, 2, 7])
    np.testing.assert_array_equal(found.columns, [0, 2, 0])
    np.testing.assert_allclose(found.weights, [0.1, 0.05, -0.03], rtol=1e-15)


def test_prices_play_no_part():
    missing = random_market(10, 1, missing=1.0)
    sizer = build_sizer("fixed_fraction")
    assert sizer.lookback == 1
    assert sized(sizer, missing, (0, 0, 1, 1.0)).weights == [0.05]
