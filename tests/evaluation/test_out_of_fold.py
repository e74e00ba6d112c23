import zipfile
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest

from trading.agents.ensemble import Ensemble
from trading.agents.policy import FactorPolicy
from trading.backtest.simulator import simulate
from trading.errors import DataError, ModelError
from trading.evaluation.out_of_fold import (
    OutOfSample,
    ensemble_scorer,
    replay_scores,
    score_folds,
)
from trading.evaluation.score_history import ScoreHistory
from trading.evaluation.walk_forward import make_folds, outcome_ends
from trading.execution.slippage import CostModel
from trading.signals.portfolio import select


@pytest.fixture(scope="module")
def folds(planted, settings):
    return make_folds(planted.dataset, settings.training)


@pytest.fixture(scope="module")
def record(planted, folds, settings):
    return score_folds(planted.dataset, folds, [planted.scorer()] * len(folds), settings)


def same(left: OutOfSample, right: OutOfSample) -> None:
    for name in ("sessions", "net_returns", "offsets", "turnover", "costs", "names", "information"):
        np.testing.assert_array_equal(getattr(left.track, name), getattr(right.track, name))
    for name in ("months", "delisted", "fill"):
        assert getattr(left.track, name) == getattr(right.track, name)


def test_the_track_is_what_selection_and_simulation_give_by_hand(planted, folds, record, settings):
    dataset = planted.dataset
    indices = np.concatenate([fold.test for fold in folds])
    targets, held = [], np.zeros(len(dataset.symbols))
    for i in indices:
        found = select(
            planted.plant[i], None, dataset.eligible[i], held, settings.portfolio, dataset.symbols
        )
        targets.append(found.weights)
        held = found.weights
    rows = dataset.decisions[indices]
    by_hand = simulate(
        dataset.returns,
        rows,
        targets,
        CostModel.from_settings(settings.costs),
        dataset.dollar_volume[indices],
        dataset.volatility[indices],
        end_row=int(outcome_ends(dataset)[indices[-1]]),
    )
    np.testing.assert_array_equal(record.track.net_returns, by_hand.net_returns)
    np.testing.assert_array_equal(record.track.costs, by_hand.costs)
    assert record.track.sessions[0] == dataset.sessions[rows[0] + 2]
    assert record.track.months == tuple(dataset.months[i] for i in indices)


def test_months_compound_to_the_whole(record):
    whole = np.prod(1 + record.track.net_returns)
    assert np.prod(1 + record.track.monthly_returns) == pytest.approx(whole)
    assert record.track.information.mean() == pytest.approx(0.15, abs=0.04)


def test_stored_scores_replay_to_the_same_track(planted, record, settings):
    again = replay_scores(planted.dataset, record.history, settings)
    assert again is not None
    same(record, again)


def test_stored_scores_find_their_symbols_on_a_panel_with_other_slots(planted, record, settings):
    dataset = planted.dataset
    order = np.random.default_rng(1).permutation(len(dataset.symbols))
    moved = replace(
        dataset,
        symbols=tuple(dataset.symbols[i] for i in order),
        active=dataset.active[order],
        features=dataset.features[:, order],
        eligible=dataset.eligible[:, order],
        returns=dataset.returns[:, order],
        dollar_volume=dataset.dollar_volume[:, order],
        volatility=dataset.volatility[:, order],
    )
    again = replay_scores(moved, record.history, settings)
    assert again is not None
    np.testing.assert_allclose(again.track.net_returns, record.track.net_returns, atol=1e-13)


def test_only_the_latest_unbroken_months_in_common_are_replayed(planted, record, settings):
    history = record.history
    keep = [i for i in range(len(history.months)) if i != 3]
    broken = ScoreHistory(
        tuple(history.months[i] for i in keep),
        history.symbols,
        history.scores[keep],
        history.confidence[keep],
    )
    again = replay_scores(planted.dataset, broken, settings)
    assert again is not None
    assert again.track.months == history.months[4:]
    assert replay_scores(planted.dataset, history, settings, months=["1999-01"]) is None


