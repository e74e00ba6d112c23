"""What moves every company: the market, by regimes of volatility, and the sectors."""

from dataclasses import dataclass

import numpy as np

from trading.data.simulation.companies import SECTORS
from trading.market.panel import FloatArray

CALM, NORMAL, STRESS = 0, 1, 2
DAILY_VOLATILITY = np.array([0.0060, 0.0095, 0.0210])
ANNUAL_DRIFT = np.array([0.18, 0.14, -0.15])
# Chance of tomorrow's regime (column) given today's (row): a Markov chain (Hamilton, 1989).
TRANSITIONS = np.array([[0.985, 0.014, 0.001], [0.015, 0.977, 0.008], [0.000, 0.050, 0.950]])
SECTOR_VOLATILITY = 0.5
TAIL_DEGREES = 5.0
SESSIONS_A_YEAR = 252


@dataclass(frozen=True)
class FactorReturns:
    """The common returns of one session: simple, the market's and the sectors' beyond it."""

    regime: int
    market: float
    sectors: FloatArray


def draw_factors(random: np.random.Generator, regime: int) -> FactorReturns:
    """Draw a session's common returns, after a session in `regime`.

    The market's shock is Student-t with 5 degrees of freedom (fat tails), scaled to the regime's
    volatility; a sector has half the market's volatility of its own.
    """
    regime = int(
        np.searchsorted(np.cumsum(TRANSITIONS[regime])[:-1], random.random(), side="right")
    )
    scale = DAILY_VOLATILITY[regime]
    shock = random.standard_t(TAIL_DEGREES) / np.sqrt(TAIL_DEGREES / (TAIL_DEGREES - 2))
    market = ANNUAL_DRIFT[regime] / SESSIONS_A_YEAR + scale * float(np.clip(shock, -6, 6))
    sectors = SECTOR_VOLATILITY * scale * random.standard_normal(len(SECTORS))
    return FactorReturns(regime, float(market), sectors)
