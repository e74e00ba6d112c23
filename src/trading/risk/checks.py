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


class Increase(NamedTuple):
    """The part of an order that opens or increases a position, as the limits look at it.

    Attributes
    ----------
    column : of the symbol
    side : 1 buy, -1 sell
    reducing : micro-shares of the same order that reduce a position first
    quantity : micro-shares that increase, whole lots
    reason : the last limit that cut it, 0 none
    halts : whether that limit halts trading
    """

    column: int
    side: int
    reducing: int
    quantity: int
    reason: int
    halts: bool


@inner
def _cut(
    book: Book,
    now: Moment,
    asked: Increase,
    reason: int,
    action: int,
    value: float,
    limit: float,
    fits: int,
) -> Increase:
    """Return what a tripped limit leaves of an increase, `fits` if it resizes; write it down."""
    after = max(fits, 0) if action == RESIZE else 0
    outcome = RESIZED if after > 0 else (HALTING if action == HALT_TRADING else REFUSED)
    record_event(book, now.row, asked.column, reason, outcome, value, limit, asked.quantity, after)
    halts = action == HALT_TRADING
    return Increase(asked.column, asked.side, asked.reducing, after, reason, halts)


@inner
def check_increase(
    book: Book, rules: Rules, limits: Limits, now: Moment, asked: Increase
) -> Increase:
    """Return what the limits leave of an increase; each that trips is written down."""
    account = book.account[0]
    if account.halted != 0:
        return _cut(book, now, asked, HALT, REJECT, 1.0, 0.0, 0)
    if now.equity <= 0:
        return _cut(book, now, asked, NO_EQUITY, REJECT, now.equity / 1e6, 0.0, 0)
    if limits.daily_trades >= 0.0 and account.trades_today + 1 > limits.daily_trades:
        action, traded = max(limits.daily_trades_action, REJECT), account.trades_today + 1.0
        return _cut(book, now, asked, MAX_DAILY_TRADES, action, traded, limits.daily_trades, 0)
    own = abs(value_of(projected(book, asked.column), book.symbols[asked.column].last))
    asked = _bound(
        book, rules, now, asked, MAX_POSITION, limits.position, limits.position_action, 0
    )
    others = book.sector_gross[now.sectors[asked.column]] - own
    asked = _bound(book, rules, now, asked, MAX_SECTOR, limits.sector, limits.sector_action, others)
    others = book.account[0].gross - own
    asked = _bound(
        book, rules, now, asked, MAX_LEVERAGE, limits.leverage, limits.leverage_action, others
    )
    asked = _limit_concentration(book, rules, limits, now, asked)
    asked = _limit_correlation(book, limits, now, asked)
    asked = _limit_value_at_risk(book, rules, limits, now, asked)
    return _limit_cash(book, rules, now, asked)


@inner
def _bound(
    book: Book,
    rules: Rules,
    now: Moment,
    asked: Increase,
    reason: int,
    limit: float,
    action: int,
    others: int,
) -> Increase:
    """Bound the symbol's exposure and that of `others` (micro-dollars) by `limit` equities."""
    if limit < 0.0 or asked.quantity == 0:
        return asked
    price = now.closes[asked.column]
    base = asked.side * projected(book, asked.column) + asked.reducing
    allowed = limit * now.equity
    fits = whole_lots((allowed - others) / price, rules.lot) - base if allowed > others else 0
    if fits >= asked.quantity:
        return asked
    value = (others + abs(value_of(base + asked.quantity, price))) / now.equity
    return _cut(book, now, asked, reason, action, value, limit, fits)


@inner
def _limit_concentration(
    book: Book, rules: Rules, limits: Limits, now: Moment, asked: Increase
) -> Increase:
    """Bound the Herfindahl index of the portfolio with the order."""
    limit = limits.concentration
    if limit < 0.0 or asked.quantity == 0:
        return asked
    value = concentration_with(book, now, asked, asked.quantity)
    if value <= limit:
        return asked
    fits, tried = 0, asked.quantity
    for _ in range(HALVINGS):
        tried = whole_lots(tried / 2.0, rules.lot)
        if concentration_with(book, now, asked, tried) <= limit:
            fits = tried
            break
    action = limits.concentration_action
    return _cut(book, now, asked, MAX_CONCENTRATION, action, value, limit, fits)


@inner
def _limit_correlation(book: Book, limits: Limits, now: Moment, asked: Increase) -> Increase:
    """Bound the correlation of the order's returns with those of the rest of the portfolio."""
    if limits.correlation < 0.0 or asked.quantity == 0:
        return asked
    value = correlation_with(book, limits, now, asked)
    if value <= limits.correlation:
        return asked
    action = max(limits.correlation_action, REJECT)
    return _cut(book, now, asked, MAX_CORRELATION, action, value, limits.correlation, 0)


@inner
def _limit_value_at_risk(
    book: Book, rules: Rules, limits: Limits, now: Moment, asked: Increase
) -> Increase:
    """Bound the historical value at risk of the portfolio with the order."""
    limit = limits.var
    if limit < 0.0 or asked.quantity == 0:
        return asked
    value = value_at_risk_with(book, limits, now, asked, asked.quantity)
    if value <= limit:
        return asked
    fits, tried = 0, asked.quantity
    for _ in range(HALVINGS):
        tried = whole_lots(tried / 2.0, rules.lot)
        if value_at_risk_with(book, limits, now, asked, tried) <= limit:
            fits = tried
            break
    return _cut(book, now, asked, MAX_VAR, limits.var_action, value, limit, fits)


@inner
def _limit_cash(book: Book, rules: Rules, now: Moment, asked: Increase) -> Increase:
    """Bound the purchases of a cash account by what it has and what its sales will bring."""
    if asked.side < 0 or not rules.cash_account or asked.quantity == 0:
        return asked
    account = book.account[0]
    room = account.cash + account.working_sells - account.working_buys
    fits = whole_lots(room / now.closes[asked.column], rules.lot)
    if fits >= asked.quantity:
        return asked
    needed = value_of(asked.quantity, now.closes[asked.column]) / 1e6
    return _cut(book, now, asked, INSUFFICIENT_CASH, RESIZE, needed, room / 1e6, fits)


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
def concentration_with(book: Book, now: Moment, asked: Increase, quantity: int) -> float:
    """Return the Herfindahl index of the projected weights when the order increases by this."""
    signed = asked.side * (asked.reducing + quantity)
    total = 0.0
    for at in range(len(book.symbols)):
        weight = exposure_with(book, now, at, asked.column, signed)
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
def correlation_with(book: Book, limits: Limits, now: Moment, asked: Increase) -> float:
    """Return the correlation of an order with the rest of the portfolio; -1 where undefined."""
    column = asked.column
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
    return float(asked.side * xy / np.sqrt(xx * yy))


@inner
def value_at_risk_with(
    book: Book, limits: Limits, now: Moment, asked: Increase, quantity: int
) -> float:
    """Return the one-bar value at risk when the order increases by this, a share of equity."""
    signed = asked.side * (asked.reducing + quantity)
    returns = portfolio_returns(book, limits, now, asked.column, signed, False)
    if len(returns) < FEWEST_RETURNS:
        return 0.0
    ordered = np.sort(returns)
    place = (len(ordered) - 1) * (1.0 - limits.var_level)
    below = int(np.floor(place))
    above = min(below + 1, len(ordered) - 1)
    quantile = ordered[below] + (ordered[above] - ordered[below]) * (place - below)
    return max(-float(quantile), 0.0)
