"""Markets to calibrate the gate by: no alpha, premia that are no alpha, or a planted signal.

Bars are simulated, session by session, and go through the product's own features: nothing of what
is judged knows how they were made.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.config import Settings
from trading.config.data import UniverseSettings
from trading.config.learning import CostSettings, TrainingSettings
from trading.features.dataset import Dataset, build_dataset
from trading.market.panel import Panel
from trading.universe.slots import allocate

FloatArray = npt.NDArray[np.float64]

WARM_UP, MONTH, YEAR = 273, 21, 252
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
    """

    seed: int
    names: int = 300
    months: int = 120
    oracle: float = 0.0
    premia: bool = False
    feature: str = "momentum"
    regime: str = "trend"


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


def _bars(plan: MarketPlan) -> tuple[Panel, FloatArray]:
    """Return the bars and the planted score after each session `(T, N)`."""
    random = np.random.default_rng([1969, plan.seed])
    sessions = WARM_UP + plan.months * MONTH
    days = np.busday_offset(START, np.arange(sessions), roll="forward").astype("datetime64[D]")
    n = plan.names
    size = random.standard_normal(n)
    beta = np.clip(1.0 + 0.35 * random.standard_normal(n), 0.1, 2.2)
    illiquidity = -0.8 * size + 0.6 * random.standard_normal(n)
    sigma = 0.019 * np.exp(-0.2 * size + 0.25 * random.standard_normal(n))
    sector = random.integers(0, 10, n)
    market = _market_returns(random, sessions, plan.premia)
    premium = (0.05 / YEAR) * illiquidity if plan.premia else np.zeros(n)
    shocks = random.standard_t(5, (sessions, n)) / np.sqrt(5.0 / 3.0)
    sectors = 0.004 * random.standard_normal((sessions, 10))
    returns = np.zeros((sessions, n))
    log_price = np.zeros((sessions, n))
    scores = np.zeros((sessions, n))
    expected = coming = np.zeros(n)
    for row in range(1, sessions):
        systematic = beta * market[row] + sectors[row, sector] + premium
        returns[row] = np.maximum(systematic + sigma * (shocks[row] + expected), -0.6)
        log_price[row] = log_price[row - 1] + np.log1p(returns[row])
        expected = coming
        if plan.oracle > 0.0 and row >= YEAR:
            scores[row] = _planted(plan, log_price, market, row)
            if row + 1 == sessions or days[row + 1].astype("M8[M]") != days[row].astype("M8[M]"):
                # The fill is a session later: what the score foresees begins after it.
                coming = CALIBRATION * plan.oracle / np.sqrt(MONTH) * scores[row]
    close = 30.0 * np.exp(0.5 * random.standard_normal(n)) * np.exp(log_price)
    traded = 4e6 * np.exp(-1.3 * illiquidity + 0.4 * random.standard_normal((sessions, n)))
    traded *= np.exp(12.0 * np.abs(returns))
    gap = 0.5 * returns + 0.3 * sigma * random.standard_normal((sessions, n))
    opening = close / (1.0 + returns) * np.maximum(1.0 + gap, 0.3)
    reach = np.abs(0.4 * sigma * random.standard_normal((2, sessions, n)))
    high = np.maximum(opening, close) * (1.0 + reach[0])
    low = np.minimum(opening, close) * np.maximum(1.0 - reach[1], 0.5)
    symbols = tuple(f"G{i:04d}" for i in range(n))
    return Panel(days, symbols, opening, high, low, close, traded / close, close), scores


# Sectors and betas widen the cross-section, so that the drift must be larger for the same
# correlation; measured over 24 markets of every feature and regime (`gate.py --oracle`).
CALIBRATION = 1.07


def _market_returns(random: np.random.Generator, sessions: int, premia: bool) -> FloatArray:
    """Return the market factor `(T,)`: calm and wild spells of some months."""
    wild = np.zeros(sessions, dtype=bool)
    for row in range(1, sessions):
        wild[row] = wild[row - 1] ^ (random.random() < 1.0 / 90.0)
    drift = 0.07 / YEAR if premia else 0.0
    return drift + np.where(wild, 0.013, 0.006) * random.standard_normal(sessions)


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
