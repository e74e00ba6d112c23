from dataclasses import replace

import numpy as np
import pytest

from trading.errors import DataError
from trading.evaluation.characteristics import (
    COLUMNS,
    ILLIQUIDITY,
    characteristics,
    normal_scores,
)
from trading.evaluation.inference import mean_test
from trading.evaluation.information import information_coefficient, realised_returns
from trading.evaluation.out_of_fold import score_folds, scores_on
from trading.evaluation.skill import (
    annual,
    monthly_outcomes,
    net_alpha,
    neutral_information,
    neutral_skill,
)
from trading.evaluation.walk_forward import make_folds, outcome_ends


def paid(made, premium, betas=None):
    """The market with a drift of `premium` a year for each standard normal of illiquidity, which is
    shown by a feature and the dollar volume, and with betas."""
    dataset = made.dataset
    names = len(dataset.symbols)
    rng = np.random.default_rng(17)
    illiquidity = rng.standard_normal(names)
    features = dataset.features.copy()
    ranks = np.argsort(np.argsort(illiquidity)) / (names - 1) * 2 - 1
    features[:, :, ILLIQUIDITY] = ranks
    returns = dataset.returns + (premium / 252 * illiquidity).astype(np.float32)
    if betas is not None:
        market = rng.normal(0.002, 0.012, (len(returns), 1))
        returns = returns + (market * betas).astype(np.float32)
    volume = np.full(dataset.dollar_volume.shape, 5e7) * np.exp(-illiquidity)
    changed = replace(
        dataset,
        features=features,
        returns=returns.astype(np.float32),
        dollar_volume=volume.astype(np.float32),
    )
    return changed, np.broadcast_to(illiquidity, features.shape[:2])


def last_months(dataset, months=30):
    known = np.flatnonzero((dataset.phases == 0) & (outcome_ends(dataset) >= 0))
    return known[-months:]


def test_a_premium_for_illiquidity_is_no_skill(market):
    dataset, illiquidity = paid(market(names=200, phases=1, seed=3), 0.3)
    indices = last_months(dataset)
    outcomes = monthly_outcomes(dataset, indices)
    raw = [
        information_coefficient(
            illiquidity[0], realised_returns(dataset, int(i), int(outcome_ends(dataset)[i]))
        )
        for i in indices
    ]
    assert mean_test(raw).p_value < 1e-3
    # The score is the characteristic, or bends it: neither is skill.
    for scores in (illiquidity[indices], np.exp(illiquidity[indices])):
        found = neutral_skill(scores, outcomes)
        assert found is not None
        assert found.p_value > 0.05


def test_who_knows_the_noise_of_volume_has_no_foresight_of_the_premium(market):
    dataset, illiquidity = paid(market(names=200, phases=1, seed=3), 0.15)
    noise = 0.7 * np.random.default_rng(5).standard_normal(illiquidity.shape)
    features = dataset.features.copy()
    shown = np.argsort(np.argsort(illiquidity + noise, axis=1), axis=1)
    features[:, :, ILLIQUIDITY] = shown / (shown.shape[1] - 1) * 2 - 1
    volume = (dataset.dollar_volume * np.exp(-noise)).astype(np.float32)
    noisy = replace(dataset, features=features, dollar_volume=volume)
    indices = last_months(noisy)
    # Of two names that seem as illiquid, the one with the smaller noise is the more illiquid.
    found = neutral_skill(-noise[indices], monthly_outcomes(noisy, indices))
    assert found is not None
    assert found.p_value > 0.05


def test_a_year_of_equal_months_says_no_more_than_the_last(market):
    dataset, _ = paid(market(names=60, phases=1, seed=3), 0.0)
    table = characteristics(dataset, last_months(dataset)[0]).table
    np.testing.assert_allclose(table[:, 5], table[:, 2], atol=1e-12)
    np.testing.assert_allclose(table[:, 9], table[:, 6], atol=1e-12)


def test_a_premium_for_beta_is_no_skill(market):
    names = 200
    betas = np.random.default_rng(8).normal(1.0, 0.5, names)
    dataset, _ = paid(market(names=names, phases=1, seed=3), 0.0, betas)
    indices = last_months(dataset)
    scores = np.broadcast_to(betas, (len(indices), names))
    found = neutral_skill(scores, monthly_outcomes(dataset, indices))
    assert found is not None
    assert found.p_value > 0.05
    estimate = characteristics(dataset, int(indices[-1])).table[:, 1]
    assert np.corrcoef(estimate, betas)[0, 1] > 0.8


def test_foresight_of_which_side_pays_is_skill(market):
    # The characteristic's sign turns at random each month, and the score knows it.
    made = market(names=200, phases=1, seed=3)
    dataset, illiquidity = paid(made, 0.0)
    indices = last_months(dataset)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], len(indices))
    returns = dataset.returns.astype(np.float64)
    ends = outcome_ends(dataset)
    for sign, index in zip(signs, indices, strict=True):
        rows = slice(int(dataset.decisions[index]) + 2, int(ends[index]) + 1)
        returns[rows] += sign * 0.0012 * illiquidity[0]
    timed = replace(dataset, returns=returns.astype(np.float32))
    scores = signs[:, None] * illiquidity[indices]
    found = neutral_skill(scores, monthly_outcomes(timed, indices))
    assert found is not None
    assert found.p_value < 1e-4


def test_a_plant_is_found_at_its_size(planted):
    indices = last_months(planted.dataset)
    found = neutral_skill(planted.plant[indices], monthly_outcomes(planted.dataset, indices))
    assert found is not None
    assert found.mean == pytest.approx(0.15, abs=0.04)
    assert found.p_value < 1e-6


