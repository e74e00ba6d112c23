from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from trading.config import Settings
from trading.config.data import DataSettings, SimulatedMarketSettings, UniverseSettings
from trading.data.simulation.market import SimulatedMarket
from trading.errors import DataError
from trading.evaluation.baselines import factor_scorer
from trading.evaluation.delisting import delisting_sensitivity, with_last_return
from trading.evaluation.out_of_fold import score_folds
from trading.evaluation.walk_forward import make_folds
from trading.features.dataset import build_dataset
from trading.features.specification import FEATURE_NAMES
from trading.universe.constituents import members_for
from trading.universe.slots import allocate


def ended(market, lost=12):
    """A market in which the first names have no bar after a third of the judged time."""
    dataset = market(names=60, phases=1, sessions=700, seed=2).dataset
    returns = dataset.returns.copy()
    returns[560:, :lost] = np.nan
    eligible = dataset.eligible.copy()
    eligible[dataset.decisions > 560, :lost] = False
    return replace(dataset, returns=returns, eligible=eligible)


def test_each_name_that_left_gets_one_return_more_and_nothing_else_changes(market):
    dataset = ended(market)
    changed = with_last_return(dataset, -0.3, stale=5)
    np.testing.assert_allclose(changed.returns[560, :12], -0.3)
    differs = ~np.isclose(changed.returns, dataset.returns, equal_nan=True)
    assert differs.sum() == 12
    assert changed.features is dataset.features
    with pytest.raises(DataError, match="at least -100 %"):
        with_last_return(dataset, -1.5, stale=5)


def test_a_name_that_only_pauses_has_not_left(market):
    dataset = ended(market)
    assert with_last_return(dataset, -0.3, stale=200).returns[560, :12].tolist() == pytest.approx(
        [np.nan] * 12, nan_ok=True
    )


def test_a_holder_of_what_fails_loses_what_is_taken_for_it(market, settings):
    dataset = ended(market)
    folds = make_folds(dataset, settings.training, min_months=12)
    indices = np.concatenate([fold.test for fold in folds])
    favours = np.arange(60.0)[::-1]
    record = score_folds(dataset, folds, [lambda *_: (favours, None)] * len(folds), settings)
    zero, third, half = delisting_sensitivity(dataset, indices, record, settings)
    assert zero.delisted == 12
    assert zero.annual_return > third.annual_return > half.annual_return
    # It holds 30 of 60 names, the failing ones all: it loses more than equal weight does.
    assert zero.excess_return > third.excess_return > half.excess_return


@pytest.mark.slow
def test_delistings_of_the_simulated_market_are_counted_and_cost_something():
    base = Settings(
        data=DataSettings(
            simulated=SimulatedMarketSettings(symbols=400, start=date(2019, 1, 2), seed=5)
        ),
        universe=UniverseSettings(active=500, archive=50, padding=50, batch=300),
    )
    panel = SimulatedMarket(base.data.simulated).panel(date(2022, 12, 30))
    as_of = date(2023, 1, 3)
    slots, _ = allocate(None, members_for(panel, None, as_of, base.universe), as_of, base.universe)
    dataset = build_dataset(panel, slots, base, data_hash="simulated")
    folds = make_folds(dataset, base.training)
    # The names that fell most fail most often.
    place = FEATURE_NAMES.index("momentum_252_21")
    record = score_folds(dataset, folds, [factor_scorer(dataset, place, -1)] * len(folds), base)
    indices = np.concatenate([fold.test for fold in folds])
    zero, third, half = delisting_sensitivity(dataset, indices, record, base)
    assert zero.delisted > 0
    assert zero.annual_return > third.annual_return > half.annual_return
