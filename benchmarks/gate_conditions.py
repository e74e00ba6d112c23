"""What else may be true of a market without alpha: the conditions that the gate is tried under.

Each is something that real markets do and that a test may take for skill: a tail that one month
hangs on, premia that vary when volatility does, a liquidity that volume shows only in part.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

MONTH, YEAR = 21, 252


@dataclass(frozen=True)
class Conditions:
    """How a market differs from the plain one; the defaults are the plain market's.

    Attributes
    ----------
    tails : degrees of freedom of the names' shocks
    clusters : deviation of the logarithm of volatility, of the market's and of each name's own
    common : daily deviation of each of ten sectors' returns
    market_memory : autocorrelation of the market's daily returns
    premium : a year, for a standard deviation of illiquidity, where premia are paid
    premium_swing : deviation of the premium over its mean; it persists for months
    hidden : share of the variance of the paid illiquidity that volume does not show
    volume_memory : deviation of the logarithm of volume that persists for a quarter
    deaths : share of the names that end within a year, at random
    bounce : half spread of the median name, by which closes jump to and fro; wider when illiquid
    names, months : other than the study's
    """

    tails: float = 5.0
    clusters: float = 0.0
    common: float = 0.004
    market_memory: float = 0.0
    premium: float = 0.05
    premium_swing: float = 0.0
    hidden: float = 0.0
    volume_memory: float = 0.0
    deaths: float = 0.0
    bounce: float = 0.0
    names: int | None = None
    months: int | None = None


CONDITIONS = {
    "plain": Conditions(),
    "fat tails": Conditions(tails=2.5),
    "volatility clusters": Conditions(clusters=0.5),
    "sectors": Conditions(common=0.015),
    "market memory": Conditions(market_memory=0.2),
    "liquidity alone": Conditions(premium=0.15),
    "changing premium": Conditions(premium_swing=1.5),
    "hidden liquidity": Conditions(hidden=0.3),
    "volume spells": Conditions(volume_memory=0.6),
    "deaths": Conditions(deaths=0.08),
    "bounce": Conditions(bounce=0.003),
    "few names": Conditions(names=60),
    "short history": Conditions(months=60),
    "all of it": Conditions(
        tails=3.0,
        clusters=0.4,
        common=0.01,
        market_memory=0.1,
        premium=0.1,
        premium_swing=1.0,
        hidden=0.2,
        volume_memory=0.5,
        deaths=0.05,
        bounce=0.002,
    ),
}


def persistent(
    random: np.random.Generator, sessions: int, columns: int, deviation: float, half_life: float
) -> FloatArray:
    """Return normal series `(T, columns)` of this deviation whose memory halves in `half_life`."""
    decay = 0.5 ** (1.0 / half_life)
    series = deviation * random.standard_normal((sessions, columns))
    for row in range(1, sessions):
        series[row] = decay * series[row - 1] + np.sqrt(1.0 - decay**2) * series[row]
    return series


def remembered(returns: FloatArray, memory: float) -> FloatArray:
    """Return a series `(T,)` whose neighbours correlate by `memory`, of the same deviation."""
    made = returns.copy()
    for row in range(1, len(made)):
        made[row] = memory * made[row - 1] + np.sqrt(1.0 - memory**2) * returns[row]
    return made


def last_rows(random: np.random.Generator, sessions: int, names: int, deaths: float) -> FloatArray:
    """Return the row of each name's last bar `(names,)`; beyond the end for those that live."""
    years = random.exponential(1.0 / deaths, names)
    return np.asarray(np.ceil(years * YEAR).clip(max=2.0 * sessions))
