"""How one bar fills the working orders, compiled; backtest and paper broker call the same."""

import numpy as np
import numpy.typing as npt

from trading.compiled import compiled, inner
from trading.execution.accounting import (
    apply_fill,
    charge_borrow,
    close_out,
    pay_dividend,
    split_position,
)
from trading.execution.book import (
    CANCELLED,
    CLOSE,
    DELISTED,
    FILL_OR_KILL,
    FILLED,
    FOK,
    IMMEDIATE_OR_CANCEL,
    INSUFFICIENT_CASH,
    IOC,
    MARKET,
    MICRO,
    NEXT_OPEN,
    NO_POSITION,
    OPEN,
    PARTIALLY_FILLED,
    RANGE,
    SPLIT,
    STALE,
    STOP,
    Book,
)
from trading.execution.costs import Rules, commission_of, slippage_of, value_of, whole_lots
from trading.execution.working_orders import cancel_symbol, end_order, sweep_active, works

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@compiled
def open_session(book: Book, rules: Rules, days: int, month: int) -> None:
    """Begin a session: `days` after the one before (0: the first), in a calendar month."""
    book.account[0].trades_today = 0
    if book.account[0].month != month:
        book.account[0].month = month
        book.account[0].month_shares = 0
    if days > 0 and rules.borrow_rate > 0.0:
        charge_borrow(book, rules.borrow_rate, days)


@inner
def split_symbol(book: Book, rules: Rules, row: int, column: int, ratio: float) -> None:
    """Split a position and the working orders of its symbol."""
    split_position(book, row, column, ratio, rules.lot)
    orders = book.orders
    for at in range(book.account[0].active):
        order = book.active[at]
        if not works(book, order) or orders[order].column != column:
            continue
        filled = int(np.rint(orders[order].filled * ratio))
        old = orders[order].quantity - orders[order].filled
        rest = whole_lots(np.rint(old * ratio), rules.lot)
        if orders[order].side > 0:
            book.symbols[column].working_buys += rest - old
        else:
            book.symbols[column].working_sells += rest - old
        orders[order].filled = filled
        orders[order].quantity = filled + rest
        orders[order].limit /= ratio
        orders[order].stop /= ratio
        if rest == 0:
            end_order(book, order, CANCELLED, SPLIT)


@compiled
def apply_action(book: Book, rules: Rules, row: int, column: int, kind: int, value: float) -> None:
    """Carry out a corporate action: 0 split, 1 dividend, 2 delisting."""
    book.account[0].row = row
    if book.symbols[column].dead:
        return
    if kind == 0:
        split_symbol(book, rules, row, column, value)
    elif kind == 1:
        pay_dividend(book, column, value)
    else:
        cancel_symbol(book, column, DELISTED)
        price = book.symbols[column].last * (1.0 + value)
        close_out(book, row, column, book.symbols[column].position, price, DELISTED)
        book.symbols[column].dead = 1


@inner
def fill_order(
    book: Book,
    rules: Rules,
    row: int,
    order: int,
    moment: int,
    reference: float,
    high: float,
    low: float,
    volume: float,
) -> None:
    """Fill as much of an order as volume, position and cash allow, at a reference price."""
    orders = book.orders
    column, side = orders[order].column, orders[order].side
    rest = orders[order].quantity - orders[order].filled
    quantity = rest
    if rules.volume_share > 0.0:
        done = book.symbols[column].traded if book.symbols[column].traded_row == row else 0
        offered = whole_lots(rules.volume_share * volume * MICRO, rules.lot) - done
        quantity = max(min(quantity, offered), 0)
    ending = 0
    if side < 0 and rules.cash_account:
        held = max(book.symbols[column].position, 0)
        quantity = min(quantity, held)
        if quantity == held:
            ending = NO_POSITION
    if orders[order].time == FOK and quantity < rest:
        end_order(book, order, CANCELLED, FILL_OR_KILL if ending == 0 or quantity > 0 else ending)
        return
    if quantity > 0:
        quantity, ending = _execute(
            book, rules, row, order, moment, quantity, ending, reference, high, low, volume
        )
    if orders[order].filled == orders[order].quantity:
        orders[order].status = FILLED
        orders[order].ended = row
    elif ending != 0:
        end_order(book, order, CANCELLED, ending)
    elif quantity > 0:
        orders[order].status = PARTIALLY_FILLED


