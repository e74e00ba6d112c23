"""The companies of the simulated market: what about them never changes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.data.simulation.streams import Purpose, stream
from trading.market.panel import FloatArray

# The 11 GICS sectors and about their shares of US listings by number.
SECTORS: dict[str, float] = {
    "Communication Services": 0.05,
    "Consumer Discretionary": 0.12,
    "Consumer Staples": 0.04,
    "Energy": 0.05,
    "Financials": 0.17,
    "Health Care": 0.20,
    "Industrials": 0.14,
    "Information Technology": 0.12,
    "Materials": 0.04,
    "Real Estate": 0.05,
    "Utilities": 0.02,
}
FIRST, SECOND, THIRD, LAST = "BCDFGHKLMNPRSTVW", "JQXZ", "AEIOU", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
EARNINGS_EVERY = 63


@dataclass(frozen=True)
class Companies:
    """Attributes of N companies, in the order in which they list.

    Attributes
    ----------
    symbols : N unique tickers
    sector : (N,) index into `SECTORS`
    market_cap : (N,) USD at listing
    price : (N,) USD a share at listing
    volatility : (N,) daily, idiosyncratic, long-run
    beta : (N,) to the market factor
    turnover : (N,) long-run share of the shares that trades in a session
    dividend_yield : (N,) a year, 0 for those that pay none
    phase : (N,) session of the earnings cycle, 0..62; the ex-dividend day follows by 21
    """

    symbols: tuple[str, ...]
    sector: npt.NDArray[np.int64]
    market_cap: FloatArray
    price: FloatArray
    volatility: FloatArray
    beta: FloatArray
    turnover: FloatArray
    dividend_yield: FloatArray
    phase: npt.NDArray[np.int64]


def draw_companies(seed: int, count: int) -> Companies:
    """Return the first `count` companies of a market; a longer list begins with the same ones."""

    def normal(attribute: int) -> FloatArray:
        return stream(seed, Purpose.COMPANIES, attribute).standard_normal(count)

    def uniform(attribute: int) -> FloatArray:
        return stream(seed, Purpose.COMPANIES, attribute).random(count)

    log_size = 1.5 * normal(0)
    cap = 2.0e9 * np.exp(np.maximum(log_size, -2.6))
    return Companies(
        symbols=tuple(ticker(index, seed) for index in range(count)),
        sector=np.searchsorted(np.cumsum(list(SECTORS.values()))[:-1], uniform(1), side="right"),
        market_cap=cap,
        price=np.clip(38.0 * np.exp(0.25 * log_size + 0.6 * normal(2)), 2.0, 600.0),
        volatility=np.clip(0.017 * np.exp(-0.16 * log_size + 0.25 * normal(3)), 0.008, 0.045),
        beta=np.clip(1.0 + 0.3 * normal(4), 0.2, 2.0),
        turnover=np.clip(0.007 * np.exp(0.5 * normal(5)), 0.001, 0.05),
        dividend_yield=np.where(uniform(6) < 0.45, 0.01 + 0.03 * uniform(7), 0.0),
        phase=(uniform(8) * EARNINGS_EVERY).astype(np.int64),
    )


def ticker(index: int, seed: int) -> str:
    """Return the unique ticker of company `index`.

    Four letters whose second is J, Q, X or Z, which few real tickers have; after the 8,320 of
    those, a fifth letter. A multiplication modulo their number spreads neighbours.
    """
    spells = len(FIRST) * len(SECOND) * len(THIRD) * len(LAST)
    # 4,999 is prime and no factor of the number of spellings, so that none comes twice.
    spot = (index % spells * 4_999 + seed) % spells
    letters = []
    for alphabet in (LAST, THIRD, SECOND, FIRST):
        spot, place = divmod(spot, len(alphabet))
        letters.append(alphabet[place])
    rounds = index // spells
    return "".join(reversed(letters)) + (LAST[(rounds - 1) % len(LAST)] if rounds else "")
