"""Look-ahead analysis: decisions must not change when the future does.

At many cuts of the bars the same strategy is asked again, and its signals, and the targets that a
sizer makes of them, are compared with those of the whole run:

- *truncated*: the bars after the cut are not there, nor in memory behind the arrays;
- *scrambled*: the bars after the cut are other ones;
- *later start*: the data begins so late that only `lookback` bars lead up to the cut;
- *live*: `analyze` on the bars up to the cut, as a session asks it, against the backtest's answer;
- *repeated*: asked again, in another order, on the same bars.

The first two find decisions that see the future, whichever way they look at it (a centred window, a
z-score of the full sample, a negative shift, tomorrow's volume). The others find a `lookback` that
is too short, a memory between calls and chance.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.backtest.decision_table import DecisionTable, first_difference
from trading.backtest.perturbation import copied, scrambled_after
from trading.errors import DataError, StrategyFailure
from trading.market.market_data import MarketData
from trading.risk.sizing.base import PositionSizer
from trading.strategy.base import BaseStrategy, PanelStrategy
from trading.strategy.signals import Signals

IntArray = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]

CUTS = 12
MEANINGS = {
    "truncated": "the decision changes when later bars are taken away: it looks ahead",
    "scrambled": "the decision changes when later bars change: it looks ahead",
    "later start": "the decision changes when the data begins later: the lookback is too short",
    "live": "analyze answers otherwise than the backtest: live trading would differ",
    "repeated": "the same bars give another answer: the strategy remembers calls or draws lots",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """The first decision that changed in one kind of comparison.

    Attributes
    ----------
    test : truncated, scrambled, later start, live or repeated
    what : signals or targets
    cut : the bar after which the future was taken away or changed
    row, timestamp, symbol : where the decision stands
    whole, changed : the decision in the whole run and in the changed one, in words
    """

    test: str
    what: str
    cut: int
    row: int
    timestamp: str
    symbol: str
    whole: str
    changed: str

    def sentence(self) -> str:
        """Return what changed and what it means."""
        return (
            f"{self.test} at bar {self.cut}: the {self.what.removesuffix('s')} of {self.symbol} at "
            f"bar {self.row} ({self.timestamp}) was {self.whole} and became {self.changed}; "
            f"{MEANINGS[self.test]}"
        )


@dataclass(frozen=True)
class LookaheadReport:
    """What the analysis of one strategy found.

    Attributes
    ----------
    strategy_id : whose
    bars, symbols : of the data
    signals : that were compared with (of a plain strategy: those at the cuts)
    comparisons : by kind, how many runs were compared
    differences : at most one a kind and subject, the first that was met; none is a pass
    """

    strategy_id: str
    bars: int
    symbols: int
    signals: int
    comparisons: dict[str, int]
    differences: tuple[Difference, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether there was something to compare and nothing changed."""
        return not self.differences and self.signals > 0

    def sentence(self) -> str:
        """Return the verdict in one sentence."""
        if self.differences:
            return f"{self.strategy_id} failed: {self.differences[0].sentence()}"
        if not self.signals:
            return (
                f"{self.strategy_id} gave no signal on {self.bars} bars of {self.symbols} symbols, "
                "so nothing could be compared; give it more bars or symbols"
            )
        return (
            f"{self.strategy_id} passed: {self.signals:,} signals stayed the same in "
            f"{sum(self.comparisons.values())} comparisons"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"passed": self.passed}


