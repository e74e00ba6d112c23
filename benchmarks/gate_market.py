"""Markets to calibrate the gate by: no alpha, premia that are no alpha, or a planted signal.

Bars are simulated, session by session, and go through the product's own features: nothing of what
is judged knows how they were made.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.gate_conditions import (
    CONDITIONS,
    MONTH,
    YEAR,
    Conditions,
    last_rows,
    persistent,
    remembered,
)
from trading.config import Settings
from trading.config.data import UniverseSettings
from trading.config.learning import CostSettings, TrainingSettings
from trading.features.dataset import Dataset, build_dataset
from trading.market.panel import Panel
from trading.universe.slots import allocate

FloatArray = npt.NDArray[np.float64]

WARM_UP = 273
START = np.datetime64("2010-01-04")
FEATURES = ("momentum", "month", "quarter", "range")
REGIMES = ("trend", "volatility")


@dataclass(frozen=True)
class MarketPlan:
    """One market to be judged.

    Attributes
    ----------
    seed : of everything in it
    names, months : names, and months after the warm-up of the features
    oracle : rank correlation of the planted score with the month that follows; 0 plants nothing
    premia : whether beta and illiquidity are paid for; the pay is no alpha
    feature, regime : whose sign the regime sets (`FEATURES`), and what sets it (`REGIMES`)
    conditions : what else is true of it, by name (`CONDITIONS`)
    """

    seed: int
    names: int = 300
    months: int = 120
    oracle: float = 0.0
    premia: bool = False
    feature: str = "momentum"
    regime: str = "trend"
    conditions: str = "plain"


@dataclass(frozen=True)
class GateMarket:
    """A dataset, and the planted score at its decisions `(D, S)`, NaN where there is none."""

    dataset: Dataset
    score: FloatArray


def study_settings(names: int, *, slot_steps: int, folds: int = 3) -> Settings:
    """Return the settings of the study: a universe of this size, 10 basis points a side."""
    slots = -(-(names + 20) // 20) * 20
    return Settings(
        universe=UniverseSettings(
            active=names, archive=10, padding=slots - names - 10, batch=slots
        ),
        costs=CostSettings(
            commission_bps=5.0, slippage_bps=5.0, impact_coefficient=0.0, capital_usd=1e6
        ),
        training=TrainingSettings(slot_steps=slot_steps, folds=folds, phases=2, warm_start=True),
    )


def simulate(plan: MarketPlan, settings: Settings) -> GateMarket:
    """Return a market through bars and features."""
    panel, daily = _bars(plan)
    as_of = (panel.sessions[-1] + 1).astype(object)
    slots, _ = allocate(None, panel.symbols, as_of, settings.universe)
    dataset = build_dataset(panel, slots, settings, data_hash=f"gate-market-{plan.seed}")
    column = {symbol: i for i, symbol in enumerate(panel.symbols)}
    place = np.array([column.get(symbol, -1) for symbol in dataset.symbols])
    score = np.where(place >= 0, daily[dataset.decisions][:, place], np.nan)
    return GateMarket(dataset, score)


@dataclass(frozen=True)
class _Names:
    """What sets the names apart, each `(n,)`: `liquidity` is paid, `illiquidity` trades."""

    beta: FloatArray
    illiquidity: FloatArray
    liquidity: FloatArray
    sigma: FloatArray
    sector: npt.NDArray[np.int64]


def _bars(plan: MarketPlan) -> tuple[Panel, FloatArray]:
    """Return the bars and the planted score after each session `(T, N)`."""
    random = np.random.default_rng([1969, plan.seed])
    special = np.random.default_rng([1970, plan.seed])
    under = CONDITIONS[plan.conditions]
    sessions = WARM_UP + plan.months * MONTH
    days = np.busday_offset(START, np.arange(sessions), roll="forward").astype("datetime64[D]")
    names = _draw_names(random, special, plan.names, under)
    market = _market_returns(random, sessions, plan.premia, under)
    shocks = _shocks(random, special, sessions, names, under)
    drift = _drift(random, special, plan, names, sessions, under)
    returns, scores = _follow(plan, days, market, names, drift, shocks)
    log_price = np.log1p(returns).cumsum(axis=0)
    close = 30.0 * np.exp(0.5 * random.standard_normal(plan.names)) * np.exp(log_price)
    if under.bounce > 0.0:
        side = special.choice([-1.0, 1.0], close.shape)
        close *= 1.0 + under.bounce * np.exp(0.5 * names.illiquidity) * side
    panel = _traded(random, special, days, close, returns, names, under)
    return panel, scores


def _draw_names(
    random: np.random.Generator, special: np.random.Generator, n: int, under: Conditions
) -> _Names:
    size = random.standard_normal(n)
    beta = np.clip(1.0 + 0.35 * random.standard_normal(n), 0.1, 2.2)
    illiquidity = -0.8 * size + 0.6 * random.standard_normal(n)
    sigma = 0.019 * np.exp(-0.2 * size + 0.25 * random.standard_normal(n))
    sector = random.integers(0, 10, n)
    unseen = special.standard_normal(n)
    liquidity = np.sqrt(1.0 - under.hidden) * illiquidity + np.sqrt(under.hidden) * unseen
    return _Names(beta, illiquidity, liquidity, sigma, sector)


def _shocks(
    random: np.random.Generator,
    special: np.random.Generator,
    sessions: int,
    names: _Names,
    under: Conditions,
) -> FloatArray:
    """Return the names' own returns `(T, n)` in their usual deviations."""
    n = len(names.beta)
    shocks = random.standard_t(under.tails, (sessions, n))
    shocks /= np.sqrt(under.tails / (under.tails - 2.0))
    if under.clusters > 0.0:
        common = persistent(special, sessions, 1, under.clusters, 60.0)
        own = persistent(special, sessions, n, 0.7 * under.clusters, 20.0)
        shocks *= np.exp(common + own)
    return np.asarray(shocks)


