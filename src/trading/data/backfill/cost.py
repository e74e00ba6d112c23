"""The cost model of the providers: how many requests a piece of work takes when none fails."""

from dataclasses import dataclass
from datetime import date
from math import ceil
from typing import Final

from trading.config import ProviderName
from trading.data.intake.symbols import LEAST_SYMBOLS

# Dividends and splits of US listings a year, from above: 14,813 and 197 were observed in 2016
# (`corporate_actions_observed_2015_2017_pystock.csv`, 3,899 symbols).
DIVIDENDS_A_YEAR: Final = 15_000
SPLITS_A_YEAR: Final = 200
DAYS_A_YEAR: Final = 365.25
# Lines of the list of tickers of a day, from above, and how many such lists a run asks at most.
TICKERS: Final = 12_000
TICKER_LISTS: Final = 2


@dataclass(frozen=True)
class Work:
    """What is asked of a provider.

    Attributes
    ----------
    sessions : sessions to ask, ascending
    symbols : how many symbols are named; None for the whole market
    today : the day of the fetch; splits are told up to it
    """

    sessions: tuple[date, ...]
    symbols: int | None
    today: date


@dataclass(frozen=True)
class CallCost:
    """Requests of one kind.

    Attributes
    ----------
    provider : who is asked
    what : for what, in words
    calls : how many
    exact : whether the number is certain when none fails; else it is an estimate from above
    """

    provider: ProviderName
    what: str
    calls: int
    exact: bool = True


def call_costs(provider: ProviderName, work: Work) -> tuple[CallCost, ...]:
    """Return the requests that `work` takes of `provider`, by kind; none for no session.

    Polygon answers a session of the whole market at once, or a symbol's whole history when fewer
    symbols than sessions are asked; its splits and dividends are pages of 1,000 besides, and so
    are its tickers, which are asked where a market is, not a few symbols. The other services
    answer a symbol's whole history in one request, with its splits and dividends.
    """
    if not work.sessions or work.symbols == 0:
        return ()
    if provider != "polygon":
        if work.symbols is None:
            return ()
        return (CallCost(provider, "bars, splits and dividends, a request a symbol", work.symbols),)
    if by_symbol(provider, work):
        bars = CallCost(provider, "bars, a request a symbol", work.symbols or 0)
    else:
        what = "bars of the market, a request a session"
        bars = CallCost(provider, what, len(work.sessions))
    first, last = work.sessions[0], work.sessions[-1]
    splits, dividends = (
        _pages(first, work.today, SPLITS_A_YEAR),
        _pages(first, last, DIVIDENDS_A_YEAR),
    )
    tickers = TICKER_LISTS * ceil(TICKERS / 1_000)
    listed = (CallCost(provider, "tickers, pages of 1,000", tickers, exact=False),)
    return (
        bars,
        *(listed if work.symbols is None or work.symbols >= LEAST_SYMBOLS else ()),
        CallCost(provider, "splits, pages of 1,000", splits, exact=False),
        CallCost(provider, "dividends, pages of 1,000", dividends, exact=False),
    )


def by_symbol(provider: ProviderName, work: Work) -> bool:
    """Tell whether the work is asked symbol by symbol, not session by session."""
    return provider != "polygon" or (work.symbols is not None and work.symbols < len(work.sessions))


def _pages(first: date, last: date, a_year: int) -> int:
    """Return how many pages of 1,000 events that come `a_year` a span has, at least one."""
    return max(1, ceil(((last - first).days + 1) / DAYS_A_YEAR * a_year / 1_000))
