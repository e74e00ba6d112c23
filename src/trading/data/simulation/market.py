"""The simulated market, session by session.

Every session draws from its own random stream, in an order and number that depend on nothing after
it: a simulation to a later end repeats the shorter one bit for bit. For the same reason prices are
never restated. As in Yahoo's bars, open, high, low, close and volume are adjusted for splits and
`adjusted_close` for dividends too, but seen from the company's first session instead of its last:
a split leaves the bars alone and a dividend raises `adjusted_close` over the close from then on.
The two conventions differ by one constant factor a company, which no return contains.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from trading.config import SimulatedMarketSettings
from trading.data.simulation.companies import Companies, draw_companies
from trading.data.simulation.events import Events
from trading.data.simulation.factors import NORMAL, SESSIONS_A_YEAR, draw_factors
from trading.data.simulation.planted import STRENGTH, PlantedSignal
from trading.data.simulation.quotes import Quotes
from trading.data.simulation.streams import Purpose, stream
from trading.errors import DataError
from trading.market.bars import FIELDS, CorporateAction
from trading.market.calendar import DEFAULT_EXCHANGE, sessions_between
from trading.market.panel import FloatArray, Panel, SessionArray

LISTINGS_A_YEAR = 0.045
TAIL_DEGREES = 4.0
TAIL_CLIP = 8.0
DEAL_VOLATILITY = 0.15
EARNINGS_VOLATILITY = 3.0
WORST_RETURN = -0.95
VOLATILITY_MEMORY, VOLATILITY_OF_VOLATILITY = 0.98, 0.05


@dataclass(frozen=True)
class SimulatedHistory:
    """A simulated market up to its last session.

    Attributes
    ----------
    panel : bars; the columns are the companies in the order of their listing
    sector : (N,) index into `companies.SECTORS`
    score : (T, N) float32, the planted signal known at the close of each session (its expected
        return is what the next session adds); NaN where a company is not listed
    actions : corporate actions effective by the last session, by date and symbol
    """

    panel: Panel
    sector: npt.NDArray[np.int64]
    score: npt.NDArray[np.float32]
    actions: tuple[CorporateAction, ...]


class SimulatedMarket:
    """A stock market that a seed determines, from a fixed first session to any last one.

    Parameters
    ----------
    settings : seed, number of companies at the start, first session
    exchange : calendar of its sessions
    """

    def __init__(self, settings: SimulatedMarketSettings, exchange: str = DEFAULT_EXCHANGE) -> None:
        self._settings = settings
        self._exchange = exchange
        self._longest: SimulatedHistory | None = None

    @property
    def name(self) -> str:
        """What tells this market from every other."""
        s = self._settings
        return f"simulated market (seed {s.seed}, {s.symbols:,} companies from {s.start})"

    def panel(self, end: date) -> Panel:
        """Return the bars up to `end`, included; see `history`."""
        return self.history(end).panel

    def history(self, end: date) -> SimulatedHistory:
        """Return the market up to the last session on or before `end`.

        Raises `DataError` when that is before the first session. The longest history asked for is
        kept, and a shorter one cut from it.
        """
        sessions = sessions_between(
            self._settings.start, max(end, self._settings.start), self._exchange
        )
        if end < self._settings.start or not len(sessions):
            raise DataError(
                f"the {self.name} has no session up to {end}; ask for a later end, or set an "
                "earlier data.simulated.start"
            )
        if self._longest is None or len(self._longest.panel.sessions) < len(sessions):
            self._longest = _simulate(self._settings, sessions)
        return _cut(self._longest, sessions)


def _cut(history: SimulatedHistory, sessions: SessionArray) -> SimulatedHistory:
    rows = len(sessions)
    if rows == len(history.panel.sessions):
        return history
    listed = int(np.flatnonzero(~np.isnan(history.panel.close[:rows]).all(axis=0))[-1]) + 1
    fields = {name: getattr(history.panel, name)[:rows, :listed] for name in FIELDS}
    last: date = sessions[-1].astype(object)
    return SimulatedHistory(
        Panel(sessions, history.panel.symbols[:listed], **fields),
        history.sector[:listed],
        history.score[:rows, :listed],
        tuple(action for action in history.actions if action.ex_date <= last),
    )


def _listed_by(settings: SimulatedMarketSettings, sessions: SessionArray) -> list[int]:
    """Return how many companies have ever listed by each session."""
    rate = settings.symbols * LISTINGS_A_YEAR / SESSIONS_A_YEAR
    new = [
        int(stream(settings.seed, Purpose.LISTINGS, _ordinal(day)).poisson(rate))
        for day in sessions[1:]
    ]
    return list(settings.symbols + np.cumsum([0, *new]))


def _ordinal(day: np.datetime64) -> int:
    return int(day.astype("datetime64[D]").astype(np.int64)) + 1_000_000


def _simulate(settings: SimulatedMarketSettings, sessions: SessionArray) -> SimulatedHistory:
    listed = _listed_by(settings, sessions)
    companies = draw_companies(settings.seed, listed[-1])
    state = _State(companies, len(sessions))
    regime = NORMAL
    for row, day in enumerate(sessions):
        random = stream(settings.seed, Purpose.SESSION, _ordinal(day))
        factors = draw_factors(random, regime)
        regime = factors.regime
        common = companies.beta * factors.market + factors.sectors[companies.sector]
        state.advance(row, day.astype(object), int(listed[row]), common, random)
    panel = Panel(sessions, companies.symbols, **state.quotes.fields())
    actions = tuple(sorted(state.events.actions, key=lambda a: (a.ex_date, a.symbol, a.type)))
    return SimulatedHistory(panel, companies.sector, state.scores, actions)


class _State:
    """Everything that carries over from one session to the next."""

    def __init__(self, companies: Companies, sessions: int) -> None:
        count = len(companies.symbols)
        self.quotes = Quotes(companies, sessions)
        self.events = Events(companies)
        self.signal = PlantedSignal(sessions, count)
        self.scores = np.full((sessions, count), np.nan, dtype=np.float32)
        self._companies = companies
        self._growth = np.ones(count)
        self._log_volatility = np.zeros(count)
        self._expected = np.zeros(count)
        self._listed = 0

    def advance(
        self, row: int, day: date, listed: int, common: FloatArray, random: np.random.Generator
    ) -> None:
        """Simulate one session of the first `listed` companies; the rest list later."""
        n, companies = listed, self._companies
        shock = random.standard_t(TAIL_DEGREES, n) / np.sqrt(TAIL_DEGREES / (TAIL_DEGREES - 2))
        shock = np.clip(shock, -TAIL_CLIP, TAIL_CLIP)
        drift = VOLATILITY_OF_VOLATILITY * random.standard_normal(n)
        self._log_volatility[:n] = VOLATILITY_MEMORY * self._log_volatility[:n] + drift
        volatility = companies.volatility[:n] * np.exp(self._log_volatility[:n])
        close = self.quotes.close[:n]
        events = self.events.draw(row, day, n, self._listed, close, random)
        quiet = np.where(events.in_deal, DEAL_VOLATILITY, 1.0)
        news = np.where(events.earnings, EARNINGS_VOLATILITY, 1.0)
        returns = quiet * (common[:n] + volatility * (news * shock + self._expected[:n]))
        returns = np.maximum((1 + returns) * (1 + events.jump) - 1, WORST_RETURN)
        new = np.arange(n) >= self._listed
        returns[new | ~events.alive] = 0.0
        self._growth[:n] *= 1 + returns
        volume = self.quotes.record(row, returns, events, quiet * volatility, news * shock, random)
        self.signal.observe(row, self._growth[:n], returns, volume)
        score = self.signal.score(row, events.alive)
        self._expected[:n] = STRENGTH * score
        self.scores[row, :n] = np.where(events.alive, score, np.nan)
        self._listed = n
