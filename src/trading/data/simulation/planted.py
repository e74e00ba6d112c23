"""The predictable part of the simulated returns.

It is a sum of terms of four observables that anyone can compute from the bars: one-month reversal,
twelve-to-one-month momentum, quarterly volatility and the volume shock of a month against half a
year. Half of it lies in two products: moves on unusual volume go on while those on usual volume
reverse (Llorente, Michaely, Saar and Wang, 2002), and momentum is the steadier companies'. No
observable carries more than a part; a learner has to combine them.
"""

import numpy as np
import numpy.typing as npt

from trading.market.panel import FloatArray

MONTH, QUARTER, HALF_YEAR, YEAR = 21, 63, 126, 252
REVERSAL, MOMENTUM, RISK, INFORMED_MOVE, STEADY_MOMENTUM = 0.4, 0.5, 0.1, 0.5, 0.5
SCALE = 1.0 / float(
    np.sqrt(REVERSAL**2 + MOMENTUM**2 + RISK**2 + INFORMED_MOVE**2 + STEADY_MOMENTUM**2)
)
# Daily expected return per unit of score and of daily volatility. The score's rank correlation
# with the next month's return comes out at 0.05 to 0.06 (tests/data/test_planted_signal.py).
STRENGTH = 0.03


class PlantedSignal:
    """Keeps the running sums that the observables need, and scores companies after a session.

    Parameters
    ----------
    sessions, companies : size of the simulation
    """

    def __init__(self, sessions: int, companies: int) -> None:
        self._log_price = np.full((sessions, companies), np.nan)
        self._squares = np.zeros((sessions, companies))
        self._log_volume = np.zeros((sessions, companies))
        self._first = np.full(companies, sessions)

    def observe(
        self, row: int, growth: FloatArray, returns: FloatArray, volume: FloatArray
    ) -> None:
        """Take in session `row` of the first n companies.

        `growth` is the cumulative total return factor, `returns` the session's simple returns,
        `volume` its shares traded; each (n,).
        """
        n = len(growth)
        before = max(row - 1, 0)
        self._first[:n] = np.minimum(self._first[:n], row)
        self._log_price[row, :n] = np.log(growth)
        self._squares[row, :n] = self._squares[before, :n] * (row > 0) + returns**2
        summed = self._log_volume[before, :n] * (row > 0)
        self._log_volume[row, :n] = summed + np.log(np.maximum(volume, 1.0))

    def score(self, row: int, alive: npt.NDArray[np.bool_]) -> FloatArray:
        """Return the score `(n,)` known at the close of `row`: about mean 0, deviation 1.

        An observable that needs more history than a company has counts as its average, 0.
        """
        n = len(alive)
        age = row - self._first[:n]

        def standard(values: FloatArray, needed: int) -> FloatArray:
            return _standardised(values, alive & (age >= needed))

        past = standard(self._change(self._log_price, row, MONTH, n), MONTH)
        year = self._change(self._log_price, row - MONTH, YEAR - MONTH, n)
        momentum = standard(year, YEAR)
        squares = self._change(self._squares, row, QUARTER, n)
        calm = -standard(np.log(squares + 1e-12), QUARTER)
        recent = self._change(self._log_volume, row, MONTH, n)
        usual = self._change(self._log_volume, row, HALF_YEAR, n)
        shock = standard(recent / MONTH - usual / HALF_YEAR, HALF_YEAR)
        return SCALE * (
            -REVERSAL * past
            + MOMENTUM * momentum
            - RISK * calm
            + INFORMED_MOVE * past * shock
            + STEADY_MOMENTUM * momentum * calm
        )

    def _change(self, sums: FloatArray, row: int, span: int, n: int) -> FloatArray:
        """Return the change over `span` sessions, NaN when the simulation is younger than that."""
        return sums[row, :n] - sums[row - span, :n] if row >= span else np.full(n, np.nan)


def _standardised(values: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    """Return z-scores over the known ones, clipped to +-2.5; 0 for the others."""
    z = np.zeros(len(values))
    sample = values[known]
    if len(sample) > 1:
        z[known] = np.clip((sample - sample.mean()) / (sample.std() + 1e-12), -2.5, 2.5)
    return z
