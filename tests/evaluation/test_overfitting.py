from itertools import combinations

import numpy as np
import pytest

from trading.errors import DataError
from trading.evaluation.overfitting import probability_of_overfitting


def slowly(table, blocks):
    """The definition, split by split."""
    parts = np.array_split(np.arange(len(table)), blocks)
    below = []
    for picked in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[k] for k in picked])
        outside = np.setdiff1d(np.arange(len(table)), inside)
        best = np.argmax(table[inside].mean(0) / table[inside].std(0))
        ratios = table[outside].mean(0) / table[outside].std(0)
        rank = (ratios < ratios[best]).sum() / (table.shape[1] - 1)
        below.append(1.0 if rank < 0.5 else 0.5 if rank == 0.5 else 0.0)
    return np.mean(below)


@pytest.mark.parametrize(("candidates", "blocks"), [(5, 6), (16, 8)])
def test_it_is_what_the_definition_says(candidates, blocks):
    table = np.random.default_rng(candidates).normal(0.05, 1.0, (37, candidates))
    found = probability_of_overfitting(table, blocks)
    assert found is not None
    assert found.probability == pytest.approx(slowly(table, blocks))
    assert found.candidates == candidates
    assert found.splits == len(list(combinations(range(blocks), blocks // 2)))


def test_noise_is_a_coin_and_skill_is_not():
    rng = np.random.default_rng(9)
    noise = [probability_of_overfitting(rng.normal(size=(36, 16))) for _ in range(60)]
    skill = np.append(np.full(4, 1.0), np.zeros(12))
    found = [probability_of_overfitting(rng.normal(size=(36, 16)) + skill) for _ in range(30)]
    assert 0.4 < np.mean([one.probability for one in noise if one]) < 0.6
    assert np.mean([one.probability for one in found if one]) < 0.05


def test_identical_candidates_cannot_be_chosen_from():
    same = np.repeat(np.random.default_rng(0).normal(size=(36, 1)), 8, axis=1)
    assert probability_of_overfitting(same) is None
    assert probability_of_overfitting(same[:, :1]) is None
    assert probability_of_overfitting(np.empty((36, 0))) is None


def test_a_double_of_the_best_changes_little():
    table = np.random.default_rng(2).normal(0.3, 1.0, (48, 9))
    table[:, 8] = table[:, 0]
    found = probability_of_overfitting(table)
    assert found is not None
    assert 0.0 <= found.probability <= 1.0


def test_few_months_use_fewer_blocks_and_very_few_none():
    table = np.random.default_rng(2).normal(size=(9, 5))
    found = probability_of_overfitting(table)
    assert found is not None
    assert found.blocks == 4
    assert probability_of_overfitting(table[:7]) is None


def test_months_that_one_candidate_lacks_are_left_out_for_all():
    table = np.random.default_rng(2).normal(size=(40, 5))
    gaps = np.insert(table, 11, np.nan, axis=0)
    gaps[11, 1:] = 0.5
    assert probability_of_overfitting(gaps) == probability_of_overfitting(table)


def test_a_candidate_that_never_moves_is_ranked_like_any_other():
    table = np.random.default_rng(2).normal(size=(40, 5))
    table[:, 0] = 0.0
    table[:, 1] = 0.01
    found = probability_of_overfitting(table)
    assert found is not None
    assert found.slope is None
    # What gains without any risk is chosen, and is the best in every other half too.
    assert found.probability == 0.0


def test_impossible_input_is_refused():
    with pytest.raises(DataError, match="finite table"):
        probability_of_overfitting(np.zeros(5))
    with pytest.raises(DataError, match="even number"):
        probability_of_overfitting(np.zeros((20, 3)), 5)
