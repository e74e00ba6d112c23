import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from trading.backtest.figures import Figures, describe
from trading.backtest.metrics import Performance, summarize
from trading.backtest.relative import Relative
from trading.backtest.trade_statistics import TradeStatistics
from trading.errors import DataError

RETURNS = np.random.default_rng(2).normal(0.0005, 0.01, 200)
DATES = np.busday_offset("2020-01-01", np.arange(200))


def test_the_principal_figures_come_first_and_everything_is_plain_json():
    found = describe(RETURNS, DATES, exposure=np.linspace(0.0, 1.0, 200))
    assert found.performance == summarize(RETURNS)
    figures = found.to_dict()
    assert next(iter(figures)) == "observations"
    assert json.loads(json.dumps(figures)) == figures
    assert None not in figures.values()
    assert found.time_in_market == pytest.approx(199 / 200)
    assert found.average_exposure == pytest.approx(0.5)
    assert found.omega == found.performance.profit_factor


def test_missing_returns_are_left_out_and_counted():
    holes = RETURNS.copy()
    holes[[5, 50]] = np.nan
    kept = ~np.isnan(holes)
    found, again = describe(holes, DATES), describe(RETURNS[kept], DATES[kept])
    assert found.performance.missing == 2
    assert found.to_dict() | {"missing": 0} == again.to_dict()


def test_no_returns_are_no_data():
    figures = describe([], []).to_dict()
    assert (figures.pop("observations"), figures.pop("missing")) == (0, 0)
    assert set(figures.values()) == {None}


def test_one_day_and_all_cash():
    one = describe([0.01], DATES[:1])
    assert (one.best_period, one.best_month, one.skewness) == (0.01, pytest.approx(0.01), None)
    cash = describe(np.zeros(30), DATES[:30], exposure=np.zeros(30))
    assert (cash.time_in_market, cash.expectancy, cash.average_drawdown) == (0.0, None, 0.0)
    assert cash.positive_months == 0.0


def test_bad_series_are_refused():
    with pytest.raises(DataError, match="a date per return"):
        describe(RETURNS, DATES[1:])
    with pytest.raises(DataError, match="one series of exposures"):
        describe(RETURNS, DATES, exposure=np.ones((2, 2)))


@pytest.mark.parametrize("record", [Figures, Performance, Relative, TradeStatistics])
def test_every_figure_is_defined_in_the_document(record):
    document = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    names = {field.name for field in fields(record)} - {"performance"}
    assert {name for name in names if f"`{name}`" not in document} == set()
