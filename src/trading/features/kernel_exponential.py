"""The exponential means of `exponential.py` over one block of names, compiled."""

import numpy as np

from trading.compiled import inner
from trading.features.exponential import FAST, SIGNAL, SLOW, WILDER
from trading.features.kernel_windows import BACK, BEGIN
from trading.market.panel import FloatArray

PRICE, GAINS, MOVES, CHANGES = BACK[:4]
QUICK, QUICK_WEIGHT, LONG, LONG_WEIGHT, PRICES = BACK[4:9]
MEAN, MEAN_WEIGHT, LINES = BACK[9:12]
"""Where a row of each field of `Remembered` lies, in the order of its fields."""
MEMORIES = 12
WILDER_DECAY = 1.0 - 1.0 / WILDER
FAST_DECAY, SLOW_DECAY = 1.0 - 2.0 / (FAST + 1.0), 1.0 - 2.0 / (SLOW + 1.0)
SIGNAL_DECAY = 1.0 - 2.0 / (SIGNAL + 1.0)


@inner
def relative_strengths(price: FloatArray, past: FloatArray, strengths: FloatArray) -> None:
    """Take Wilder's index at every row; `past` (MEMORIES rows of names) goes on to the last."""
    for start in range(BEGIN, np.uint64(len(price)), BACK[1]):
        for lane in range(BACK[1]):
            now = price[start + lane]
            move = now - past[PRICE + lane]
            known = move == move
            move = move if known else 0.0
            changes = past[CHANGES + lane] + (1.0 if known else 0.0)
            gains = past[GAINS + lane] * WILDER_DECAY + (move if move > 0.0 else 0.0)
            moves = past[MOVES + lane] * WILDER_DECAY + abs(move)
            share = gains / moves
            share = 0.5 if moves == 0.0 else share
            known = known & (changes >= WILDER)
            strengths[start + lane] = 100.0 * share if known else np.nan
            past[PRICE + lane] = now
            past[CHANGES + lane] = changes
            past[GAINS + lane] = gains
            past[MOVES + lane] = moves


@inner
def macd_histograms(price: FloatArray, past: FloatArray, histograms: FloatArray) -> None:
    """Take the MACD line less its signal as a share of the price; `past` goes on."""
    for start in range(BEGIN, np.uint64(len(price)), BACK[1]):
        for lane in range(BACK[1]):
            now = price[start + lane]
            known = now == now
            value, counted = (now if known else 0.0), (1.0 if known else 0.0)
            prices = past[PRICES + lane] + counted
            fast = past[QUICK + lane] * FAST_DECAY + value
            fast_weight = past[QUICK_WEIGHT + lane] * FAST_DECAY + counted
            slow = past[LONG + lane] * SLOW_DECAY + value
            slow_weight = past[LONG_WEIGHT + lane] * SLOW_DECAY + counted
            known = known & (prices >= SLOW)
            line = fast / fast_weight - slow / slow_weight
            line, counted = (line if known else 0.0), (1.0 if known else 0.0)
            lines = past[LINES + lane] + counted
            signal = past[MEAN + lane] * SIGNAL_DECAY + line
            signal_weight = past[MEAN_WEIGHT + lane] * SIGNAL_DECAY + counted
            known = known & (lines >= SIGNAL)
            share = (line - signal / signal_weight) / now
            histograms[start + lane] = share if known else np.nan
            past[PRICES + lane] = prices
            past[QUICK + lane] = fast
            past[QUICK_WEIGHT + lane] = fast_weight
            past[LONG + lane] = slow
            past[LONG_WEIGHT + lane] = slow_weight
            past[LINES + lane] = lines
            past[MEAN + lane] = signal
            past[MEAN_WEIGHT + lane] = signal_weight
