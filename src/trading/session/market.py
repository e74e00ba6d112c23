"""The bars of a session as rows: what the broker's market, and the strategies, see of each."""

from datetime import UTC, datetime, time, timedelta

import numpy as np
import numpy.typing as npt

from trading.backtest.feed import BarFeed
from trading.backtest.replay import cost_inputs
from trading.execution.brokers.paper_market import BarAction, MarketRow
from trading.execution.costs import SQUARE_ROOT, Rules
from trading.market.bars import BarInterval
from trading.market.calendar import DEFAULT_EXCHANGE, is_session, session_close, session_open
from trading.market.market_data import MarketData
from trading.risk.order_limits import Limits

FloatArray = npt.NDArray[np.float64]

LENGTHS = {BarInterval.MINUTE: timedelta(minutes=1), BarInterval.HOUR: timedelta(hours=1)}
_NOTHING = np.empty(0)


class SessionMarket:
    """A feed, one row at a time.

    Parameters
    ----------
    feed : every bar that is known
    rules, limits : tell which figures the rows need
    growing : the last bar is the last of its session only from the exchange's closing time on
    """

    def __init__(
        self,
        feed: BarFeed,
        rules: Rules,
        limits: Limits,
        *,
        exchange: str = DEFAULT_EXCHANGE,
        growing: bool = False,
    ) -> None:
        self.feed = feed
        self._growing = growing and feed.data.interval is not BarInterval.DAY
        self._exchange = exchange
        self._window = limits.window + 1 if limits.needs_history else 0
        self._costs = cost_inputs(feed) if rules.slippage == SQUARE_ROOT else None
        rows, columns, kinds, values = feed.action_columns
        self._actions: dict[int, list[BarAction]] = {}
        for row, column, kind, value in zip(
            rows.tolist(), columns.tolist(), kinds.tolist(), values.tolist(), strict=True
        ):
            self._actions.setdefault(row, []).append(BarAction(column, kind, value))
        self._stamps = feed.data.timestamps.astype("datetime64[s]").astype(np.int64)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The N symbols."""
        return self.feed.data.symbols

    def __len__(self) -> int:
        return len(self._stamps)

    def stamp(self, row: int) -> datetime:
        """Return when a bar closed, aware, UTC."""
        return datetime.fromtimestamp(int(self._stamps[row]), UTC)

    def rows_after(self, moment: datetime | None) -> range:
        """Return the rows that closed after a moment; None: all."""
        if moment is None:
            return range(len(self))
        first = np.searchsorted(self._stamps, int(moment.timestamp()), side="right")
        return range(int(first), len(self))

    def row_of(self, moment: datetime) -> int | None:
        """Return the row that closed at a moment; None where none did."""
        row = int(np.searchsorted(self._stamps, int(moment.timestamp())))
        found = row < len(self) and self._stamps[row] == int(moment.timestamp())
        return row if found else None

    def data(self, row: int) -> MarketData:
        """Return the bars up to a row."""
        return self.feed.data.upto(row)

    def history(self, row: int) -> FloatArray:
        """Return the adjusted closes `(H, N)` that the limits look at; `(0, N)` where none do."""
        first = max(row + 1 - self._window, 0)
        closes = self.feed.data.adjusted_close[first : row + 1] if self._window else None
        return np.empty((0, len(self.symbols))) if closes is None else np.array(closes)

    def row(self, row: int) -> MarketRow:
        """Return one bar of every symbol."""
        data = self.feed.data
        costs = (_NOTHING, _NOTHING)
        if self._costs is not None:
            # A session that still goes on is not known yet: what the bar before knew is.
            at = row if self._is_last(row) == self.feed.sessions.last[row] else row - 1
            unknown = np.full(len(self.symbols), np.nan)
            costs = (
                self._costs[0][at].copy() if at >= 0 else unknown,
                self._costs[1][at].copy() if at >= 0 else unknown,
            )
        # Copies: the compiled functions are made for arrays that lie together.
        return MarketRow(
            timestamp=self.stamp(row),
            opened_at=self._opened_at(row),
            session=data.sessions[row].astype("datetime64[D]").item(),
            last=self._is_last(row),
            open=data.open[row].copy(),
            high=data.high[row].copy(),
            low=data.low[row].copy(),
            close=data.close[row].copy(),
            volume=data.volume[row].copy(),
            actions=tuple(self._actions.get(row, ())),
            volatility=costs[0],
            dollar_volume=costs[1],
        )

    def _is_last(self, row: int) -> bool:
        if not self._growing or row < len(self) - 1:
            return bool(self.feed.sessions.last[row])
        day = self.feed.data.sessions[row].astype("datetime64[D]").item()
        if not is_session(day, self._exchange):
            return False
        return self.stamp(row) >= session_close(day, self._exchange)

    def _opened_at(self, row: int) -> datetime:
        data = self.feed.data
        if data.interval in LENGTHS:
            return self.stamp(row) - LENGTHS[data.interval]
        day = data.sessions[row].astype("datetime64[D]").item()
        if is_session(day, self._exchange):
            return session_open(day, self._exchange)
        return datetime.combine(day, time(), tzinfo=UTC)
