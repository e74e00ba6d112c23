from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from trading.agents.environment import PortfolioEnv
from trading.agents.episodes import episodes, month_market
from trading.config import Settings
from trading.config.data import DataSettings, SimulatedMarketSettings, UniverseSettings
from trading.data.simulation.market import SimulatedMarket
from trading.errors import DataError
from trading.evaluation.baselines import factor_scorer
from trading.evaluation.delisting import delisting_sensitivity, with_last_return
from trading.evaluation.out_of_fold import score_folds
from trading.evaluation.track import follow_decisions
from trading.evaluation.walk_forward import make_folds
from trading.features.dataset import build_dataset
from trading.features.specification import FEATURE_NAMES
from trading.month.portfolio import follow_targets
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


def leaves_with_its_decision(market):
    """A market whose name 0 has its last bar on the third decision's day: it paid -80 %."""
    dataset = market(names=8, phases=1, sessions=700, seed=6).dataset
    row = int(dataset.decisions[2])
    returns = dataset.returns.copy()
    returns[row + 1 :, 0] = np.nan
    returns[row + 1, 0] = -0.8
    told = replace(dataset, returns=returns, ended=np.arange(8) == 0)
    untold = returns.copy()
    untold[row + 1, 0] = np.nan
    return told, replace(dataset, returns=untold), row


def test_what_a_delisting_paid_is_no_bar_to_buy_at(market):
    told, untold, row = leaves_with_its_decision(market)
    assumed = with_last_return(untold, -0.8, stale=5)
    np.testing.assert_array_equal(told.fillable, untold.fillable)
    np.testing.assert_array_equal(assumed.fillable, untold.fillable)
    assert told.fillable[row].all()
    assert np.flatnonzero(~told.fillable[row + 1]).tolist() == [0]
    assert with_last_return(told, -0.8, stale=5).ended.tolist() == told.ended.tolist()
    assert with_last_return(untold, 0.0, stale=5).ended is None


@pytest.mark.slow
@pytest.mark.parametrize("held", [False, True])
def test_a_name_that_left_on_the_decision_day_is_never_bought_and_its_holder_loses(
    market, settings, held
):
    told, untold, row = leaves_with_its_decision(market)
    indices = np.array([1, 2, 3])
    wanted = np.zeros((3, 8))
    wanted[0 if held else 1 :, 0] = 0.5
    found = []
    for dataset in (told, with_last_return(untold, -0.8, stale=5)):
        run = follow_decisions(dataset, indices, lambda i, *_: wanted[i - 1], settings)
        months = np.split(run.net_returns, run.offsets[1:-1])
        found.append(run.net_returns)
        assert run.names.tolist() == ([1, 1, 1] if held else [0, 0, 0])
        assert (months[1] == 0.0).all()
        if held:
            # The day before the fill of the second decision is the last that the name traded.
            assert months[0][-1] < -0.2
            assert run.session_rows[run.offsets[1] - 1] == row + 1
        else:
            assert not run.net_returns.any()
            assert run.costs.tolist() == [0.0, 0.0, 0.0]
        by_targets = follow_targets(dataset, dataset.decisions[indices], wanted, settings)
        np.testing.assert_array_equal(
            by_targets.net_returns[: len(run.net_returns)], run.net_returns
        )

        # The compiled kernel of the environment, on the same months.
        env = PortfolioEnv(dataset, settings, indices, action="weights")
        env.reset(options={"chain": 0})
        steps = [env.step(target.astype(np.float32))[4] for target in wanted]
        net = np.concatenate([step["net_returns"] for step in steps])
        np.testing.assert_allclose(net, run.net_returns, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(*found)


def test_neither_training_nor_the_credit_sees_it_as_a_name_to_buy(market):
    told, _, _ = leaves_with_its_decision(market)
    chain = episodes(told, [2])[0]
    assert month_market(told, chain[0]).fillable.tolist() == [False] + [True] * 7
    assert month_market(told, chain[0], np.array([0, 3])).fillable.tolist() == [False, True]
