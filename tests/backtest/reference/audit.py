"""What a ledger implies by itself: positions and cash, added up from fills and closings."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.backtest.reference.ledger_comparison import Tables
from tests.backtest.reference.random_runs import Run
from tests.backtest.reference.reference_units import MICRO, floor_lot, value

SPLIT = 0


@dataclass(frozen=True)
class Holding:
    """What is held at the end of a row: micro-shares and last price by symbol."""

    quantities: dict[str, int]
    lasts: dict[str, float]

    def values(self) -> list[int]:
        """Micro-dollars of each position."""
        return [value(q, self.lasts[symbol]) for symbol, q in self.quantities.items() if q]


def holdings(run: Run, tables: Tables) -> Iterator[Holding]:
    """Follow the ledger row by row."""
    data = run.feed.data
    lot = 1 if run.execution.fractional else MICRO
    quantities = dict.fromkeys(data.symbols, 0)
    lasts = dict.fromkeys(data.symbols, float("nan"))
    for row in range(len(data.timestamps)):
        for at, column, kind, ratio in zip(*run.feed.action_columns, strict=True):
            if at == row and kind == SPLIT:
                symbol = data.symbols[column]
                quantities[symbol] = floor_lot(round(quantities[symbol] * float(ratio)), lot)
                lasts[symbol] /= float(ratio)
        for at, symbol, quantity, *_, reason in tables["closings"]:
            if at == row and reason != "split":
                quantities[symbol] -= quantity
        for _, at, symbol, side, quantity, *_ in tables["fills"]:
            if at == row:
                quantities[symbol] += quantity if side == "BUY" else -quantity
        for column, symbol in enumerate(data.symbols):
            if bar_exists(run, row, column):
                lasts[symbol] = float(data.close[row, column])
        yield Holding(dict(quantities), dict(lasts))


def bar_exists(run: Run, row: int, column: int) -> bool:
    """Whether all four prices are known."""
    data = run.feed.data
    prices = [float(getattr(data, n)[row, column]) for n in ("open", "high", "low", "close")]
    return all(price == price for price in prices)


def cash_at_the_end(run: Run, tables: Tables) -> int:
    """Micro-dollars after everything that the ledger says was paid and received."""
    cash = int(run.execution.initial_cash * MICRO)
    for _, _, _, side, quantity, price, commission, charge, *_ in tables["fills"]:
        worth = value(quantity, price)
        cash += (-worth if side == "BUY" else worth) - commission - charge
    for _, _, quantity, price, *_ in tables["closings"]:
        cash += value(quantity, price)
    dividends, borrow, _, _ = tables["totals"][0]
    return int(cash + dividends - borrow)
