"""Which name of the panel fills which of the 3,600 columns of a dataset."""

from dataclasses import dataclass

import numpy as np

from trading.errors import DataError
from trading.market.panel import Panel
from trading.universe.liquidity import BoolArray, IntArray, last_bar_rows
from trading.universe.slots import SlotMap, SlotState


@dataclass(frozen=True)
class Columns:
    """The columns of a dataset.

    Attributes
    ----------
    source : (S,) int64, the column of the panel, -1 where the column is empty
    symbols : S names, an empty string where the column is empty
    left_out : names that could once have been held, but for which there was no empty column
    """

    source: IntArray
    symbols: tuple[str, ...]
    left_out: int


def arrange_columns(
    panel: Panel, slots: SlotMap, eligible: BoolArray, max_stale_sessions: int
) -> Columns:
    """Return the current slots at their index, and names of the past in the empty ones.

    A history of today's members alone would know who survives. So every name that was eligible at
    any decision, `(D, N)` bool, and has no slot gets an empty one, as far as they go: first the
    names that no longer trade, then those that left the universe otherwise; in each group the one
    eligible last comes first, ties by symbol.

    Raises
    ------
    DataError
        The panel does not hold an active name.
    """
    position = {symbol: i for i, symbol in enumerate(panel.symbols) if symbol}
    missing = [s.symbol for s in slots.slots if s.state is SlotState.ACTIVE]
    missing = [symbol for symbol in missing if symbol not in position]
    if missing:
        raise DataError(
            f"the panel lacks {len(missing)} active name(s) of the slots, the first is "
            f"{missing[0]!r}; give the bars of every member"
        )
    source = np.array([position.get(symbol, -1) for symbol in slots.symbols], dtype=np.int64)
    symbols = np.array(slots.symbols, dtype=object)
    outside: BoolArray = np.asarray(eligible.any(axis=0))
    outside[source[source >= 0]] = False
    names = np.flatnonzero(outside)
    trades = len(panel.sessions) - 1 - last_bar_rows(panel)[-1, names] <= max_stale_sessions
    last_eligible = len(eligible) - 1 - np.argmax(eligible[::-1, names], axis=0)
    by_name = np.array(panel.symbols, dtype=np.str_)[names]
    names = names[np.lexsort((by_name, -last_eligible, trades))]
    empty = np.flatnonzero(symbols == "")[: len(names)]
    source[empty] = names[: len(empty)]
    symbols[empty] = [panel.symbols[i] for i in names[: len(empty)]]
    return Columns(source, tuple(str(symbol) for symbol in symbols), len(names) - len(empty))