@inner
def _execute(
    book: Book,
    rules: Rules,
    row: int,
    order: int,
    moment: int,
    quantity: int,
    ending: int,
    reference: float,
    high: float,
    low: float,
    volume: float,
) -> tuple[int, int]:
    """Price and book a fill; return its quantity and why the rest ends (0: it does not)."""
    orders = book.orders
    column, side = orders[order].column, orders[order].side
    price, beyond = reference, 0.0
    if orders[order].type == MARKET or orders[order].type == STOP:
        rate = slippage_of(
            rules,
            quantity,
            reference,
            volume,
            orders[order].volatility,
            orders[order].dollar_volume,
        )
        wanted = reference * (1.0 + side * rate)
        price = min(wanted, high) if side > 0 else max(wanted, low)
        beyond = abs(wanted - price)
    month = book.account[0].month_shares
    value = value_of(quantity, price)
    charge = value_of(quantity, beyond)
    commission = commission_of(rules, quantity, value, month)
    if side > 0 and rules.cash_account and value + charge + commission > book.account[0].cash:
        left = book.account[0].cash - charge - commission
        quantity = whole_lots(left / price, rules.lot) if left > 0 else 0
        if quantity <= 0 or orders[order].time == FOK:
            return 0, INSUFFICIENT_CASH
        ending = INSUFFICIENT_CASH
        charge = value_of(quantity, beyond)
        commission = commission_of(rules, quantity, value_of(quantity, price), month)
    realized = apply_fill(book, column, side, quantity, price, commission, charge)
    orders[order].filled += quantity
    if side > 0:
        book.symbols[column].working_buys -= quantity
    else:
        book.symbols[column].working_sells -= quantity
    book.account[0].month_shares += quantity
    if book.symbols[column].traded_row != row:
        book.symbols[column].traded_row, book.symbols[column].traded = row, 0
    book.symbols[column].traded += quantity
    at = book.account[0].fills
    book.account[0].fills = at + 1
    fills = book.fills
    fills[at].order = order
    fills[at].row = row
    fills[at].moment = moment
    fills[at].quantity = quantity
    fills[at].price = price
    fills[at].commission = commission
    fills[at].charge = charge
    fills[at].realized = realized
    return quantity, ending


@inner
def _reference_at_open(book: Book, rules: Rules, order: int, price: float) -> float:
    """Return the price at which an order executes at the open; NaN where it does not."""
    orders = book.orders
    kind, side = orders[order].type, orders[order].side
    if kind == MARKET:
        return price if rules.timing == NEXT_OPEN else np.nan
    if kind >= STOP and orders[order].triggered == 0:
        if side * (price - orders[order].stop) < 0.0:
            return np.nan
        orders[order].triggered = 1
    if kind == STOP:
        return price
    return price if side * (orders[order].limit - price) >= 0.0 else np.nan


@inner
def _reference_in_range(book: Book, order: int, high: float, low: float) -> float:
    """Return the price at which an order executes within the bar; NaN where it does not."""
    orders = book.orders
    kind, side = orders[order].type, orders[order].side
    if kind == MARKET:
        return np.nan
    if kind >= STOP and orders[order].triggered == 0:
        stop = float(orders[order].stop)
        if (side > 0 and high < stop) or (side < 0 and low > stop):
            return np.nan
        orders[order].triggered = 1
        if kind == STOP:
            return stop
        return stop if side * (orders[order].limit - stop) >= 0.0 else np.nan
    if kind == STOP:
        return np.nan
    limit = float(orders[order].limit)
    touched = low <= limit if side > 0 else high >= limit
    return limit if touched else np.nan


