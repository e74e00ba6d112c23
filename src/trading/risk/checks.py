"""The checks that every order must pass, compiled; backtest, paper and live call the same."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading.compiled import compiled, inner
from trading.execution.book import (
    HALT,
    HALTING,
    INSUFFICIENT_CASH,
    MAX_CONCENTRATION,
    MAX_CORRELATION,
    MAX_DAILY_TRADES,
    MAX_LEVERAGE,
    MAX_POSITION,
    MAX_SECTOR,
    MAX_VAR,
    NO_EQUITY,
    REFUSED,
    RESIZED,
    Book,
)
from trading.execution.costs import Rules, value_of, whole_lots
from trading.risk.settings import LimitSettings, RiskSettings

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RESIZE, REJECT, HALT_TRADING = 0, 1, 2
HALVINGS = 4
FEWEST_RETURNS = 20
_ACTIONS = {"resize": RESIZE, "reject": REJECT, "halt": HALT_TRADING}


class Limits(NamedTuple):
    """`RiskSettings` as plain numbers; a negative limit is switched off."""

    position: float
    position_action: int
    leverage: float
    leverage_action: int
    sector: float
    sector_action: int
    concentration: float
    concentration_action: int
    correlation: float
    correlation_action: int
    var: float
    var_action: int
    daily_trades: float
    daily_trades_action: int
    drawdown: float
    stop_loss: float
    take_profit: float
    window: int
    var_level: float

    @classmethod
    def of(cls, settings: RiskSettings) -> "Limits":
        """Return the limits that the settings describe."""
        return cls(
            *_pair(settings.max_position),
            *_pair(settings.max_leverage),
            *_pair(settings.max_sector),
            *_pair(settings.max_concentration),
            *_pair(settings.max_correlation),
            *_pair(settings.max_var),
            *_pair(settings.max_daily_trades),
            drawdown=_or_off(settings.max_drawdown),
            stop_loss=_or_off(settings.stop_loss),
            take_profit=_or_off(settings.take_profit),
            window=settings.window,
            var_level=settings.var_level,
        )

    @property
    def needs_history(self) -> bool:
        """Whether a check looks at past returns."""
        return self.correlation >= 0.0 or self.var >= 0.0


def _pair(limit: LimitSettings | None) -> tuple[float, int]:
    return (-1.0, RESIZE) if limit is None else (limit.limit, _ACTIONS[limit.action])


def _or_off(limit: float | None) -> float:
    return -1.0 if limit is None else limit


class Moment(NamedTuple):
    """What a check needs to know of the present.

    Attributes
    ----------
    row : of the ledger
    equity : micro-dollars
    sectors : (N,) sector of each symbol
    closes : (N,) float64 USD
    history : (H, N) float64 adjusted closes up to now, empty when no limit needs it
    """

    row: int
    equity: int
    sectors: IntArray
    closes: FloatArray
    history: FloatArray


@compiled
def projected(book: Book, column: int) -> int:
    """Return the position of a symbol in micro-shares as if its working orders had filled."""
    working = book.symbols[column].working_buys - book.symbols[column].working_sells
    return int(book.symbols[column].position + working)


@inner
def record_event(
    book: Book,
    row: int,
    column: int,
    reason: int,
    outcome: int,
    value: float,
    limit: float,
    before: int,
    after: int,
) -> None:
    """Write down that a limit tripped."""
    at = book.account[0].events
    book.account[0].events = at + 1
    events = book.events
    events[at].row = row
    events[at].column = column
    events[at].reason = reason
    events[at].outcome = outcome
    events[at].value = value
    events[at].limit = limit
    events[at].before = before
    events[at].after = after


@inner
def _settle(
    book: Book,
    now: Moment,
    column: int,
    reason: int,
    action: int,
    value: float,
    limit: float,
    before: int,
    resized: int,
) -> int:
    """Return what a tripped limit leaves of an increase, and write it down."""
    after = max(resized, 0) if action == RESIZE else 0
    outcome = RESIZED if after > 0 else (HALTING if action == HALT_TRADING else REFUSED)
    record_event(book, now.row, column, reason, outcome, value, limit, before, after)
    return after


@inner
def check_increase(
    book: Book,
    rules: Rules,
    limits: Limits,
    now: Moment,
    column: int,
    side: int,
    reducing: int,
    increase: int,
) -> tuple[int, int, bool]:
    """Return what the limits leave of an increase, the last limit that cut it, whether to halt.

    Parameters
    ----------
    side : 1 buy, -1 sell
    reducing, increase : micro-shares of the order that reduce and that increase a position
    """
    if book.account[0].halted != 0:
        record_event(book, now.row, column, HALT, REFUSED, 1.0, 0.0, increase, 0)
        return 0, HALT, False
    if now.equity <= 0:
        record_event(book, now.row, column, NO_EQUITY, REFUSED, now.equity / 1e6, 0.0, increase, 0)
        return 0, NO_EQUITY, False
    cut = 0
    if limits.daily_trades >= 0.0 and book.account[0].trades_today + 1 > limits.daily_trades:
        traded = book.account[0].trades_today + 1.0
        _settle(
            book,
            now,
            column,
            MAX_DAILY_TRADES,
            max(limits.daily_trades_action, REJECT),
            traded,
            limits.daily_trades,
            increase,
            0,
        )
        return 0, MAX_DAILY_TRADES, limits.daily_trades_action == HALT_TRADING
    increase, reason, halts = _exposure_limits(
        book, rules, limits, now, column, side, reducing, increase
    )
    cut = reason if reason != 0 else cut
    if increase > 0 and not halts:
        increase, reason, halts = _portfolio_limits(
            book, rules, limits, now, column, side, reducing, increase
        )
        cut = reason if reason != 0 else cut
    if increase > 0 and not halts and side > 0 and rules.cash_account:
        account = book.account[0]
        room = account.cash + account.working_sells - account.working_buys
        fits = whole_lots(room / now.closes[column], rules.lot)
        if fits < increase:
            before = increase
            needed = value_of(increase, now.closes[column])
            increase = _settle(
                book,
                now,
                column,
                INSUFFICIENT_CASH,
                RESIZE,
                needed / 1e6,
                room / 1e6,
                before,
                fits,
            )
            cut = INSUFFICIENT_CASH
    return increase, cut, halts


@inner
def _exposure_limits(
    book: Book,
    rules: Rules,
    limits: Limits,
    now: Moment,
    column: int,
    side: int,
    reducing: int,
    increase: int,
) -> tuple[int, int, bool]:
    """Position, sector and leverage: each bounds the symbol's exposure, given all others'."""
    price = now.closes[column]
    base = side * projected(book, column) + reducing
    own = abs(value_of(projected(book, column), book.symbols[column].last))
    cut = 0
    for which in range(3):
        if which == 0:
            limit, action, reason = limits.position, limits.position_action, MAX_POSITION
            others = 0
        elif which == 1:
            limit, action, reason = limits.sector, limits.sector_action, MAX_SECTOR
            others = book.sector_gross[now.sectors[column]] - own
        else:
            limit, action, reason = limits.leverage, limits.leverage_action, MAX_LEVERAGE
            others = book.account[0].gross - own
        if limit < 0.0 or increase == 0:
            continue
        allowed = limit * now.equity
        fits = whole_lots((allowed - others) / price - base, rules.lot)
        if fits < increase:
            value = others + abs(value_of(base + increase, price))
            increase = _settle(
                book,
                now,
                column,
                reason,
                action,
                value / now.equity,
                limit,
                increase,
                fits,
            )
            cut = reason
            if action == HALT_TRADING:
                return 0, cut, True
    return increase, cut, False


@inner
def _portfolio_limits(
    book: Book,
    rules: Rules,
    limits: Limits,
    now: Moment,
    column: int,
    side: int,
    reducing: int,
    increase: int,
) -> tuple[int, int, bool]:
    """Concentration, correlation and value at risk: each looks at the whole portfolio."""
    cut = 0
    if limits.concentration >= 0.0:
        value = concentration_with(book, now, column, side * (reducing + increase))
        if value > limits.concentration:
            before, fits = increase, 0
            for _ in range(HALVINGS):
                increase = whole_lots(increase / 2.0, rules.lot)
                tried = side * (reducing + increase)
                if concentration_with(book, now, column, tried) <= limits.concentration:
                    fits = increase
                    break
            action, limit = limits.concentration_action, limits.concentration
            increase = _settle(
                book, now, column, MAX_CONCENTRATION, action, value, limit, before, fits
            )
            cut = MAX_CONCENTRATION
            if action == HALT_TRADING:
                return 0, cut, True
    if limits.correlation >= 0.0 and increase > 0:
        value = correlation_with(book, limits, now, column, side)
        if value > limits.correlation:
            action, limit = limits.correlation_action, limits.correlation
            _settle(
                book,
                now,
                column,
                MAX_CORRELATION,
                max(action, REJECT),
                value,
                limit,
                increase,
                0,
            )
            return 0, MAX_CORRELATION, action == HALT_TRADING
    if limits.var >= 0.0 and increase > 0:
        value = value_at_risk_with(book, limits, now, column, side * (reducing + increase))
        if value > limits.var:
            before, fits = increase, 0
            for _ in range(HALVINGS):
                increase = whole_lots(increase / 2.0, rules.lot)
                tried = side * (reducing + increase)
                if value_at_risk_with(book, limits, now, column, tried) <= limits.var:
                    fits = increase
                    break
            action, limit = limits.var_action, limits.var
            increase = _settle(book, now, column, MAX_VAR, action, value, limit, before, fits)
            cut = MAX_VAR
            if action == HALT_TRADING:
                return 0, cut, True
    return increase, cut, False


@inner
def exposure_with(book: Book, now: Moment, at: int, column: int, signed: int) -> float:
    """Return the weight of symbol `at` when `signed` micro-shares of `column` are added."""
    held = projected(book, at)
    if at == column:
        held += signed
    if held == 0:
        return 0.0
    return value_of(held, book.symbols[at].last) / now.equity


@inner
def concentration_with(book: Book, now: Moment, column: int, signed: int) -> float:
    """Return the Herfindahl index of the projected weights with an order added."""
    total = 0.0
    for at in range(len(book.symbols)):
        weight = exposure_with(book, now, at, column, signed)
        total += weight * weight
    return total


@inner
def _window(now: Moment, limits: Limits) -> int:
    """Return the first row of `history` whose return is looked at."""
    return max(len(now.history) - limits.window, 1)


@inner
def _return_of(history: FloatArray, row: int, column: int) -> float:
    return float(history[row, column] / history[row - 1, column] - 1.0)


@inner
def portfolio_returns(
    book: Book, limits: Limits, now: Moment, column: int, signed: int, leave_out: bool
) -> FloatArray:
    """Return the returns of the window at today's weights; an unknown return counts as zero."""
    first = _window(now, limits)
    returns = np.zeros(max(len(now.history) - first, 0))
    for at in range(len(book.symbols)):
        if leave_out and at == column:
            continue
        weight = exposure_with(book, now, at, column, signed)
        if weight == 0.0:
            continue
        for row in range(len(returns)):
            gain = _return_of(now.history, first + row, at)
            if np.isfinite(gain):
                returns[row] += weight * gain
    return returns


