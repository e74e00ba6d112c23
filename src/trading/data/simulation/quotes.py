"""Turn total returns into quoted bars: open, high, low, close, volume, adjusted close."""

import numpy as np

from trading.data.simulation.companies import Companies
from trading.data.simulation.events import SessionEvents
from trading.market.bars import FIELDS
from trading.market.panel import FloatArray

DECIMALS = 4
LEAST_PRICE = 0.0010
VOLUME_MEMORY, VOLUME_NOISE = 0.93, 0.18
VOLUME_OF_MOVE = 0.30
GAP_SHARE, GAP_NOISE, WICK = 0.4, 0.25, 0.35


class Quotes:
    """The bars so far.

    Attributes
    ----------
    close : (N,) last close, at first the listing price
    """

    def __init__(self, companies: Companies, sessions: int) -> None:
        count = len(companies.symbols)
        self.close = companies.price.copy()
        self._companies = companies
        self._adjusted = companies.price.copy()
        self._shares = companies.market_cap / companies.price
        self._busy = np.zeros(count)
        # Single precision, as vendors deliver: half the size, and six digits are enough of a price.
        self._grids = {
            name: np.full((sessions, count), np.nan, dtype=np.float32) for name in FIELDS
        }

    def fields(self) -> dict[str, FloatArray]:
        """Return the bars as `(T, N)` arrays by field."""
        return {name: grid.astype(np.float64) for name, grid in self._grids.items()}

    def record(
        self,
        row: int,
        returns: FloatArray,
        events: SessionEvents,
        volatility: FloatArray,
        shock: FloatArray,
        random: np.random.Generator,
    ) -> FloatArray:
        """Write the bars of session `row` of the first n companies and return their volume.

        `returns` are simple total returns, `volatility` is daily, `shock` the session's news in
        deviations; each (n,).
        """
        n = len(returns)
        gap, up, down, trade = random.standard_normal((4, n))
        before = self.close[:n]
        close = np.maximum(before * (1 + returns) - events.dividend, LEAST_PRICE)
        opened = before + GAP_SHARE * (close - before) + before * GAP_NOISE * volatility * gap
        opened = np.maximum(opened, LEAST_PRICE)
        wick = WICK * volatility
        high = np.maximum(opened, close) * (1 + wick * np.abs(up))
        low = np.minimum(opened, close) * np.maximum(1 - wick * np.abs(down), 0.5)
        self._busy[:n] = VOLUME_MEMORY * self._busy[:n] + VOLUME_NOISE * trade
        activity = self._busy[:n] + VOLUME_OF_MOVE * (np.abs(shock) - 0.8)
        volume = np.rint(
            self._shares[:n] * self._companies.turnover[:n] * np.exp(np.minimum(activity, 3.0))
        )
        self.close[:n] = close
        self._adjusted[:n] *= 1 + returns
        bars = {"open": opened, "high": high, "low": low, "close": close}
        rounded = {k: np.maximum(np.round(v, DECIMALS), LEAST_PRICE) for k, v in bars.items()}
        rounded |= {"volume": volume, "adjusted_close": self._adjusted[:n]}
        for name, values in rounded.items():
            self._grids[name][row, :n] = np.where(events.alive, values, np.nan)
        return volume
