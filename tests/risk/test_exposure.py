import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import RiskError
from trading.risk.exposure import SectorExposure, exposure, market_betas, portfolio_beta


def test_a_130_30_portfolio():
    """The textbook long-short portfolio: 130 % long, 30 % short, 160 % gross, 100 % net."""
    found = exposure([800.0, 500.0, -300.0, 0.0], 1000.0)
    assert (found.long, found.short) == (1.3, 0.3)
    assert found.gross == found.leverage == pytest.approx(1.6)
    assert found.net == pytest.approx(1.0)
    assert (found.largest, found.positions) == (0.8, 3)
    assert found.herfindahl == pytest.approx(0.64 + 0.25 + 0.09)
    assert found.sectors == {}


@given(st.integers(1, 50))
def test_equal_positions_are_as_many_as_they_are(names):
    """O. Herfindahl's index is 1 / N for N equal shares."""
    found = exposure(np.full(names, 2.5), 2.5 * names)
    assert found.herfindahl == pytest.approx(1 / names)
    assert found.effective_names == pytest.approx(names)


def test_sectors_add_up_and_a_missing_one_is_named():
    symbols = ("A", "B", "C", "Ü", "E")
    sectors = {"A": "Tech", "B": "Tech", "C": "Énergie", "E": ""}
    found = exposure([100, -40, 30, 20, 0], 200.0, symbols, sectors).sectors
    assert found == {
        "Tech": SectorExposure(0.7, 0.3),
        "Énergie": SectorExposure(0.15, 0.15),
        "unknown": SectorExposure(0.1, 0.1),
    }


def test_the_edges_of_exposure():
    empty = exposure([], 100.0, (), {})
    assert (empty.gross, empty.net, empty.largest, empty.effective_names) == (0, 0, 0, 0)
    assert empty.positions == 0
    for equity in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(RiskError, match="equity above 0"):
            exposure([1.0], equity)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(RiskError, match="must be finite"):
            exposure([bad], 1.0)
    with pytest.raises(RiskError, match="1 symbols for 2 values"):
        exposure([1.0, 2.0], 1.0, ["A"], {})


def test_betas_are_the_slopes_of_least_squares():
    generator = np.random.default_rng(0)
    market = generator.normal(0, 0.01, 100)
    returns = np.outer(market, [0.5, 1.0, -2.0]) + generator.normal(0, 0.01, (100, 3)) + 0.001
    expected = [np.polyfit(market, returns[:, i], 1)[0] for i in range(3)]
    betas = market_betas(returns, market)
    np.testing.assert_allclose(betas, expected, rtol=1e-9)
    assert portfolio_beta([0.5, 0.5, -0.2], betas) == pytest.approx(
        0.5 * expected[0] + 0.5 * expected[1] - 0.2 * expected[2]
    )
    market[10:20] = np.nan
    returns[30:40, 1] = np.nan
    both = np.r_[0:10, 20:30, 40:100]
    assert market_betas(returns, market)[1] == pytest.approx(
        np.polyfit(market[both], returns[both, 1], 1)[0]
    )


def test_the_edges_of_beta():
    returns = np.column_stack([np.full(5, np.nan), [0.1, 0.2, np.nan, 0.1, 0.0]])
    found = market_betas(returns, [0.1, 0.2, 0.3, 0.1, 0.0])
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(1.0)
    assert np.isnan(market_betas(returns, np.full(5, 0.1))).all(), "the market stands still"
    assert market_betas(np.empty((5, 0)), np.zeros(5)).shape == (0,)
    assert np.isnan(market_betas(np.empty((0, 2)), [])).all()
    assert np.isnan(portfolio_beta([1.0, 1.0], found))
    assert portfolio_beta([0.0, 1.0], found) == pytest.approx(1.0)
    assert portfolio_beta([], []) == 0.0
    with pytest.raises(RiskError, match=r"market \(T,\)"):
        market_betas(returns, np.zeros(4))
    with pytest.raises(RiskError, match="infinite"):
        market_betas(np.full((5, 1), np.inf), np.zeros(5))
    with pytest.raises(RiskError, match="finite weights"):
        portfolio_beta([1.0], [1.0, 2.0])
