"""What is replayed, as lists: bars by row and column, corporate actions by row, sessions."""

from dataclasses import dataclass
from datetime import date
from math import isfinite, sqrt

from trading.backtest.feed import BarFeed
from trading.market.bars import CorporateActionType

STATISTICS_WINDOW = 21
LEAST_KNOWN = 14
ORDER_OF_ACTIONS = [
    CorporateActionType.SPLIT,
    CorporateActionType.DIVIDEND,
    CorporateActionType.DELISTING,
]


@dataclass(frozen=True)
class Bar:
    """One bar; USD, shares."""

    open: float
    high: float
    low: float
    close: float
    volume: float | None
    adjusted_close: float


@dataclass(frozen=True)
class Action:
    """A corporate action, placed."""

    row: int
    column: int
    type: CorporateActionType
    value: float


class Market:
    """The bars and what happens to the shares."""

    def __init__(self, feed: BarFeed) -> None:
        data = feed.data
        self.symbols = data.symbols
        self.dates: list[date] = data.sessions.astype("datetime64[D]").tolist()
        fields = [
            getattr(data, name).tolist()
            for name in ("open", "high", "low", "close", "volume", "adjusted_close")
        ]
        self.bars: list[list[Bar | None]] = [
            [_bar(*(field[row][column] for field in fields)) for column in range(len(self.symbols))]
            for row in range(len(self.dates))
        ]
        self.sectors = [feed.sectors.get(symbol, "") for symbol in self.symbols]
        self.session_of: list[int] = []
        for row, day in enumerate(self.dates):
            new = row == 0 or day != self.dates[row - 1]
            self.session_of.append((self.session_of[-1] if row else -1) + new)
        self.actions = self._placed(feed)

    def _placed(self, feed: BarFeed) -> list[Action]:
        found = []
        for action in feed.actions:
            if action.type not in ORDER_OF_ACTIONS or action.symbol not in self.symbols:
                continue
            if not self.dates or not self.dates[0] <= action.ex_date <= self.dates[-1]:
                continue
            row = next(t for t, day in enumerate(self.dates) if day >= action.ex_date)
            assert action.value is not None
            found.append(Action(row, self.symbols.index(action.symbol), action.type, action.value))
        return sorted(
            found, key=lambda a: (a.row, ORDER_OF_ACTIONS.index(a.type), a.column, a.value)
        )

    def is_first(self, row: int) -> bool:
        """Whether the row opens its session."""
        return row == 0 or self.dates[row - 1] != self.dates[row]

    def is_last(self, row: int) -> bool:
        """Whether the row closes its session."""
        return row == len(self.dates) - 1 or self.dates[row + 1] != self.dates[row]

    def close_return(self, row: int, column: int) -> float | None:
        """The bar's return from the bar before; None where either is missing."""
        if row == 0:
            return None
        before, now = self.bars[row - 1][column], self.bars[row][column]
        if before is None or now is None:
            return None
        return _return(before.adjusted_close, now.adjusted_close)

    def daily(self, row: int, column: int) -> tuple[list[float | None], list[float | None]]:
        """Adjusted closes and dollar volumes of the sessions that have ended at `row`."""
        closes: list[float | None] = []
        volumes: list[float | None] = []
        for t in range(row + 1):
            if self.is_first(t):
                close, traded = None, None
            bar = self.bars[t][column]
            if bar is not None and isfinite(bar.adjusted_close):
                close = bar.adjusted_close
            if bar is not None and bar.volume is not None:
                traded = (traded or 0.0) + bar.close * bar.volume
            if self.is_last(t):
                closes.append(close)
                volumes.append(traded)
        return closes, volumes

    def volatility_and_dollar_volume(
        self, row: int, column: int
    ) -> tuple[float | None, float | None]:
        """Daily volatility and mean dollar volume as known at `row`; None where unknown."""
        closes, volumes = self.daily(row, column)
        returns = _known_returns(closes)
        traded = [v for v in volumes[-STATISTICS_WINDOW:] if v is not None]
        volatility = _deviation(returns) if len(returns) >= LEAST_KNOWN else None
        return volatility, sum(traded) / len(traded) if len(traded) >= LEAST_KNOWN else None


def _known_returns(closes: list[float | None]) -> list[float]:
    known = []
    for k in range(max(len(closes) - STATISTICS_WINDOW, 1), len(closes)):
        found = _return(closes[k - 1], closes[k])
        if found is not None:
            known.append(found)
    return known


def _deviation(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))


def _bar(
    opened: float, high: float, low: float, close: float, volume: float, adjusted: float
) -> Bar | None:
    if not all(isfinite(price) for price in (opened, high, low, close)):
        return None
    return Bar(opened, high, low, close, volume if isfinite(volume) else None, adjusted)


def _return(before: float | None, now: float | None) -> float | None:
    """The simple return between two adjusted closes; None where either is not known."""
    if before is None or now is None or not (isfinite(before) and isfinite(now)):
        return None
    return now / before - 1.0
