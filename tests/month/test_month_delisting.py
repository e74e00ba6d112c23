"""A month in which a company has left the market: who held it got what the lake says was paid."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import boto3
import numpy as np
import pytest
from month_runner import NOTHING_PASSES, MonthRunner, small_settings
from month_tables import resources_at

from trading.agents.environment import PortfolioEnv
from trading.config import ExposureSettings
from trading.evaluation.delisting import with_last_return
from trading.features.dataset import Dataset
from trading.market.bars import CorporateAction, CorporateActionType
from trading.market.calendar import first_session_of_month
from trading.month.portfolio import follow_targets

AS_OF = date(2024, 1, 2)


@pytest.fixture
def runner(aws: None, tmp_path: Path) -> MonthRunner:
    boto3.client("ses").verify_email_identity(EmailAddress="signals@trading.example")
    made = MonthRunner(resources_at(tmp_path, small_settings(NOTHING_PASSES)), tmp_path / "ml")
    made.fill_lake(AS_OF)
    return made


def prepared(runner: MonthRunner, as_of: date = AS_OF, run: int = 1) -> Dataset:
    return runner.dataset(runner.run(as_of, run=run, until="prepare"))


def last_delisting(runner: MonthRunner) -> CorporateAction:
    actions = runner.resources.lake.corporate_actions(before=AS_OF)
    return [a for a in actions if a.type is CorporateActionType.DELISTING][-1]


def left_while_held(dataset: Dataset, told: CorporateAction) -> tuple[int, int]:
    """Return the column of the company that left, and the decision after which it was held."""
    column = dataset.symbols.index(told.symbol)
    row = int(np.searchsorted(dataset.sessions, np.datetime64(told.ex_date)))
    held = dataset.decisions[(dataset.decisions + 1 < row) & dataset.has_outcome]
    return column, int(np.flatnonzero(dataset.decisions == held[-1])[0])


@pytest.mark.slow
def test_what_a_delisting_paid_is_in_dataset_environment_and_portfolio(
    runner: MonthRunner,
) -> None:
    lake = runner.resources.lake
    told = replace(last_delisting(runner), value=-0.6)
    plain = prepared(runner)
    assert plain.ended is not None
    lake.ingest_actions([told], adjusted_through=AS_OF)
    dataset = prepared(runner, run=2)
    column, decision = left_while_held(dataset, told)
    row = int(np.searchsorted(dataset.sessions, np.datetime64(told.ex_date)))
    assert plain.returns[row, column] == 0.0
    assert dataset.returns[row, column] == pytest.approx(-0.6)

    settings = runner.resources.settings
    target = np.zeros((1, len(dataset.symbols)))
    target[0, column] = 1.0
    rows = dataset.decisions[decision : decision + 1]
    values = [
        np.prod(1.0 + follow_targets(each, rows, target, settings).net_returns)
        for each in (plain, dataset)
    ]
    assert values[1] == pytest.approx(0.4 * values[0])

    # The environment pays it too, and an assumption about unknown ones does not come on top.
    assuming = settings.model_copy(update={"exposure": ExposureSettings(delisting_return=-0.3)})
    env = PortfolioEnv(dataset, assuming, [decision], action="weights")
    env.reset(options={"chain": 0})
    whole = env.step(target[0].astype(np.float32))[4]
    env = PortfolioEnv(plain, assuming, [decision], action="weights")
    env.reset(options={"chain": 0})
    sold = env.step(target[0].astype(np.float32))[4]
    assert 1 + whole["month_return"] == pytest.approx(0.4 * (1 + sold["month_return"]), rel=1e-5)
    assumed = with_last_return(dataset, -0.9, stale=5)
    np.testing.assert_array_equal(assumed.returns[:, column], dataset.returns[:, column])


def test_as_of_a_morning_before_it_nobody_knew_it(runner: MonthRunner) -> None:
    gone = last_delisting(runner)
    early = prepared(runner, first_session_of_month(gone.ex_date))
    late = prepared(runner)
    assert late.ended is not None
    assert late.ended[late.symbols.index(gone.symbol)]
    assert early.ended is None or not early.ended[early.symbols.index(gone.symbol)]