def test_bytes_round_trip_and_do_not_depend_on_the_clock(record):
    body = record.to_bytes()
    assert body == OutOfSample.from_bytes(body).to_bytes()
    same(record, OutOfSample.from_bytes(body))
    dates = {info.date_time for info in zipfile.ZipFile(BytesIO(body)).infolist()}
    assert dates == {(1980, 1, 1, 0, 0, 0)}
    history = ScoreHistory.from_bytes(body)
    np.testing.assert_array_equal(history.scores, record.history.scores)
    assert history.to_bytes() == ScoreHistory.from_bytes(history.to_bytes()).to_bytes()


def test_a_history_that_goes_on_after_its_track_is_read_as_it_was(record):
    later = record.history.with_month("2031-01", ("N0001",), np.array([1.0]), np.array([0.5]))
    found = OutOfSample.from_bytes(OutOfSample(later, record.track).to_bytes())
    assert found.history.months == (*record.track.months, "2031-01")
    same(found, record)


def test_a_track_whose_parts_do_not_fit_is_refused(record):
    with pytest.raises(DataError, match="do not fit together"):
        replace(record.track, net_returns=record.track.net_returns[1:])


@pytest.mark.parametrize("body", [b"", b"PK nonsense", b"x" * 100])
def test_broken_bytes_are_a_model_error(body):
    with pytest.raises(ModelError, match="cannot be read"):
        OutOfSample.from_bytes(body)


def test_scores_alone_are_not_a_whole_record(record):
    with pytest.raises(ModelError, match="cannot be read"):
        OutOfSample.from_bytes(record.history.to_bytes())


def test_a_champions_record_goes_on_with_the_months_it_scores(record):
    history = record.history
    scores = np.array([3.0, 2.0, 1.0])
    longer = history.with_month("2031-01", ("N0001", "", "ZZZ"), scores, scores / 10)
    assert longer.months == (*history.months, "2031-01")
    column = longer.symbols.index("ZZZ")
    assert np.isnan(longer.scores[:-1, column]).all()
    assert longer.scores[-1, column] == 1.0
    assert longer.scores[-1, longer.symbols.index("N0001")] == 3.0
    kept = [longer.symbols.index(symbol) for symbol in history.symbols]
    np.testing.assert_array_equal(longer.scores[:-1, kept], history.scores)
    replaced = longer.with_month("2031-01", ("ZZZ",), np.array([7.0]), np.array([0.5]))
    assert replaced.months == longer.months
    assert np.isnan(replaced.scores[-1, longer.symbols.index("N0001")])


def test_what_comes_after_a_months_outcome_does_not_change_it(planted, folds, record, settings):
    dataset = planted.dataset
    last = int(outcome_ends(dataset)[folds[-1].test[-1]])
    altered = dataset.returns.copy()
    altered[last + 1 :] = 0.5
    again = score_folds(
        replace(dataset, returns=altered), folds, [planted.scorer()] * len(folds), settings
    )
    same(record, again)


def test_an_ensemble_scores_what_is_eligible(planted, settings):
    dataset = planted.dataset
    eligible = dataset.eligible.copy()
    eligible[:, 0] = False
    scorer = ensemble_scorer(
        replace(dataset, eligible=eligible), Ensemble((FactorPolicy("return_63", 1),))
    )
    scores, confidence = scorer(5, np.zeros(len(dataset.symbols)))
    assert np.isnan(scores[0])
    assert np.isfinite(scores[1:]).all()
    assert confidence is not None
    assert ((confidence >= 0) & (confidence <= 1)).all()


def test_each_fold_needs_its_scorer(planted, folds, settings):
    with pytest.raises(DataError, match="as many scorers"):
        score_folds(planted.dataset, folds, [planted.scorer()], settings)


def test_a_score_history_must_be_consistent():
    table = np.zeros((1, 2))
    with pytest.raises(DataError, match="shape"):
        ScoreHistory(("2024-01",), ("A",), table, table)
    with pytest.raises(DataError, match="symbols"):
        ScoreHistory(("2024-01",), ("A", "A"), table, table)
    with pytest.raises(DataError, match="months"):
        ScoreHistory(("2024-02", "2024-01"), ("A",), np.zeros((2, 1)), np.zeros((2, 1)))
