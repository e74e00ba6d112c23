"""Measures of the portfolio as an order would leave it, compiled; for the checks."""

import numpy as np

from trading.compiled import inner
from trading.execution.book import Book
from trading.execution.costs import value_of
from trading.execution.working_orders import projected
from trading.risk.order_limits import FloatArray, Increase, Limits, Moment

FEWEST_RETURNS = 20


@inner
def _weight_with(book: Book, now: Moment, at: int, column: int, signed: int) -> float:
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
        weight = _weight_with(book, now, at, asked.column, signed)
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
def _returns_with(
    book: Book, limits: Limits, now: Moment, column: int, signed: int, leave_out: bool
) -> FloatArray:
    """Return the returns of the window at today's weights; an unknown return counts as zero."""
    first = _window(now, limits)
    returns = np.zeros(max(len(now.history) - first, 0))
    for at in range(len(book.symbols)):
        if leave_out and at == column:
            continue
        weight = _weight_with(book, now, at, column, signed)
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
    rest = _returns_with(book, limits, now, column, 0, True)
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
    returns = _returns_with(book, limits, now, asked.column, signed, False)
    if len(returns) < FEWEST_RETURNS:
        return 0.0
    ordered = np.sort(returns)
    place = (len(ordered) - 1) * (1.0 - limits.var_level)
    below = int(np.floor(place))
    above = min(below + 1, len(ordered) - 1)
    quantile = ordered[below] + (ordered[above] - ordered[below]) * (place - below)
    return max(-float(quantile), 0.0)