def test_only_the_order_of_scores_counts(planted):
    indices = last_months(planted.dataset, 12)
    outcomes = monthly_outcomes(planted.dataset, indices)
    scores = planted.plant[indices]
    plain = neutral_information(scores, outcomes)
    np.testing.assert_allclose(neutral_information(np.exp(scores) - 9.0, outcomes), plain)


def test_slots_may_be_permuted(planted):
    dataset = planted.dataset
    order = np.random.default_rng(1).permutation(len(dataset.symbols))
    moved = replace(
        dataset,
        symbols=tuple(dataset.symbols[i] for i in order),
        features=dataset.features[:, order],
        eligible=dataset.eligible[:, order],
        returns=dataset.returns[:, order],
        dollar_volume=dataset.dollar_volume[:, order],
        volatility=dataset.volatility[:, order],
    )
    indices = last_months(dataset, 8)
    one = neutral_information(planted.plant[indices], monthly_outcomes(dataset, indices))
    two = neutral_information(planted.plant[indices][:, order], monthly_outcomes(moved, indices))
    np.testing.assert_allclose(one, two, atol=1e-9)


def test_what_comes_after_the_last_outcome_changes_nothing(planted, settings):
    dataset = planted.dataset
    indices = last_months(dataset, 14)[:10]
    end = int(outcome_ends(dataset)[indices[-1]])
    returns = dataset.returns.copy()
    returns[end + 1 :] = 0.4
    later = dataset.features.copy()
    later[indices[-1] + 1 :] = 1.0
    changed = replace(dataset, returns=returns, features=later)
    scores = planted.plant[indices]
    before = neutral_skill(scores, monthly_outcomes(dataset, indices))
    assert neutral_skill(scores, monthly_outcomes(changed, indices)) == before
    np.testing.assert_array_equal(
        characteristics(dataset, int(indices[0])).table,
        characteristics(changed, int(indices[0])).table,
    )


def test_characteristics_see_nothing_after_the_decision(planted):
    dataset = planted.dataset
    index = int(last_months(dataset, 3)[0])
    returns = dataset.returns.copy()
    returns[dataset.decisions[index] + 1 :] = 0.4
    plain = characteristics(dataset, index)
    seen = characteristics(replace(dataset, returns=returns), index)
    np.testing.assert_array_equal(plain.table, seen.table)
    assert plain.table.shape == (len(dataset.symbols), COLUMNS)


def test_missing_constant_and_few_scores_give_no_information(planted):
    dataset = planted.dataset
    indices = last_months(dataset, 8)
    outcomes = monthly_outcomes(dataset, indices)
    scores = planted.plant[indices].copy()
    scores[0] = 1.0
    scores[1] = np.nan
    scores[2, 10:] = np.nan
    found = neutral_information(scores, outcomes)
    assert np.isnan(found[:3]).all()
    assert np.isfinite(found[3:]).all()
    assert neutral_skill(scores, outcomes) is None
    assert neutral_skill(np.full(scores.shape, np.nan), outcomes) is None
    with pytest.raises(DataError, match="months expected"):
        neutral_information(scores[:2], outcomes)


def test_a_month_with_too_few_names_is_left_out(planted):
    dataset = planted.dataset
    indices = last_months(dataset, 8)
    eligible = dataset.eligible.copy()
    eligible[indices[0], 5:] = False
    outcomes = monthly_outcomes(replace(dataset, eligible=eligible), indices)
    assert outcomes[0] is None
    assert outcomes[1] is not None
    with pytest.raises(DataError, match="outcome is known"):
        monthly_outcomes(dataset, [len(dataset.decisions) - 1])


def test_net_alpha_leaves_out_constant_exposures(market, settings):
    dataset, illiquidity = paid(market(names=240, phases=1, seed=9), 0.4)
    folds = make_folds(dataset, settings.training, min_months=24)
    indices = np.concatenate([fold.test for fold in folds])
    record = score_folds(
        dataset, folds, [lambda at, _held: (illiquidity[at], None)] * len(folds), settings
    )
    found = net_alpha(record.track, dataset, indices, monthly_outcomes(dataset, indices))
    plain = mean_test(record.track.monthly_returns)
    assert found is not None
    assert plain is not None
    assert annual(plain) > 0.3
    assert abs(annual(found)) < 3.0 * annual(found, error=True)
    np.testing.assert_array_equal(scores_on(dataset, record), illiquidity[indices])


def test_net_alpha_finds_a_plant(planted, settings):
    folds = make_folds(planted.dataset, settings.training, min_months=24)
    indices = np.concatenate([fold.test for fold in folds])
    outcomes = monthly_outcomes(planted.dataset, indices)
    record = score_folds(planted.dataset, folds, [planted.scorer()] * len(folds), settings)
    found = net_alpha(record.track, planted.dataset, indices, outcomes)
    assert found is not None
    assert found.p_value < 0.01
    with pytest.raises(DataError, match="months"):
        net_alpha(record.track, planted.dataset, indices[:-1], outcomes[:-1])
    assert annual(None) is None


def test_normal_scores_are_symmetric_share_ties_and_know_no_missing():
    found = normal_scores(np.array([3.0, np.nan, 1.0, 2.0, 2.0]))
    assert found[1] == 0.0
    assert found[0] == pytest.approx(-found[2])
    assert found[3] == found[4] == pytest.approx(0.0)
    np.testing.assert_array_equal(normal_scores(np.full(4, 7.0)), np.zeros(4))
    assert normal_scores(np.array([])).shape == (0,)
