"""What happens to single companies: listings, earnings, dividends, splits, takeovers, failures."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.data.simulation.companies import EARNINGS_EVERY, Companies
from trading.data.simulation.factors import SESSIONS_A_YEAR
from trading.market.bars import CorporateAction, CorporateActionType
from trading.market.panel import FloatArray

TAKEOVERS_A_YEAR = 0.026
FAILURES_A_YEAR = 0.012
# A company that lost more than 60 % since its listing fails this many times as often.
DISTRESS, DISTRESSED_FAILS = 0.4, 6.0
PREMIUM = (0.10, 0.45)
CRASH = (-0.90, -0.50)
DEAL_SESSIONS = (30, 90)
EX_DIVIDEND_LAG = 21
SPLIT_ABOVE, SPLIT_RATIOS = 250.0, np.array([2.0, 3.0, 4.0, 5.0])
REVERSE_BELOW, REVERSE_RATIO = 1.0, 0.1
SPLIT_CHANCE = 0.02
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class SessionEvents:
    """One session's events of n companies.

    Attributes
    ----------
    alive : (n,) bool, has a bar in this session
    in_deal : (n,) bool, trades on a takeover's terms
    earnings : (n,) bool, publishes
    jump : (n,) simple return on top of the ordinary one
    dividend : (n,) USD a share that goes ex, 0 for none
    """

    alive: npt.NDArray[np.bool_]
    in_deal: npt.NDArray[np.bool_]
    earnings: npt.NDArray[np.bool_]
    jump: FloatArray
    dividend: FloatArray


class Events:
    """Draws the events of each session and writes the corporate actions down.

    Attributes
    ----------
    actions : what happened so far, as in `trading.market.bars.CorporateAction`. A delisting pays
        the last close: what its holders lost is in the bars, a failure's crash and a deal's price
    """

    def __init__(self, companies: Companies) -> None:
        count = len(companies.symbols)
        self.actions: list[CorporateAction] = []
        self._companies = companies
        self._last_row = np.full(count, NEVER)
        self._deal = np.zeros(count, dtype=bool)
        self._split_factor = np.ones(count)

    def draw(
        self,
        row: int,
        day: date,
        n: int,
        listed_before: int,
        close: FloatArray,
        random: np.random.Generator,
    ) -> SessionEvents:
        """Draw the events of session `row` of the first n companies.

        `close` is their last close (at first the listing price).
        """
        companies = self._companies
        chance, size = random.random(n), random.random(n)
        alive = row <= self._last_row[:n]
        for i in np.flatnonzero(row == self._last_row[:n] + 1):
            self._note(i, day, CorporateActionType.DELISTING, 0.0)
        if row:
            for new in range(listed_before, n):
                self._note(new, day, CorporateActionType.LISTING, None)
        seasoned = alive & (np.arange(n) < listed_before)
        jump = self._takeovers(row, seasoned & ~self._deal[:n], chance, size)
        jump += self._failures(row, seasoned & ~self._deal[:n], close, 1 - chance, size)
        self._splits(day, seasoned & (row < self._last_row[:n]), close, chance, size)
        cycle = (row + companies.phase[:n]) % EARNINGS_EVERY
        pays = seasoned & (cycle == EX_DIVIDEND_LAG) & (companies.dividend_yield[:n] > 0)
        quarterly = companies.dividend_yield[:n] * EARNINGS_EVERY / SESSIONS_A_YEAR
        dividend = np.where(pays, np.round(quarterly * close, 4), 0.0)
        for i in np.flatnonzero(dividend):
            self._note(i, day, CorporateActionType.DIVIDEND, float(dividend[i]))
        return SessionEvents(
            alive, self._deal[:n] & (jump == 0), alive & (cycle == 0), jump, dividend
        )

    def _takeovers(
        self, row: int, able: npt.NDArray[np.bool_], chance: FloatArray, size: FloatArray
    ) -> FloatArray:
        """Return the jumps of new bids; the shares of a company bid for go some months later."""
        bid = able & (chance < TAKEOVERS_A_YEAR / SESSIONS_A_YEAR)
        low, high = DEAL_SESSIONS
        spots = np.flatnonzero(bid)
        self._deal[spots] = True
        self._last_row[spots] = row + low + ((high - low) * size[spots]).astype(np.int64)
        return np.where(bid, PREMIUM[0] + (PREMIUM[1] - PREMIUM[0]) * size, 0.0)

    def _failures(
        self,
        row: int,
        able: npt.NDArray[np.bool_],
        close: FloatArray,
        chance: FloatArray,
        size: FloatArray,
    ) -> FloatArray:
        """Return the crashes of companies that fail: this session is their last."""
        distressed = close < DISTRESS * self._companies.price[: len(close)]
        rate = FAILURES_A_YEAR / SESSIONS_A_YEAR * np.where(distressed, DISTRESSED_FAILS, 1.0)
        fails = able & (chance < rate)
        self._last_row[np.flatnonzero(fails)] = row
        return np.where(fails, CRASH[0] + (CRASH[1] - CRASH[0]) * size, 0.0)

    def _splits(
        self,
        day: date,
        able: npt.NDArray[np.bool_],
        close: FloatArray,
        chance: FloatArray,
        size: FloatArray,
    ) -> None:
        """Note the splits: they change what a share is quoted at, not the split-adjusted bars."""
        quoted = close / self._split_factor[: len(close)]
        now = able & (np.abs(chance - 0.5) < SPLIT_CHANCE / 2)
        ratio = np.where(quoted > SPLIT_ABOVE, SPLIT_RATIOS[(size * 4).astype(np.int64)], 1.0)
        ratio = np.where(quoted < REVERSE_BELOW, REVERSE_RATIO, ratio)
        for i in np.flatnonzero(now & (ratio != 1.0)):
            self._split_factor[i] *= ratio[i]
            self._note(i, day, CorporateActionType.SPLIT, float(ratio[i]))

    def _note(
        self, i: int | np.integer[Any], day: date, kind: CorporateActionType, value: float | None
    ) -> None:
        self.actions.append(CorporateAction(self._companies.symbols[i], day, kind, value))