@inner
def correlation_with(book: Book, limits: Limits, now: Moment, column: int, side: int) -> float:
    """Return the correlation of a symbol with the rest of the portfolio; -1 where undefined."""
    rest = portfolio_returns(book, limits, now, column, 0, True)
    first = _window(now, limits)
    count, mean_x, mean_y = 0, 0.0, 0.0
    for row in range(len(rest)):
        gain = _return_of(now.history, first + row, column)
        if np.isfinite(gain):
            count += 1
            mean_x += gain
            mean_y += rest[row]
    if count < FEWEST_RETURNS:
        return -1.0
    mean_x /= count
    mean_y /= count
    xx, yy, xy = 0.0, 0.0, 0.0
    for row in range(len(rest)):
        gain = _return_of(now.history, first + row, column)
        if np.isfinite(gain):
            xx += (gain - mean_x) ** 2
            yy += (rest[row] - mean_y) ** 2
            xy += (gain - mean_x) * (rest[row] - mean_y)
    if xx <= 0.0 or yy <= 0.0:
        return -1.0
    return float(side * xy / np.sqrt(xx * yy))


@inner
def value_at_risk_with(book: Book, limits: Limits, now: Moment, column: int, signed: int) -> float:
    """Return the historical one-bar value at risk with an order added, a fraction of equity."""
    returns = portfolio_returns(book, limits, now, column, signed, False)
    if len(returns) < FEWEST_RETURNS:
        return 0.0
    ordered = np.sort(returns)
    place = (len(ordered) - 1) * (1.0 - limits.var_level)
    below = int(np.floor(place))
    above = min(below + 1, len(ordered) - 1)
    quantile = ordered[below] + (ordered[above] - ordered[below]) * (place - below)
    return max(-float(quantile), 0.0)
