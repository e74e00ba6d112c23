"""The simulated market repeats itself, never looks ahead and looks like a market."""

import asyncio
from datetime import date

import numpy as np
import pandas as pd
import pytest

from trading.config import Settings, SimulatedMarketSettings
from trading.data.cleaning import clean_bars
from trading.data.providers.simulated import SimulatedProvider
from trading.data.simulation import SimulatedHistory, SimulatedMarket
from trading.data.simulation.companies import SECTORS, draw_companies, ticker
from trading.errors import DataError
from trading.market.bars import FIELDS, CorporateActionType

START, END = date(2023, 1, 3), date(2024, 6, 28)
SMALL = SimulatedMarketSettings(seed=7, symbols=300, start=START)


@pytest.fixture(scope="module")
def history() -> SimulatedHistory:
    return SimulatedMarket(SMALL).history(END)


@pytest.mark.parametrize("end", [START, date(2023, 1, 4), date(2023, 9, 1), date(2024, 6, 27)])
def test_a_shorter_simulation_is_the_beginning_of_a_longer_one(
    history: SimulatedHistory, end: date
) -> None:
    short = SimulatedMarket(SMALL).history(end)
    rows, columns = short.panel.shape
    assert short.panel.symbols == history.panel.symbols[:columns]
    for name in FIELDS:
        longer = getattr(history.panel, name)
        np.testing.assert_array_equal(getattr(short.panel, name), longer[:rows, :columns])
        assert np.isnan(longer[:rows, columns:]).all()
    np.testing.assert_array_equal(short.score, history.score[:rows, :columns])
    assert short.actions == tuple(a for a in history.actions if a.ex_date <= end)


def test_a_market_that_knows_more_answers_the_same(history: SimulatedHistory) -> None:
    market = SimulatedMarket(SMALL)
    market.history(END)
    cut, fresh = market.history(date(2023, 9, 1)), SimulatedMarket(SMALL).history(date(2023, 9, 1))
    assert cut.panel.symbols == fresh.panel.symbols
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(cut.panel, name), getattr(fresh.panel, name))
    assert cut.actions == fresh.actions


def test_another_seed_is_another_market(history: SimulatedHistory) -> None:
    other = SimulatedMarket(SMALL.model_copy(update={"seed": 8})).panel(START)
    assert not np.allclose(other.close[0, :300], history.panel.close[0, :300])
    assert SimulatedMarket(SMALL).name != SimulatedMarket(SMALL.model_copy(update={"seed": 8})).name


def test_the_simulated_bars_need_no_cleaning(history: SimulatedHistory, settings: Settings) -> None:
    bars = history.panel.to_bars()
    cleaned, report = clean_bars(
        bars, source="simulated", today=date(2026, 1, 2), settings=settings
    )
    pd.testing.assert_frame_equal(cleaned, bars)
    assert report.verdict == "clean"
    assert not bars.isna().any(axis=None)


def test_returns_look_like_those_of_shares(history: SimulatedHistory) -> None:
    panel = history.panel
    returns = panel.returns()[1:]
    market = np.array([np.mean(row[~np.isnan(row)]) for row in returns])
    assert 0.06 < market.std() * np.sqrt(252) < 0.35
    ordinary = returns[np.isfinite(returns) & (np.abs(returns) < 0.5)]
    z = (ordinary - ordinary.mean()) / ordinary.std()
    assert np.mean(z**4) > 5, "tails should be fatter than normal"
    # Volatility comes in regimes and by company: large moves follow large moves.
    size = np.abs(returns[:, ~np.isnan(returns).any(axis=0)])
    assert np.corrcoef(size[1:].ravel(), size[:-1].ravel())[0, 1] > 0.05
    # Moves bring volume.
    volume = np.log(panel.volume[1:]) - np.log(np.nanmedian(panel.volume, axis=0))
    known = np.isfinite(returns) & np.isfinite(volume)
    assert np.corrcoef(np.abs(returns[known]), volume[known])[0, 1] > 0.1