@compiled
def match_row(
    book: Book,
    rules: Rules,
    row: int,
    opens: FloatArray,
    highs: FloatArray,
    lows: FloatArray,
    closes: FloatArray,
    volumes: FloatArray,
) -> None:
    """Let one bar `(N,)` fill the orders that work: at the open, within the range, at the close."""
    book.account[0].row = row
    orders = book.orders
    active = book.account[0].active
    if active == 0:
        return
    for moment in range(3):
        for side in (-1, 1):
            for at in range(active):
                order = book.active[at]
                if orders[order].side != side or not works(book, order):
                    continue
                if orders[order].looked_at == row:
                    continue
                column = orders[order].column
                if not has_bar(opens, highs, lows, closes, column):
                    continue
                high, low = highs[column], lows[column]
                if moment == OPEN:
                    reference = _reference_at_open(book, rules, order, opens[column])
                elif moment == RANGE:
                    reference = _reference_in_range(book, order, high, low)
                else:
                    at_close = orders[order].type == MARKET and rules.timing != NEXT_OPEN
                    reference = closes[column] if at_close else np.nan
                if np.isnan(reference):
                    continue
                orders[order].looked_at = row
                volume = volumes[column] if volumes[column] >= 0.0 else 0.0
                fill_order(book, rules, row, order, moment, reference, high, low, volume)
    for at in range(active):
        order = book.active[at]
        if works(book, order) and (orders[order].time == IOC or orders[order].time == FOK):
            end_order(book, order, CANCELLED, IMMEDIATE_OR_CANCEL)
    sweep_active(book)


@compiled
def match_same_close(
    book: Book,
    rules: Rules,
    row: int,
    highs: FloatArray,
    lows: FloatArray,
    closes: FloatArray,
    volumes: FloatArray,
) -> None:
    """Fill the market orders that were accepted in this row at its close."""
    orders = book.orders
    active = book.account[0].active
    for side in (-1, 1):
        for at in range(active):
            order = book.active[at]
            fresh = orders[order].row == row and orders[order].type == MARKET
            if not fresh or orders[order].side != side or not works(book, order):
                continue
            column = orders[order].column
            volume = volumes[column] if volumes[column] >= 0.0 else 0.0
            fill_order(
                book, rules, row, order, CLOSE, closes[column], highs[column], lows[column], volume
            )
    for at in range(active):
        order = book.active[at]
        at_once = orders[order].time == IOC or orders[order].time == FOK
        fresh = orders[order].row == row and orders[order].type == MARKET
        if fresh and at_once and works(book, order):
            end_order(book, order, CANCELLED, IMMEDIATE_OR_CANCEL)
    sweep_active(book)


@compiled
def has_bar(
    opens: FloatArray, highs: FloatArray, lows: FloatArray, closes: FloatArray, column: int
) -> bool:
    """Tell whether all four prices are known."""
    return bool(np.isfinite(opens[column] + highs[column] + lows[column] + closes[column]))


@compiled
def mark_row(
    book: Book,
    rules: Rules,
    row: int,
    session: int,
    last_of_session: bool,
    opens: FloatArray,
    highs: FloatArray,
    lows: FloatArray,
    closes: FloatArray,
) -> int:
    """Take over the closes, close stale positions, return the equity in micro-dollars."""
    book.account[0].row = row
    for column in range(len(closes)):
        if has_bar(opens, highs, lows, closes, column):
            book.symbols[column].last = closes[column]
            book.symbols[column].last_session = session
        elif (
            last_of_session
            and book.symbols[column].position != 0
            and session - book.symbols[column].last_session > rules.max_stale
        ):
            cancel_symbol(book, column, STALE)
            price = book.symbols[column].last * (1.0 + rules.delisting_return)
            close_out(book, row, column, book.symbols[column].position, price, STALE)
    return equity_of(book)


@compiled
def equity_of(book: Book) -> int:
    """Return cash plus the values of all positions at the last known closes, in micro-dollars."""
    equity = book.account[0].cash
    for column in range(len(book.symbols)):
        if book.symbols[column].position != 0:
            equity += value_of(book.symbols[column].position, book.symbols[column].last)
    return int(equity)
