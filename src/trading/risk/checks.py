"""The checks that every order must pass, compiled; backtest, paper and live call the same."""

from trading.compiled import inner
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
from trading.execution.working_orders import projected
from trading.risk.order_limits import HALT_TRADING, REJECT, RESIZE, Increase, Limits, Moment
from trading.risk.tally import exposure_of
from trading.risk.with_order import concentration_with, correlation_with, value_at_risk_with

HALVINGS = 4


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
    own = exposure_of(book, asked.column)
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
