"""Planted markets: returns whose predictable part is known, and depends on a regime.

The predictable part of a name's return is a mix of a few of its characteristics whose sign the
state of the market sets; the state can be read off the market context at the decision. Over both
regimes every characteristic earns nothing, so no single one carries the signal and a learner has to
combine characteristics with the context. Strength 0 gives a market without any signal.

This is the short way to a dataset: characteristics and context are drawn, not computed from bars,
so a market of 1,000 names and ten years takes two seconds. `SimulatedMarket` is the long way.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from trading.errors import ConfigurationError

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

MONTH = 21
FILL_DELAY = 1
FIRST_MONTH = np.datetime64("2010-01", "M")
RANK_DEVIATION = 1.0 / np.sqrt(3.0)
# The rank correlation that a linear signal of correlation 1 leaves, by the mix of volatilities.
RANK_SHARE = 0.97
Regime = Literal["state", "volatility", "continuous"]


@dataclass(frozen=True, slots=True)
class PlantedMarketSettings:
    """What a planted market is made of; equal settings give equal markets, bit for bit.

    Attributes
    ----------
    seed : of everything that is drawn: which characteristics, which context number, all noise
    names, months : size; the last month's outcome is in the market too
    features, context : characteristics of a name, numbers of the context
    information : monthly rank information coefficient of the oracle; 0 plants nothing
    carriers : characteristics that the signal is mixed of, in equal parts
    regime : how the sign is set. `state`: a hidden two-state chain shows in a context number with
        noise, whose sign counts. `volatility`: the market's volatility follows the chain, and its
        realised volatility of the last 21 sessions counts, above or below the middle.
        `continuous`: the sign fades through zero with a slowly moving context number
    stay : chance that a state stays for another month
    noise : deviation of the context number about the state, in units of the state
    persistence : largest monthly autocorrelation of a characteristic; each draws its own below it
    volatility : daily, idiosyncratic, the median name's
    spread : deviation of log volatility and, for `premium`, of beta over names
    premium : annual return that a beta of 1 earns; it is no alpha, but it is predictable
    """

    seed: int = 0
    names: int = 1000
    months: int = 120
    features: int = 17
    context: int = 8
    information: float = 0.05
    carriers: int = 1
    regime: Regime = "state"
    stay: float = 0.85
    noise: float = 0.5
    persistence: float = 0.9
    volatility: float = 0.022
    spread: float = 0.3
    premium: float = 0.06

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for a market that cannot be drawn."""
        wrong = {
            "names": self.names < 2,
            "months": self.months < 1,
            "carriers": not 1 <= self.carriers <= self.features,
            "context": self.context < 1,
            "information": not 0.0 <= self.information < 1.0,
            "stay": not 0.0 <= self.stay <= 1.0,
            "noise": self.noise < 0.0,
            "persistence": not 0.0 <= self.persistence < 1.0,
            "volatility": self.volatility <= 0.0,
            "spread": self.spread < 0.0,
        }
        if found := [name for name, bad in wrong.items() if bad]:
            name = found[0]
            raise ConfigurationError(
                f"a planted market cannot have {name}={getattr(self, name)}; "
                "see PlantedMarketSettings for what it means"
            )


@dataclass(frozen=True, slots=True)
class PlantedMarket:
    """A market and what is known about it.

    Attributes
    ----------
    settings : what it was drawn from
    sessions : (T,) datetime64[D], weekdays
    decisions : (D,) rows of `sessions`, the last of each month; `D = months + 1`, the last of them
        without an outcome
    features : (D, N, F) float32, ranks in -1..1 over the names
    context : (D, C) float32, of order one
    returns : (T, N) float32, simple daily
    means : (T, N) float32, the expectation of `returns` given what is known before the session
    signal : (D, N) float32, the predictable difference between names; the oracle's score
    carriers : indices of the characteristics that carry it
    regime_column : index of the context number that sets the sign
    volatility : (D, N) float32, daily, idiosyncratic
    """

    settings: PlantedMarketSettings
    sessions: npt.NDArray[np.datetime64]
    decisions: IntArray
    features: Float32Array
    context: Float32Array
    returns: Float32Array
    means: Float32Array
    signal: Float32Array
    carriers: IntArray
    regime_column: int
    volatility: Float32Array