async def check_lookahead(
    strategy: BaseStrategy,
    data: MarketData,
    *,
    sizer: PositionSizer | None = None,
    cuts: int = CUTS,
    seed: int = 0,
    progress: Progress | None = None,
) -> LookaheadReport:
    """Compare a strategy's decisions with those it makes when the future is another.

    Parameters
    ----------
    strategy : a `PanelStrategy` is compared over all bars up to each cut, a plain one at the cuts
    sizer : compare the targets that it makes of the signals, too
    cuts : at how many bars to cut, at least 1; half of them are bars with signals
    seed : draws the cuts and the scrambled bars
    progress : called with cuts done and cuts in all

    Raises
    ------
    DataError
        There are fewer than two bars, or no cut is asked for.
    StrategyFailure
        The strategy fails.
    """
    if len(data.timestamps) < 2 or cuts < 1:
        raise DataError(
            f"a look-ahead analysis needs two bars and one cut, got {len(data.timestamps)} bars "
            f"and {cuts} cuts"
        )
    random = np.random.default_rng(seed)
    kind = _PanelInspection if isinstance(strategy, PanelStrategy) else _PlainInspection
    inspection = kind(strategy, data, sizer, random)
    rows = await inspection.begin(cuts)
    for done, cut in enumerate(rows, 1):
        await inspection.at(cut)
        if progress:
            progress(done, len(rows))
    await inspection.again(rows)
    return LookaheadReport(
        strategy.strategy_id,
        *data.shape,
        inspection.signals,
        inspection.comparisons,
        tuple(inspection.differences.values()),
    )