def test_adjusted_closes_are_total_returns(history: SimulatedHistory) -> None:
    panel = history.panel
    column = {symbol: i for i, symbol in enumerate(panel.symbols)}
    row = {day: i for i, day in enumerate(panel.sessions.astype(object))}
    dividends = [a for a in history.actions if a.type is CorporateActionType.DIVIDEND]
    assert len(dividends) > 100
    paid = np.zeros(panel.shape)
    for action in dividends:
        assert action.value is not None
        paid[row[action.ex_date], column[action.symbol]] = action.value
    expected = (panel.close[1:] + paid[1:]) / panel.close[:-1]
    actual = panel.adjusted_close[1:] / panel.adjusted_close[:-1]
    known = np.isfinite(expected) & (panel.close[:-1] > 1.0)
    np.testing.assert_allclose(actual[known], expected[known], rtol=2e-4)


def test_companies_come_and_go(history: SimulatedHistory) -> None:
    panel, actions = history.panel, history.actions
    listed = ~np.isnan(panel.close)
    new = [a for a in actions if a.type is CorporateActionType.LISTING]
    gone = [a for a in actions if a.type is CorporateActionType.DELISTING]
    assert 8 <= len(new) <= 40
    assert 5 <= len(gone) <= 40
    first = {s: panel.sessions[listed[:, i].argmax()] for i, s in enumerate(panel.symbols)}
    assert {a.symbol for a in new} == {s for s, d in first.items() if d > panel.sessions[0]}
    assert all(first[a.symbol] == np.datetime64(a.ex_date) for a in new)
    ended = {s for i, s in enumerate(panel.symbols) if not listed[-1, i]}
    assert {a.symbol for a in gone} <= ended
    # Once listed, a company has a bar in every session until it leaves for good.
    for column in listed.T:
        span = np.flatnonzero(column)
        assert len(span) == span[-1] - span[0] + 1
    # The bars hold what the holders got: a failure's last session is its crash.
    assert {a.value for a in gone} == {0.0}
    column = {s: i for i, s in enumerate(panel.symbols)}
    returns = panel.returns()
    ends = [column[a.symbol] for a in gone]
    last = np.array([returns[np.flatnonzero(listed[:, i])[-1], i] for i in ends])
    assert 0 < np.count_nonzero(last < -0.4) < len(gone)
    assert {a.ex_date for a in actions} <= set(panel.sessions.astype(object))


def test_tickers_are_unique_and_plausible() -> None:
    names = [ticker(i, 20240101) for i in range(20_000)]
    assert len(set(names)) == len(names)
    assert all(name.isascii() and name.isupper() for name in names)
    assert {len(name) for name in names[:8_320]} == {4}
    companies = draw_companies(3, 3_000)
    assert set(np.unique(companies.sector)) == set(range(len(SECTORS)))
    assert len(SECTORS) == 11
    assert sum(SECTORS.values()) == pytest.approx(1.0)


def test_the_provider_gives_what_was_asked_for(history: SimulatedHistory) -> None:
    simulated = {"seed": 7, "symbols": 300, "start": START}
    provider = SimulatedProvider(Settings.model_validate({"data": {"simulated": simulated}}))
    chosen = history.panel.symbols[5:7]
    result = asyncio.run(provider.fetch([*chosen, "NONE"], date(2023, 3, 1), date(2023, 3, 31)))
    assert set(result.bars["symbol"]) == set(chosen)
    assert (result.report.first, result.report.last) == (date(2023, 3, 1), date(2023, 3, 31))
    assert all(a.symbol in chosen for a in result.actions)
    assert "simulated" in result.report.source
    assert provider.simulated
    with pytest.raises(DataError, match="no session up to"):
        asyncio.run(provider.fetch(None, date(2022, 1, 1), date(2022, 12, 30)))
    with pytest.raises(DataError, match="no bar"):
        asyncio.run(provider.fetch(["NONE"], START, END))
