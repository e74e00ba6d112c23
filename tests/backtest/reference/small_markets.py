"""Small markets written by hand, and the two engines that run them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np

from tests.backtest.reference.ledger_comparison import Tables, engine_tables, reference_tables
from tests.backtest.reference.random_runs import Run
from tests.backtest.reference.reference_instructions import Instruction
from trading.backtest.feed import BarFeed
from trading.execution.settings import CommissionSettings, ExecutionSettings, SlippageSettings
from trading.market.bars import CorporateAction
from trading.market.market_data import MarketData
from trading.risk.settings import RiskSettings

Engine = Callable[[Run], Tables]
ENGINES = {"reference": reference_tables, "engine": engine_tables}
MICRO = 1_000_000
SHARE = MICRO
NO_LIMITS = RiskSettings(max_leverage=None)

Prices = tuple[float, ...]
GONE: Prices = (np.nan, np.nan, np.nan, np.nan, np.nan)


def market(
    *symbols: Sequence[Prices],
    days: Sequence[int] | None = None,
    actions: Sequence[CorporateAction] = (),
    sectors: Mapping[str, str] | None = None,
) -> BarFeed:
    """Return daily bars of symbols A, B, …: rows of (open, high, low, close[, volume]).

    `days` count from 2024-01-01, a Monday, as 1; one day may hold several bars.
    """
    days = list(days or range(1, len(symbols[0]) + 1))
    dates = [date(2023, 12, 31) + timedelta(days=day) for day in days]
    rows = [[(*bar, 1e6)[:5] for bar in row] for row in zip(*symbols, strict=True)]
    data = market_data(dates, tuple("ABCDEFGH"[: len(symbols)]), rows)
    return BarFeed(data, tuple(actions), dict(sectors or {}))


def market_data(
    dates: Sequence[date], symbols: tuple[str, ...], rows: Sequence[Sequence[Prices]]
) -> MarketData:
    """Return the bars of `rows`, one (open, high, low, close, volume) a symbol, a minute apart."""
    opens, highs, lows, closes, volumes = (
        np.ascontiguousarray(field) for field in np.array(rows).transpose(2, 0, 1)
    )
    days = np.array(dates, dtype="datetime64[D]")
    later = np.array([dates[:row].count(day) for row, day in enumerate(dates)])
    seconds = days.astype("datetime64[s]").astype(np.int64) + 20 * 3600 + 60 * later
    return MarketData(
        seconds.astype("datetime64[s]"),
        days,
        symbols,
        opens,
        highs,
        lows,
        closes,
        volumes,
        adjusted_close=closes.copy(),
    )


def flat(price: float, volume: float = 1e6) -> Prices:
    """A bar that does not move."""
    return (price, price, price, price, volume)


def run(
    feed: BarFeed,
    *instructions: Instruction,
    risk: RiskSettings = NO_LIMITS,
    resets: Sequence[int] = (),
    **execution: Any,
) -> Run:
    """Return a run with 10,000 USD that trades free of cost, unless `execution` says otherwise."""
    settings: dict[str, Any] = {
        "initial_cash": 10_000,
        "slippage": SlippageSettings(model="none"),
        "commission": CommissionSettings(model="none"),
        "max_volume_share": None,
    }
    return Run(feed, instructions, ExecutionSettings(**settings | execution), risk, tuple(resets))


def usd(tables: Tables, column: int) -> list[float]:
    """One column of the curve in USD: 0 equity, 1 cash, 2 gross, 3 net."""
    return [row[column] / MICRO for row in tables["curve"]]


def fills(tables: Tables) -> list[tuple[int, str, float, float, str]]:
    """(row, side, shares, price, moment) of each fill."""
    return [
        (row, side, quantity / MICRO, price, moment)
        for _, row, _, side, quantity, price, *_, moment in tables["fills"]
    ]


def ends(tables: Tables) -> list[tuple[str, float, str]]:
    """(status, shares filled, reason) of each order."""
    return [(status, filled / MICRO, reason) for *_, status, filled, reason in tables["orders"]]
