"""Random runs: markets, corporate actions, instructions and settings, from a seed and a few sizes.

Hypothesis draws the seed and the sizes (and shrinks the sizes); everything else follows from the
seed with even odds, which meets far more combinations than drawing every number by Hypothesis
would. Prices lie on a cent grid and many limits and stops on a price of the bars to come, so that
orders are often touched exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.backtest.reference.random_settings import random_execution, random_risk
from tests.backtest.reference.reference_instructions import (
    Cancel,
    Instruction,
    OrderRequest,
    Target,
    in_columns,
)
from trading.backtest.feed import BarFeed
from trading.backtest.instructions import Instructions
from trading.execution.orders import OrderType, Side, TimeInForce
from trading.execution.settings import ExecutionSettings
from trading.market.bars import BarInterval, CorporateAction, CorporateActionType
from trading.market.market_data import MarketData
from trading.risk.settings import RiskSettings

MICRO = 1_000_000
NAMES = ("AAA", "BRK.B", "Ünï", "D D")
PRICES = ("open", "high", "low", "close")
NAN = float("nan")


@dataclass(frozen=True)
class Run:
    """Everything that a run is given."""

    feed: BarFeed
    instructions: tuple[Instruction, ...]
    execution: ExecutionSettings
    risk: RiskSettings
    resets: tuple[int, ...] = ()

    @property
    def columnar(self) -> Instructions:
        """The instructions as the engine takes them."""
        return in_columns(self.instructions)

    @property
    def steps(self) -> int:
        """How much happens: rows and instructions."""
        return len(self.feed.data.timestamps) + len(self.instructions)

    def until(self, rows: int) -> "Run":
        """The same run as it is known after its first `rows` bars."""
        return replace(
            self,
            feed=replace(self.feed, data=self.feed.data.upto(rows - 1)),
            instructions=tuple(one for one in self.instructions if one.row < rows),
            resets=tuple(row for row in self.resets if row < rows),
        )


def runs(least_rows: int = 1, most_rows: int = 60) -> st.SearchStrategy[Run]:
    """Draw runs of these lengths."""
    return st.builds(
        random_run,
        seed=st.integers(0, 2**32 - 1),
        rows=st.integers(least_rows, most_rows),
        columns=st.integers(1, len(NAMES)),
        per_session=st.sampled_from([1, 1, 1, 2, 3, 7]),
        density=st.sampled_from([0.3, 1.0, 3.0]),
    )


def random_run(
    seed: int, rows: int, columns: int, per_session: int = 1, density: float = 1.0
) -> Run:
    """Return the run of a seed, with about `density` instructions a row."""
    random = Random(seed)
    data = _market(random, rows, columns, per_session)
    sectors = {
        symbol: random.choice(["Tech", "Energy"])
        for symbol in data.symbols
        if random.random() < 0.7
    }
    execution = random_execution(random)
    instructions = [_instruction(random, data, execution) for _ in range(int(density * rows) + 1)]
    resets = sorted({random.randrange(rows) for _ in range(random.choice([0, 0, 1, 2]))})
    feed = BarFeed(data, _corporate_actions(random, data), sectors)
    return Run(feed, tuple(instructions), execution, random_risk(random), tuple(resets))


def _market(random: Random, rows: int, columns: int, per_session: int) -> MarketData:
    """Gaps, late listings, dead names, missing volumes; daily or intraday."""
    numbers = np.random.default_rng(random.getrandbits(32))
    fields = [_bars(random, numbers, rows) for _ in range(columns)]
    stacked = {name: np.column_stack([one[name] for one in fields]) for name in fields[0]}
    stamps, dates = _times(random, rows, per_session)
    return MarketData(
        np.array(stamps, dtype="datetime64[s]"),
        np.array(dates, dtype="datetime64[D]"),
        NAMES[:columns],
        **stacked,
        adjusted_close=stacked["close"]
        * np.linspace(random.choice([0.7, 1.0]), 1.0, rows)[:, None],
        interval=BarInterval.DAY if per_session == 1 else BarInterval.HOUR,
    )


def _times(
    random: Random, rows: int, per_session: int
) -> tuple[list[np.datetime64], list[np.datetime64]]:
    """Sessions with weekends and holidays between them, some cut short; stamps within them."""
    stamps: list[np.datetime64] = []
    dates: list[np.datetime64] = []
    day = date(2024, 1, random.randint(2, 31))
    while len(dates) < rows:
        bars = per_session if random.random() < 0.8 else random.randint(1, per_session)
        for bar in range(min(bars, rows - len(dates))):
            dates.append(np.datetime64(day, "D"))
            stamps.append(np.datetime64(day, "s") + np.timedelta64(14 * 3600 + 1800 * bar, "s"))
        day += timedelta(days=random.choices([1, 3, 4, 20], [80, 14, 5, 1])[0])
    return stamps, dates


def _bars(
    random: Random, numbers: np.random.Generator, rows: int
) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    level = random.choice([0.05, 3.0, 40.0, 100.0, 25_000.0])
    spread = random.choices([0.0, 0.005, 0.03, 0.15], [1, 4, 8, 3])[0]
    tick = 0.0001 if level < 1.0 else 0.01
    closes = level * np.exp(np.cumsum(numbers.normal(0.0, spread, rows)))
    opens = closes * np.exp(numbers.normal(0.0, spread / 2, rows))
    reach = np.abs(numbers.normal(0.0, spread / 2, (2, rows)))
    prices = {
        "open": opens,
        "high": np.maximum(opens, closes) * (1.0 + reach[0]),
        "low": np.minimum(opens, closes) / (1.0 + reach[1]),
        "close": closes,
    }
    bars = {name: np.maximum(np.round(p / tick), 1.0) * tick for name, p in prices.items()}
    bars = {name: price.round(4) for name, price in bars.items()}
    usual = random.choice([950.0, 1e5, 3.3e6])
    bars["volume"] = numbers.choice([0.0, 10.0, usual, usual, 2.5 * usual], rows)
    if random.random() < 0.3:
        bars["volume"][numbers.random(rows) < 0.2] = np.nan
    missing = _missing(random, numbers, rows)
    for name in PRICES:
        # A bar with one price missing counts for nothing, whatever the other three are.
        bars[name][missing & ((numbers.random(rows) < 0.9) | (name == "high"))] = np.nan
    return bars


def _missing(
    random: Random, numbers: np.random.Generator, rows: int
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    missing = numbers.random(rows) < random.choices([0.0, 0.1, 0.5], [6, 3, 1])[0]
    if random.random() < 0.2:
        start = random.randrange(rows)
        missing[start : start + random.randint(1, 12)] = True
    if random.random() < 0.15:
        missing[: random.randint(0, rows)] = True
    if random.random() < 0.15:
        missing[random.randint(0, rows) :] = True
    return missing


def _corporate_actions(random: Random, data: MarketData) -> tuple[CorporateAction, ...]:
    """Splits, dividends and delistings; some fall on holidays or outside the run."""
    first, last = data.sessions[0].item(), data.sessions[-1].item()
    found = []
    for _ in range(random.choice([0, 0, 1, 3, 6])):
        kind = random.choices(list(VALUES), [4, 4, 1])[0]
        day = first + timedelta(days=random.randint(-2, (last - first).days + 2))
        column, size = random.randrange(len(data.symbols)), random.choice(VALUES[kind])
        if kind is CorporateActionType.DIVIDEND:
            size *= _known_price(data, len(data.timestamps) - 1, column)
        found.append(CorporateAction(data.symbols[column], day, kind, size))
    return tuple(found)


VALUES = {
    CorporateActionType.SPLIT: (2.0, 0.5, 1.5, 0.1, 3.0, 1 / 3, 0.001, 20.0),
    CorporateActionType.DIVIDEND: (0.0001, 0.003, 0.01, 1 / 7),
    CorporateActionType.DELISTING: (-1.0, -0.3, 0.0, 0.25),
}
WEIGHTS = (0.0, 0.0, 0.1, 0.25, 0.25, 0.5, 0.5, 1.0, 1.3, -0.1, -0.5, -1.0)


def _instruction(random: Random, data: MarketData, execution: ExecutionSettings) -> Instruction:
    rows, columns = data.shape
    row, column = random.randrange(rows), random.randrange(columns)
    kind = random.random()
    if kind < 0.08:
        return Cancel(row, column)
    if kind < 0.5:
        return Target(row, column, random.choice(WEIGHTS))
    order_type = random.choice(list(OrderType))
    return OrderRequest(
        row,
        column,
        random.choice([Side.BUY, Side.BUY, Side.SELL]),
        _quantity(random, float(execution.initial_cash) / _known_price(data, row, column)),
        order_type,
        random.choice(list(TimeInForce)),
        _price(random, data, row, column) if "LIMIT" in order_type.value else NAN,
        _price(random, data, row, column) if "STOP" in order_type.value else NAN,
    )


def _quantity(random: Random, whole_account: float) -> int:
    if random.random() < 0.1:
        return random.choice([1, 999_999, MICRO, 100 * MICRO])
    quantity = max(int(whole_account * random.choice([0.01, 0.1, 0.3, 0.6, 1.5])), 1) * MICRO
    return max(quantity // 7 + random.randint(-3, 3), 1) if random.random() < 0.2 else quantity


def _known_price(data: MarketData, row: int, column: int) -> float:
    known = data.close[: row + 1, column]
    known = known[np.isfinite(known)]
    return float(known[-1]) if len(known) else 10.0


def _price(random: Random, data: MarketData, row: int, column: int) -> float:
    """A price beside the last close, or exactly one of the bars to come."""
    if random.random() < 0.5:
        later = min(row + random.randint(1, 3), len(data.timestamps) - 1)
        exact = float(getattr(data, random.choice(PRICES))[later, column])
        if np.isfinite(exact):
            return exact
    factors: Sequence[float] = (0.5, 0.9, 0.98, 0.995, 1.0, 1.005, 1.02, 1.1, 2.0)
    return _known_price(data, row, column) * random.choice(factors)
