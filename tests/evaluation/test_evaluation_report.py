"""Capacity, costs, cross-validation, the document, the page and the card of one evaluation."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from trading.agents.artifact import Artifact, Manifest, Member
from trading.agents.policy import FactorPolicy
from trading.backtest import metrics
from trading.config import Settings
from trading.errors import ConfigurationError, DataError, ModelError
from trading.evaluation.capacity import capacity_curve, cost_sensitivity
from trading.evaluation.combinatorial import combinatorial_splits, distribution, path_records
from trading.evaluation.model_card import ModelCard, model_card
from trading.evaluation.model_scorers import fold_scorers, member_scorers
from trading.evaluation.out_of_fold import score_folds
from trading.evaluation.page import render
from trading.evaluation.study import Evaluation, describe
from trading.evaluation.validation import validate
from trading.evaluation.walk_forward import make_folds, outcome_ends

MADE = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def folds(planted, settings):
    return make_folds(planted.dataset, settings.training)


@pytest.fixture(scope="module")
def record(planted, folds, settings):
    return score_folds(planted.dataset, folds, [planted.scorer()] * len(folds), settings)


@pytest.fixture(scope="module")
def indices(folds):
    return np.concatenate([fold.test for fold in folds])


@pytest.fixture(scope="module")
def evaluation(planted, folds, settings):
    judged = validate(planted.dataset, folds, [planted.scorer()] * len(folds), settings)
    return describe(
        planted.dataset,
        folds,
        judged,
        settings,
        title="<b>Plant & Söhne</b>",
        source="a test",
        simulated=True,
    )


def test_capacity_is_the_record_at_its_own_capital_and_falls_beyond(
    planted, indices, record, settings
):
    points = capacity_curve(planted.dataset, indices, record, settings, (1e6, 1e7, 1e9))
    at_own = points[1]
    assert at_own.annual_return == pytest.approx(float(metrics.cagr(record.track.net_returns)))
    excess = [point.excess_return for point in points]
    assert excess == sorted(excess, reverse=True)
    assert points[0].participation_high < points[1].participation_high
    assert points[2].exposure < points[0].exposure
    with pytest.raises(DataError, match="above 0"):
        capacity_curve(planted.dataset, indices, record, settings, (0.0,))


def test_costs_eat_the_return(planted, indices, record, settings):
    points = cost_sensitivity(planted.dataset, indices, record, settings, (0.0, 1.0, 3.0))
    assert points[0].annual_costs == 0.0
    assert points[1].annual_return == pytest.approx(float(metrics.cagr(record.track.net_returns)))
    assert points[2].annual_costs == pytest.approx(3 * points[1].annual_costs, rel=0.05)
    returns = [point.annual_return for point in points]
    assert returns == sorted(returns, reverse=True)
    with pytest.raises(DataError, match="at least 0"):
        cost_sensitivity(planted.dataset, indices, record, settings, (-1.0,))


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "tested"), [(6, 2), (5, 1), (4, 3)])
def test_combinatorial_training_never_overlaps_what_is_tested(planted, groups, tested):
    dataset = planted.dataset
    splits = combinatorial_splits(dataset, groups=groups, tested=tested, embargo_sessions=21)
    ends = outcome_ends(dataset)
    for split in splits:
        assert len(split.test) == len(split.paths) == tested
        for part in split.test:
            first, last = dataset.decisions[part[0]], ends[part[-1]]
            for index in split.train:
                clear_before = ends[index] + 21 <= first
                clear_after = dataset.decisions[index] + 1 >= last + 21
                assert clear_before or clear_after
    assert len({split.train.tobytes() for split in splits}) == len(splits)


@pytest.mark.slow
def test_every_history_has_every_month_once(planted, settings):
    dataset = planted.dataset
    splits = combinatorial_splits(dataset, groups=6, tested=2)
    records = path_records(dataset, splits, [planted.scorer()] * len(splits), settings)
    monthly = np.flatnonzero((dataset.phases == 0) & (outcome_ends(dataset) >= 0))
    months = tuple(dataset.months[index] for index in monthly)
    assert len(splits) == 15
    assert [record.track.months for record in records] == [months] * 5
    found = distribution(splits, records)
    assert (found.groups, found.tested, found.splits, found.paths) == (6, 2, 15, 5)
    # One scorer everywhere: every history is the same.
    assert found.deviation == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(DataError, match="as many scorers"):
        path_records(dataset, splits, [planted.scorer()], settings)


@pytest.mark.slow
def test_groups_that_do_not_fit_are_refused(planted):
    with pytest.raises(ConfigurationError, match="at least 1 and fewer"):
        combinatorial_splits(planted.dataset, groups=4, tested=4)
    with pytest.raises(DataError, match="cannot make 99 groups"):
        combinatorial_splits(planted.dataset, groups=99)


def test_the_document_is_plain_json_and_comes_back(evaluation):
    text = evaluation.model_dump_json()
    assert "NaN" not in text
    assert Evaluation.model_validate_json(text) == evaluation
    assert json.loads(text)["simulated"] is True
    assert "SIMULATED" in evaluation.warnings[0]
    assert [fold.months for fold in evaluation.folds] == [len(fold) for fold in _months(evaluation)]
    assert set(evaluation.curves) == set(evaluation.verdict.figures)


def _months(evaluation):
    sizes = [fold.months for fold in evaluation.folds]
    return np.split(np.array(evaluation.verdict.months), np.cumsum(sizes)[:-1])


@pytest.mark.slow
def test_the_page_is_whole_escaped_and_says_simulated(evaluation):
    page = render(evaluation, MADE)
    assert "&lt;b&gt;Plant &amp; Söhne&lt;/b&gt;" in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "SIMULATED MARKET" in page
    assert page.count("data:image/svg+xml;base64,") >= 7
    assert render(evaluation, MADE) == page


@pytest.mark.slow
def test_real_bars_come_with_the_warning_of_survivorship(planted, folds, settings):
    judged = validate(planted.dataset, folds, [planted.scorer()] * len(folds), settings)
    found = describe(
        planted.dataset,
        folds,
        judged,
        settings,
        title="t",
        source="s",
        simulated=False,
    )
    assert found.warnings[0].startswith("Survivorship")


def artifact(dataset, folds, **changed) -> Artifact:
    days = dataset.sessions.astype("datetime64[D]")
    files = {f"fold-{fold.index}.npz": FactorPolicy("return_63", 1).to_bytes() for fold in folds}
    manifest = Manifest(
        kind="baseline",
        members=(Member(name="one", final="final.npz", folds=tuple(files)),),
        trained_through=date(2024, 1, 2),
        fold_trained_through=tuple(days[fold.train_end].item() for fold in folds),
        features_version=dataset.features_version,
        data_hash=dataset.data_hash,
        slots_version="s",
    )
    policies = {**files, "final.npz": FactorPolicy("return_63", 1).to_bytes()}
    return Artifact.pack(manifest.model_copy(update=changed), policies)


def test_the_folds_of_a_model_are_scored_by_their_own_policies(planted, folds, settings):
    dataset = planted.dataset
    model = artifact(dataset, folds)
    scorers = fold_scorers(model, dataset, folds)
    members = member_scorers(model, dataset, folds)
    assert list(members) == ["one"]
    scores, confidence = scorers[0](3, np.zeros(len(dataset.symbols)))
    assert np.isfinite(scores).all()
    assert confidence is not None
    late = tuple(dataset.sessions[fold.test_start].astype(object) for fold in folds)
    with pytest.raises(ModelError, match="is tested from"):
        fold_scorers(artifact(dataset, folds, fold_trained_through=late), dataset, folds)
    with pytest.raises(ModelError, match="folds, the dataset"):
        fold_scorers(model, dataset, folds[:-1])


def test_the_card_says_what_the_model_is_and_is_not(planted, folds, settings, evaluation):
    dataset = planted.dataset
    model = artifact(dataset, folds)
    card = model_card(
        model.manifest, evaluation.verdict, dataset, settings, source="a test", simulated=False
    )
    assert ModelCard.model_validate_json(card.model_dump_json()) == card
    text = card.to_markdown()
    for words in (model.manifest.version, "Intended use", "Survivorship", "## The gate", "a test"):
        assert words in text
    assert card.data.names == len(dataset.symbols)
    other = replace(dataset, data_hash="another")
    with pytest.raises(ModelError, match="own dataset"):
        model_card(
            model.manifest, evaluation.verdict, other, Settings(), source="x", simulated=True
        )