@dataclass
class _Inspection:
    """The comparisons of one strategy so far."""

    strategy: Any
    data: MarketData
    sizer: PositionSizer | None
    random: np.random.Generator
    signals: int = 0
    comparisons: dict[str, int] = field(default_factory=dict)
    differences: dict[tuple[str, str], Difference] = field(default_factory=dict)

    def compare(self, test: str, cut: int, whole: DecisionTable, changed: DecisionTable) -> None:
        """Count a comparison, and keep its first difference if the kind has none yet."""
        self.comparisons[test] = self.comparisons.get(test, 0) + 1
        place = first_difference(whole, changed)
        if place is None or (test, whole.what) in self.differences:
            return
        row, column = place
        self.differences[test, whole.what] = Difference(
            test,
            whole.what,
            cut,
            row,
            str(self.data.timestamps[row]),
            self.data.symbols[column],
            whole.at(row, column),
            changed.at(row, column),
        )

    def cut_rows(self, telling: IntArray, cuts: int, suspect: IntArray | None = None) -> list[int]:
        """Return up to `cuts` rows before the last, ascending.

        Up to a quarter of them are `suspect`, up to half `telling`; of the others as many as there
        are have a whole lookback and more behind them, so that a later start can be compared.
        """
        last = len(self.data.timestamps) - 1
        history = np.arange(min(self.strategy.lookback, last - 1), last)
        chosen = np.empty(0, dtype=np.int64)
        for rows, share in ((suspect, 4), (telling, 2), (history, 1)):
            if rows is not None:
                free = np.setdiff1d(rows[rows < last], chosen)
                count = min(-(-cuts // share), cuts - len(chosen), len(free))
                chosen = np.append(chosen, self.random.choice(free, count, replace=False))
        return sorted(chosen.tolist())

    async def analyze(self, data: MarketData) -> DecisionTable:
        """Return the signals of the last bar of `data`; rows count from the start of its bars."""
        try:
            answer = await self.strategy.analyze(data)
        except Exception as error:
            raise self._failure(error) from error
        if not isinstance(answer, Signals):
            answer = Signals.from_list(
                self.strategy.strategy_id, answer, data.timestamps, data.symbols
            )
        # Whatever bars it counts from, an answer is about the last one.
        last = len(data.timestamps) - 1
        table = DecisionTable.of_signals(answer)
        return DecisionTable("signals", np.full(len(answer), last), table.columns, table.values)

    def _failure(self, error: Exception) -> StrategyFailure:
        return StrategyFailure(
            f"{self.strategy.strategy_id} failed on bars that a backtest gives it "
            f"({type(error).__name__}: {error}); mend it, then check again"
        )


class _PanelInspection(_Inspection):
    """Compares whole panels of signals up to each cut."""

    async def begin(self, cuts: int) -> list[int]:
        self.whole = self._panel(self.data)
        self.table = DecisionTable.of_signals(self.whole)
        if self.sizer is not None:
            self.targets = self._targets(self.sizer, self.whole, self.data)
        self.signals = len(self.whole)
        # A signal where there is no bar may come from one filled in from the future.
        absent = np.isnan(self.data.close[self.whole.rows, self.whole.columns])
        return self.cut_rows(np.unique(self.whole.rows), cuts, np.unique(self.whole.rows[absent]))

    async def at(self, cut: int) -> None:
        until = self.table.within(0, cut)
        for test, data in (
            ("truncated", copied(self.data.upto(cut))),
            ("scrambled", scrambled_after(self.data, cut, self.random)),
        ):
            signals = self._panel(data)
            self.compare(test, cut, until, DecisionTable.of_signals(signals).within(0, cut))
            if self.sizer is not None:
                targets = self._targets(self.sizer, signals, data).within(0, cut)
                self.compare(test, cut, self.targets.within(0, cut), targets)
        self._start_later(cut)
        live = await self.analyze(copied(self.data.upto(cut)))
        self.compare("live", cut, self.table.within(cut, cut), live)

    async def again(self, rows: list[int]) -> None:
        self.compare(
            "repeated", rows[-1], self.table, DecisionTable.of_signals(self._panel(self.data))
        )

    def _start_later(self, cut: int) -> None:
        """Compare the rows from `cut` on with those of data that begins just in time for them."""
        lookback = self.strategy.lookback
        start, end = cut - lookback + 1, min(cut + lookback, len(self.data.timestamps) - 1)
        if start <= 0:
            return
        later = copied(self.data.upto(end).tail(end - start + 1))
        found = DecisionTable.of_signals(self._panel(later), shift=start)
        self.compare("later start", cut, self.table.within(cut, end), found.within(cut, end))

    def _panel(self, data: MarketData) -> Signals:
        try:
            answer = self.strategy.signal_panel(data)
        except Exception as error:
            raise self._failure(error) from error
        if not isinstance(answer, Signals):
            raise self._failure(TypeError(f"{type(answer).__name__} instead of Signals"))
        return answer

    def _targets(self, sizer: PositionSizer, signals: Signals, data: MarketData) -> DecisionTable:
        long_only = self.strategy.long_only
        return DecisionTable.of_targets(sizer.targets(signals, data, long_only=long_only))


class _PlainInspection(_Inspection):
    """Compares the answers of `analyze` at each cut, asked as backtest and session ask it.

    It is given its last `lookback` bars and never later ones; what it can still do is to look
    behind the arrays, to remember, and to read what lies elsewhere.
    """

    async def begin(self, cuts: int) -> list[int]:
        self.answers: dict[int, DecisionTable] = {}
        first = min(self.strategy.lookback, len(self.data.timestamps)) - 1
        return self.cut_rows(np.arange(first, len(self.data.timestamps)), cuts)

    async def at(self, cut: int) -> None:
        answer = self.answers[cut] = await self.ask(self.window(self.data, cut), cut)
        self.signals += len(answer.rows)
        truncated = copied(self.window(self.data, cut))
        self.compare("truncated", cut, answer, await self.ask(truncated, cut))
        other = self.window(scrambled_after(self.data, cut, self.random), cut)
        self.compare("scrambled", cut, answer, await self.ask(other, cut))

    def window(self, data: MarketData, cut: int) -> MarketData:
        """Return the bars that the strategy is given when bar `cut` has closed."""
        return data.upto(cut).tail(self.strategy.lookback)

    async def ask(self, window: MarketData, cut: int) -> DecisionTable:
        """Return the signals of a window's last bar, which is bar `cut` of the whole."""
        table = await self.analyze(window)
        rows = table.rows + cut + 1 - len(window.timestamps)
        return DecisionTable("signals", rows, table.columns, table.values)

    async def again(self, rows: list[int]) -> None:
        for cut in reversed(rows):
            answer = await self.ask(self.window(self.data, cut), cut)
            self.compare("repeated", cut, self.answers[cut], answer)