def _drift(
    random: np.random.Generator,
    special: np.random.Generator,
    plan: MarketPlan,
    names: _Names,
    sessions: int,
    under: Conditions,
) -> FloatArray:
    """Return what sectors and the premium of illiquidity add to the names' returns `(T, n)`."""
    sectors = under.common * random.standard_normal((sessions, 10))
    drift = sectors[:, names.sector]
    if plan.premia:
        swing = persistent(special, sessions, 1, under.premium_swing, 40.0)
        drift = drift + under.premium / YEAR * (1.0 + swing) * names.liquidity
    return np.asarray(drift)


def _follow(
    plan: MarketPlan,
    days: npt.NDArray[np.datetime64],
    market: FloatArray,
    names: _Names,
    drift: FloatArray,
    shocks: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the returns, and the planted scores that they follow, `(T, n)` each."""
    returns, scores = np.zeros_like(shocks), np.zeros_like(shocks)
    log_price = np.zeros_like(shocks)
    expected = coming = np.zeros(shocks.shape[1])
    for row in range(1, len(shocks)):
        systematic = names.beta * market[row] + drift[row]
        own = names.sigma * (shocks[row] + expected)
        returns[row] = np.maximum(systematic + own, -0.6)
        log_price[row] = log_price[row - 1] + np.log1p(returns[row])
        expected = coming
        if plan.oracle > 0.0 and row >= YEAR:
            scores[row] = _planted(plan, log_price, market, row)
            last = row + 1 == len(shocks)
            if last or days[row + 1].astype("M8[M]") != days[row].astype("M8[M]"):
                # The fill is a session later: what the score foresees begins after it.
                coming = CALIBRATION * plan.oracle / np.sqrt(MONTH) * scores[row]
    return returns, scores


def _traded(
    random: np.random.Generator,
    special: np.random.Generator,
    days: npt.NDArray[np.datetime64],
    close: FloatArray,
    returns: FloatArray,
    names: _Names,
    under: Conditions,
) -> Panel:
    """Return the bars around these closes."""
    sessions, n = close.shape
    traded = 4e6 * np.exp(-1.3 * names.illiquidity + 0.4 * random.standard_normal(close.shape))
    traded *= np.exp(np.minimum(12.0 * np.abs(returns), 6.0))
    if under.volume_memory > 0.0:
        traded *= np.exp(persistent(special, sessions, n, under.volume_memory, 63.0))
    gap = 0.5 * returns + 0.3 * names.sigma * random.standard_normal(close.shape)
    opening = close / (1.0 + returns) * np.maximum(1.0 + gap, 0.3)
    reach = np.abs(0.4 * names.sigma * random.standard_normal((2, sessions, n)))
    high = np.maximum(opening, close) * (1.0 + reach[0])
    low = np.minimum(opening, close) * np.maximum(1.0 - reach[1], 0.5)
    volume = traded / close
    if under.deaths > 0.0:
        gone = np.arange(sessions)[:, None] > last_rows(special, sessions, n, under.deaths)
        for field in (opening, high, low, close, volume):
            field[gone] = np.nan
    symbols = tuple(f"G{i:04d}" for i in range(n))
    return Panel(days, symbols, opening, high, low, close, volume, close)


# Sectors and betas widen the cross-section, so that the drift must be larger for the same
# correlation; measured over 24 markets of every feature and regime (the oracle's column of
# `gate.py`).
CALIBRATION = 1.07


def _market_returns(
    random: np.random.Generator, sessions: int, premia: bool, under: Conditions
) -> FloatArray:
    """Return the market factor `(T,)`: calm and wild spells of some months."""
    wild = np.zeros(sessions, dtype=bool)
    for row in range(1, sessions):
        wild[row] = wild[row - 1] ^ (random.random() < 1.0 / 90.0)
    drift = 0.07 / YEAR if premia else 0.0
    moves = np.where(wild, 0.013, 0.006) * random.standard_normal(sessions)
    return drift + remembered(moves, under.market_memory)


def _planted(plan: MarketPlan, log_price: FloatArray, market: FloatArray, row: int) -> FloatArray:
    """Return the score after session `row`: a feature whose sign an observable regime sets."""
    spans = {"momentum": (MONTH, YEAR), "month": (0, MONTH), "quarter": (0, 63)}
    if plan.feature == "range":
        known = np.diff(log_price[row - 63 : row + 1], axis=0).std(axis=0)
    else:
        near, far = spans[plan.feature]
        known = log_price[row - near] - log_price[row - far]
    ranks = np.argsort(np.argsort(known)) / (len(known) - 1.0) - 0.5
    if plan.regime == "trend":
        up = market[row - 62 : row + 1].sum() > 0.0
    else:
        up = market[row - 20 : row + 1].std() > 0.009
    return np.asarray((1.0 if up else -1.0) * ranks * np.sqrt(12.0))