def plant_market(settings: PlantedMarketSettings) -> PlantedMarket:
    """Draw a market; `settings` determine it."""
    random = np.random.default_rng(settings.seed)
    count = settings.months + 1
    sessions, decisions = _calendar(count)
    total = len(sessions)
    features = _characteristics(settings, count, random)
    state = _chain(settings, count, random)
    market = _market_returns(settings, state, decisions, total, random)
    column = int(random.integers(settings.context))
    context = _autoregressions((count, settings.context), 0.3, 0.95, random)
    shown = _shown(settings, state, market, decisions, context[:, column], random)
    context[:, column] = shown
    sign = np.tanh(shown) if settings.regime == "continuous" else np.sign(shown)
    carriers = np.sort(random.choice(settings.features, settings.carriers, replace=False))
    weights = random.choice((-1.0, 1.0), settings.carriers)
    mix = features[:, :, carriers] @ weights / (RANK_DEVIATION * np.sqrt(settings.carriers))
    signal = sign[:, None] * mix
    size = float(np.sqrt(np.mean(np.square(sign)))) or 1.0
    sigma = settings.volatility * np.exp(settings.spread * random.standard_normal(settings.names))
    beta = np.clip(1.0 + settings.spread * random.standard_normal(settings.names), 0.1, None)
    means = np.tile(beta * settings.premium / 252.0, (total, 1))
    strength = settings.information / (RANK_SHARE * size * np.sqrt(MONTH))
    fills = decisions + FILL_DELAY
    for index, (first, last) in enumerate(pairwise(fills)):
        means[first + 1 : last + 1] += strength * sigma * signal[index]
    noise = random.standard_normal((total, settings.names), dtype=np.float32)
    returns = means + beta * market[:, None] + sigma * noise
    return PlantedMarket(
        settings=settings,
        sessions=sessions,
        decisions=decisions,
        features=features.astype(np.float32),
        context=context.astype(np.float32),
        returns=np.maximum(returns, -0.95).astype(np.float32),
        means=means.astype(np.float32),
        signal=signal.astype(np.float32),
        carriers=carriers.astype(np.int64),
        regime_column=column,
        volatility=np.tile(sigma, (count, 1)).astype(np.float32),
    )


def _calendar(count: int) -> tuple[npt.NDArray[np.datetime64], IntArray]:
    """Return weekdays, and the rows of the last one of each of `count` months.

    They end at the fill of the last decision: the session after it.
    """
    ends = np.busday_offset(
        (FIRST_MONTH + np.arange(1, count + 1)).astype("datetime64[D]"), -1, roll="forward"
    )
    first = FIRST_MONTH.astype("datetime64[D]")
    last = np.busday_offset(ends[-1], FILL_DELAY)
    days = np.arange(first, last + np.timedelta64(1, "D"))
    sessions = days[np.is_busday(days)]
    return sessions, np.searchsorted(sessions, ends).astype(np.int64)


def _characteristics(
    settings: PlantedMarketSettings, count: int, random: np.random.Generator
) -> FloatArray:
    """Return ranks `(D, N, F)` in -1..1 of autoregressions, each of its own persistence."""
    memory = random.uniform(0.0, settings.persistence, settings.features)
    news = np.sqrt(1.0 - memory**2)
    values = random.standard_normal((settings.names, settings.features))
    ranks = np.empty((count, settings.names, settings.features))
    for month in range(count):
        values = memory * values + news * random.standard_normal(values.shape)
        place = values.argsort(axis=0).argsort(axis=0)
        ranks[month] = (2.0 * place + 1.0) / settings.names - 1.0
    return ranks


def _chain(settings: PlantedMarketSettings, count: int, random: np.random.Generator) -> FloatArray:
    """Return the states `(D,)`, -1 or 1, of a symmetric two-state Markov chain."""
    switches = random.random(count) >= settings.stay
    start = random.choice((-1.0, 1.0))
    return np.asarray(start * np.where(np.cumsum(switches) % 2 == 0, 1.0, -1.0))


def _market_returns(
    settings: PlantedMarketSettings,
    state: FloatArray,
    decisions: IntArray,
    total: int,
    random: np.random.Generator,
) -> FloatArray:
    """Return the surprise `(T,)` of the market; under `volatility` the state doubles its size.

    A state holds from the session after the decision before to the decision, so that the realised
    volatility at a decision is that of one state.
    """
    place = np.searchsorted(decisions, np.arange(total))
    stressed = state[np.minimum(place, len(state) - 1)] > 0.0
    wide = 0.016 if settings.regime == "volatility" else 0.010
    size = np.where(stressed & (settings.regime == "volatility"), wide, 0.008)
    size = size if settings.regime == "volatility" else np.full(total, wide)
    return np.asarray(size * random.standard_normal(total))


def _shown(
    settings: PlantedMarketSettings,
    state: FloatArray,
    market: FloatArray,
    decisions: IntArray,
    slow: FloatArray,
    random: np.random.Generator,
) -> FloatArray:
    """Return the context number `(D,)` by whose sign the regime is known."""
    if settings.regime == "state":
        seen = state + settings.noise * random.standard_normal(len(state))
        return np.asarray(seen / np.sqrt(1.0 + settings.noise**2))
    if settings.regime == "continuous":
        return slow
    realised = np.array([market[max(row - MONTH + 1, 0) : row + 1].std() for row in decisions])
    return np.asarray(np.log(np.maximum(realised, 1e-4) / np.sqrt(0.008 * 0.016)) / 0.4)


def _autoregressions(
    shape: tuple[int, int], least: float, most: float, random: np.random.Generator
) -> FloatArray:
    """Return stationary autoregressions `shape`, (steps, series), of deviation one."""
    memory = random.uniform(least, most, shape[1])
    news = np.sqrt(1.0 - memory**2)
    values = np.empty(shape)
    current = random.standard_normal(shape[1])
    for step in range(shape[0]):
        current = memory * current + news * random.standard_normal(shape[1])
        values[step] = current
    return values
