import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf_shrinkage

from trading.errors import RiskError
from trading.risk.correlation import (
    average_correlation,
    correlated_clusters,
    correlation,
    covariance,
    diversification_ratio,
    shrinkage_intensity,
)


def returns(periods=200, names=5, seed=0):
    generator = np.random.default_rng(seed)
    common = generator.normal(0, 0.01, (periods, 1))
    return common + generator.normal(0, 0.01, (periods, names)) * np.arange(1, names + 1)


@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_the_intensity_is_that_of_scikit_learn(periods, names, seed):
    x = returns(periods, names, seed)
    x = (x - x.mean(axis=0)) * 100
    assert shrinkage_intensity(x) == pytest.approx(
        ledoit_wolf_shrinkage(x, assume_centered=True), abs=1e-9
    )


def test_without_shrinkage_it_is_the_sample_covariance():
    x = returns()
    np.testing.assert_allclose(covariance(x, shrink=False), np.cov(x.T), rtol=1e-12)
    np.testing.assert_allclose(correlation(x), np.corrcoef(x.T), rtol=1e-12)


def test_shrinkage_pulls_correlations_together_and_keeps_variances():
    x = returns(30, 60)
    sample, shrunk = covariance(x, shrink=False), covariance(x)
    np.testing.assert_allclose(np.diag(shrunk), np.diag(sample), rtol=1e-12)
    off = ~np.eye(60, dtype=bool)
    ratio = correlation(x, shrink=True)[off] / correlation(x)[off]
    assert ratio.min() == pytest.approx(ratio.max())
    assert 0.0 < ratio.min() < 1.0
    assert np.linalg.matrix_rank(sample) < 60
    assert np.linalg.eigvalsh(shrunk).min() > 0.0


def test_a_missing_return_counts_as_the_mean():
    x = returns()
    x[::3, 1] = np.nan
    filled = x.copy()
    filled[::3, 1] = np.nanmean(x[:, 1])
    np.testing.assert_allclose(covariance(x), covariance(filled), rtol=1e-12)
    x[:, 2] = np.nan
    x[:99, 2] = 0.01
    found = covariance(x)
    assert np.isnan(found[2]).all()
    assert np.isnan(found[:, 2]).all()
    assert np.isfinite(np.delete(np.delete(found, 2, 0), 2, 1)).all()


def test_the_edges():
    assert covariance(np.empty((10, 0))).shape == (0, 0)
    assert np.isnan(covariance(np.empty((0, 3)))).all()
    assert np.isnan(covariance(np.full((1, 2), 0.1))).all()
    one = returns(50, 1)
    np.testing.assert_allclose(covariance(one), [[one.var(ddof=1)]])
    assert correlation(one) == [[1.0]]
    still = returns(50, 3)
    still[:, 1] = 0.25
    assert covariance(still)[1, 1] == 0.0
    np.testing.assert_array_equal(np.isnan(correlation(still)), [[0, 1, 0], [1, 1, 1], [0, 1, 0]])
    with pytest.raises(RiskError, match="infinite"):
        covariance([[0.1, np.inf], [0.1, 0.2]])
    with pytest.raises(RiskError, match=r"\(T, N\)"):
        covariance([0.1, 0.2])


def test_the_average_correlation():
    rho = np.array([[1, 0.5, 0.2], [0.5, 1, -0.1], [0.2, -0.1, 1]])
    assert average_correlation(rho) == pytest.approx(0.2)
    assert average_correlation(rho, [1, 1, 0]) == pytest.approx(0.5)
    assert average_correlation(rho, [1, -1, 0]) == pytest.approx(-0.5), "a hedge"
    assert np.isnan(average_correlation([[1.0]]))
    assert np.isnan(average_correlation(np.empty((0, 0))))
    unknown = np.array([[1, 0.4, np.nan], [0.4, 1, np.nan], [np.nan] * 3])
    assert average_correlation(unknown) == pytest.approx(0.4)
    with pytest.raises(RiskError, match="square"):
        average_correlation([0.1])


def test_the_diversification_ratio_of_choueifaty_and_coignard():
    """(2008): 1 for one asset, the root of N for N uncorrelated assets of equal risk."""
    assert diversification_ratio([1.0], [[0.04]]) == pytest.approx(1.0)
    assert diversification_ratio(np.full(9, 1 / 9), 0.04 * np.eye(9)) == pytest.approx(3.0)
    # Two assets of 10 and 20 %, correlated 0.5, half each: 15 % / sqrt(175) %.
    matrix = [[0.01, 0.01], [0.01, 0.04]]
    assert diversification_ratio([0.5, 0.5], matrix) == pytest.approx(0.15 / np.sqrt(0.0175))
    assert np.isnan(diversification_ratio([], np.empty((0, 0))))
    assert np.isnan(diversification_ratio([1.0], [[0.0]]))
    assert np.isnan(diversification_ratio([1.0], [[np.nan]]))
    assert diversification_ratio([1.0, 0.0], [[0.04, np.nan], [np.nan, np.nan]]) == 1.0
    with pytest.raises(RiskError, match="2 finite weights"):
        diversification_ratio([np.nan, 1.0], np.eye(2))


def test_every_pair_of_a_cluster_correlates():
    rho = np.array(
        [
            [1, 0.9, 0.1, 0.75, 0],
            [0.9, 1, 0.2, 0.6, 0],
            [0.1, 0.2, 1, 0, 0.8],
            [0.75, 0.6, 0, 1, 0],
            [0, 0, 0.8, 0, 1],
        ]
    )
    names = ("A", "B", "C", "Ä", "E")
    assert correlated_clusters(rho, names, 0.7) == (("A", "B"), ("C", "E"), ("Ä",))
    assert correlated_clusters(rho, names, 0.6) == (("A", "B", "Ä"), ("C", "E"))
    assert correlated_clusters(rho, names, 0.95) == (("A",), ("B",), ("C",), ("Ä",), ("E",))
    assert correlated_clusters(rho, names, 0.9)[0] == ("A", "B"), "the threshold is included"


@given(st.integers(2, 12), st.integers(0, 2**32 - 1), st.sampled_from([0.2, 0.5, 0.8]))
def test_clusters_partition_the_names(names, seed, threshold):
    rho = correlation(returns(20, names, seed))
    groups = correlated_clusters(rho, [str(i) for i in range(names)], threshold)
    assert sorted(int(name) for group in groups for name in group) == list(range(names))
    for group in groups:
        picked = [int(name) for name in group]
        assert rho[np.ix_(picked, picked)].min() >= threshold - 1e-9


def test_unknown_names_stand_alone():
    rho = np.array([[1, np.nan, 0.9], [np.nan] * 3, [0.9, np.nan, 1]])
    assert correlated_clusters(rho, ["A", "B", "C"]) == (("A", "C"), ("B",))
    assert correlated_clusters(np.empty((0, 0)), []) == ()
    assert correlated_clusters([[1.0]], ["A"]) == (("A",),)
    with pytest.raises(RiskError, match="2 symbols for 3"):
        correlated_clusters(rho, ["A", "B"])
    with pytest.raises(RiskError, match="threshold"):
        correlated_clusters(rho, ["A", "B", "C"], 1.5)
