"""The formulas of `formulas.py` over one block of names, compiled; see there for what each is.

Both say the same, bit for bit, which `tests/features/test_compiled_features.py` holds them to.
Logarithms are numpy's in both, so a block goes through in two steps, with logarithms after each.
"""

import numpy as np

from trading.compiled import compiled, inner
from trading.features.formulas import (
    BOLLINGER_LEAST,
    HALF_YEAR_LEAST,
    LONGEST_ARCHIVE,
    LONGEST_TENURE,
    MONTH,
    MONTH_LEAST,
    NEW_SESSIONS,
    STILL,
    YEAR,
    YEAR_LEAST,
)
from trading.features.kernel_cells import Cells
from trading.features.kernel_exponential import macd_histograms, relative_strengths
from trading.features.kernel_median import month_medians
from trading.features.kernel_windows import (
    BACK,
    BEGIN,
    LANES,
    START,
    carry,
    count_known,
    highest_of_four,
    known_fours,
    moments_of_four,
    moments_of_twenty,
    month,
    month_means,
    square_fours,
)
from trading.features.listings import UNSEEN
from trading.features.returns import LARGEST, LONGEST_GAP, STALE, Float32Array
from trading.features.specification import FEATURE_NAMES
from trading.market.panel import FloatArray

RETURN_1, RETURN_5, RETURN_21 = (FEATURE_NAMES.index(f"return_{back}") for back in (1, 5, 21))
RETURN_63, RETURN_126 = (FEATURE_NAMES.index(f"return_{back}") for back in (63, 126))
MOMENTUM = FEATURE_NAMES.index("momentum_252_21")
STRENGTH, HISTOGRAM = FEATURE_NAMES.index("rsi_14"), FEATURE_NAMES.index("macd_histogram")
BOLLINGER = FEATURE_NAMES.index("bollinger_z_20")
VOLATILITY = FEATURE_NAMES.index("volatility_21")
OVERNIGHT = FEATURE_NAMES.index("overnight_21")
HIGH = FEATURE_NAMES.index("high_252")
NEW, TENURE = FEATURE_NAMES.index("new_listing"), FEATURE_NAMES.index("tenure")
NEVER_SEEN = float(UNSEEN)
LISTED, REMOVED, LAST_BAR, RESUMED = BACK[:4]
"""Where a row of each field of `Listings` lies, in the order of its fields."""


@compiled
def prepare(cells: Cells) -> None:
    """Take what is known of the bars: listings, prices, returns, values traded."""
    follow_listings(cells)
    traded, close, volume = cells.traded, cells.close, cells.volume
    for i in range(BEGIN, np.uint64(len(close))):
        traded[i] = close[i] * volume[i]
    keep_positive(cells.open)
    keep_positive(cells.high)
    keep_positive(cells.close)
    keep_positive(cells.price)
    price, night = cells.price, cells.open
    for i in range(BEGIN, np.uint64(len(close))):
        ratio = night[i] / close[i]
        ratio *= ratio
        night[i] = ratio * (price[i] / price[i - BACK[1]])
    carry(price, LONGEST_GAP, cells.carried, cells.right)
    held, returns = cells.right, cells.returns
    for i in range(BEGIN, np.uint64(len(close))):
        change = price[i] / held[i - BACK[1]] - 1.0
        returns[i] = np.nan if change > LARGEST else change


@inner
def keep_positive(values: FloatArray) -> None:
    """Forget what is no positive finite number."""
    for i in range(BEGIN, np.uint64(len(values))):
        value = values[i]
        values[i] = value if (value > 0.0) & (value < np.inf) else np.nan


@inner
def keep_finite(values: FloatArray) -> None:
    """Forget what is infinite."""
    for i in range(BEGIN, np.uint64(len(values))):
        value = values[i]
        values[i] = value if abs(value) < np.inf else np.nan


@inner
def follow_listings(cells: Cells) -> None:
    """Take the rows of each name's last bar, and of its last one after a gap too long to bridge."""
    close, last, resumed, listings = cells.close, cells.last, cells.resumed, cells.listings
    row = -1.0
    for start in range(BEGIN, np.uint64(len(close)), BACK[1]):
        row += 1.0
        for lane in range(BACK[1]):
            bar = close[start + lane] == close[start + lane]
            before = listings[LAST_BAR + lane]
            resumes = bar & (before != NEVER_SEEN) & (row - before > LONGEST_GAP + 1.0)
            begun = row if resumes else listings[RESUMED + lane]
            before = row if bar else before
            last[start + lane] = before
            resumed[start + lane] = begun
            listings[LAST_BAR + lane] = before
            listings[RESUMED + lane] = begun


@compiled
def compute_block(cells: Cells, planes: Float32Array, names: int, first: int) -> None:
    """Store every feature but those that end in a logarithm, and leave these in `cells`.

    Parameters
    ----------
    planes : flat, (17, T, names)
    first : the name of the panel that is the block's first
    """
    carry(cells.price, STALE, cells.carried, cells.price)
    out = cells.left
    for feature, back in (
        (RETURN_1, 1),
        (RETURN_5, 5),
        (RETURN_21, 21),
        (RETURN_63, 63),
        (RETURN_126, 126),
    ):
        take_change(cells, 0, back)
        store(out, planes, names, first, feature)
    take_change(cells, MONTH, YEAR)
    store(out, planes, names, first, MOMENTUM)
    relative_strengths(cells.price, cells.past, out)
    store(out, planes, names, first, STRENGTH)
    macd_histograms(cells.price, cells.past, out)
    store(out, planes, names, first, HISTOGRAM)
    take_bollinger(cells)
    store(out, planes, names, first, BOLLINGER)
    take_volatility(cells)
    store(out, planes, names, first, VOLATILITY)
    keep_finite(cells.open)
    month_means(cells.open, cells.sums, cells.counts, MONTH_LEAST, out)
    store(out, planes, names, first, OVERNIGHT)
    take_high(cells)
    store(out, planes, names, first, HIGH)
    take_new(cells)
    store(out, planes, names, first, NEW)
    take_tenure(cells)
    store(out, planes, names, first, TENURE)
    take_shock(cells)
    take_impact(cells)
    take_median(cells)


@compiled
def store(
    values: FloatArray | Float32Array, planes: Float32Array, names: int, first: int, feature: int
) -> None:
    """Round a block's feature to single precision; infinite is unknown."""
    rows = (len(values) - START) // LANES
    width = min(LANES, names - first)
    begin = feature * rows * names + first
    for row in range(rows):
        start = START + row * LANES
        block = values[start : start + width]
        plane = planes[begin + row * names : begin + row * names + width]
        for lane in range(width):
            value = np.float32(block[lane])
            plane[lane] = value if abs(value) < np.inf else np.float32(np.nan)


@inner
def take_change(cells: Cells, later: int, earlier: int) -> None:
    """Take the return from `earlier` rows ago to `later` rows ago."""
    price, out = cells.price, cells.left
    now = price[START - later * LANES : len(price) - later * LANES]
    then = price[START - earlier * LANES : len(price) - earlier * LANES]
    change = out[START:]
    for i in range(len(change)):
        change[i] = now[i] / then[i] - 1.0
    forget(out, cells, earlier)


@inner
def forget(values: FloatArray, cells: Cells, back: float) -> None:
    """Forget what looks back beyond a gap after which all may be another's."""
    resumed, listings = cells.resumed, cells.listings
    if listings[3 * LANES :].max() == NEVER_SEEN:
        return
    row = -1.0
    for start in range(BEGIN, np.uint64(len(values)), BACK[1]):
        row += 1.0
        for lane in range(BACK[1]):
            value = values[start + lane]
            values[start + lane] = np.nan if row - resumed[start + lane] < back else value


@inner
def take_bollinger(cells: Cells) -> None:
    """Take the distance from the mean of 20 rows in deviations."""
    price, out = cells.price, cells.left
    counts, sums, squares = cells.counts, cells.sums, cells.squares
    moments_of_four(price, counts, sums, squares)
    for i in range(BEGIN, np.uint64(len(price))):
        count, total, square = moments_of_twenty(counts, sums, squares, i)
        mean = total / count
        deviation = np.sqrt(square / count)
        distance = (price[i] - mean) / deviation
        distance = 0.0 if deviation <= mean * STILL else distance
        out[i] = distance if count >= BOLLINGER_LEAST else np.nan


@inner
def take_volatility(cells: Cells) -> None:
    """Take the sample deviation of a month's returns."""
    returns, out = cells.returns, cells.left
    counts, sums, squares = cells.counts, cells.sums, cells.squares
    known_fours(returns, sums, counts)
    square_fours(returns, squares)
    for i in range(BEGIN, np.uint64(len(returns))):
        value = returns[i]
        known = value == value
        value = value if known else 0.0
        total = month(value, sums, i)
        count = month(1.0 if known else 0.0, counts, i)
        spread = month(value * value, squares, i) - total * total / count
        spread = 0.0 if spread < 0.0 else spread
        spread = np.sqrt(spread / (count - 1.0))
        out[i] = spread if count >= MONTH_LEAST else np.nan


@inner
def take_high(cells: Cells) -> None:
    """Take the distance from the highest of a year."""
    fours, sixteens, out, counts = cells.right, cells.third, cells.left, cells.counts
    highest_of_four(cells.high, 1, fours)
    highest_of_four(fours, 4, sixteens)
    highest_of_four(sixteens, 16, fours)
    count_known(cells.high, counts)
    carry(cells.close, STALE, cells.carried, out)
    for i in range(BEGIN, np.uint64(len(out))):
        near = max(fours[i], fours[i - BACK[64]])
        highest = max(near, max(fours[i - BACK[128]], fours[i - BACK[YEAR - 64]]))
        below = out[i] / highest - 1.0
        known = counts[i] - counts[i - BACK[YEAR]]
        out[i] = below if known >= YEAR_LEAST else np.nan
    forget(out, cells, YEAR - 1)


@inner
def take_new(cells: Cells) -> None:
    """Take whether a listing is new."""
    last, resumed, listings, out = cells.last, cells.resumed, cells.listings, cells.left
    row = -1.0
    for start in range(BEGIN, np.uint64(len(out)), BACK[1]):
        row += 1.0
        for lane in range(BACK[1]):
            age = min(row - listings[LISTED + lane], row - resumed[start + lane])
            age = age if last[start + lane] != NEVER_SEEN else -1.0
            new = 1.0 if age < NEW_SESSIONS else 0.0
            out[start + lane] = new if age >= 0.0 else np.nan


@inner
def take_tenure(cells: Cells) -> None:
    """Take the years since a listing, or since its end."""
    last, resumed, listings, out = cells.last, cells.resumed, cells.listings, cells.left
    row = -1.0
    for start in range(BEGIN, np.uint64(len(out)), BACK[1]):
        row += 1.0
        for lane in range(BACK[1]):
            age = min(row - listings[LISTED + lane], row - resumed[start + lane])
            age = age if last[start + lane] != NEVER_SEEN else -1.0
            stale = row - last[start + lane] - STALE - 1.0
            gone = max(row - listings[REMOVED + lane], stale) + 1.0
            years = min(age, LONGEST_TENURE * YEAR) / YEAR
            archived = min(gone, LONGEST_ARCHIVE * YEAR) / -YEAR
            years = archived if gone > 0.0 else years
            out[start + lane] = years if age >= 0.0 else np.nan


@inner
def take_shock(cells: Cells) -> None:
    """Take a month's volume against the half-year's."""
    volume, out = cells.volume, cells.shock
    counts, sums = cells.counts, cells.sums
    months, month_counts = cells.months, cells.month_counts
    keep_finite(volume)
    known_fours(volume, sums, counts)
    for i in range(BEGIN, np.uint64(len(out))):
        value = volume[i]
        known = value == value
        months[i] = month(value if known else 0.0, sums, i)
        month_counts[i] = month(1.0 if known else 0.0, counts, i)
    for i in range(BEGIN, np.uint64(len(out))):
        half_year = six_months(months, i)
        known = six_months(month_counts, i)
        shock = months[i] / half_year * (known / month_counts[i])
        whole = (month_counts[i] >= MONTH_LEAST) & (known >= HALF_YEAR_LEAST)
        out[i] = shock if whole else np.nan


@inner
def six_months(months: FloatArray, i: int) -> float:
    """Return the sum of 126 rows from that of every 21."""
    near: float = months[i] + months[i - BACK[21]]
    far: float = months[i - BACK[42]] + months[i - BACK[63]]
    last: float = months[i - BACK[84]] + months[i - BACK[105]]
    return near + (far + last)


@inner
def take_impact(cells: Cells) -> None:
    """Take the mean move for a dollar traded."""
    returns, traded, impact = cells.returns, cells.traded, cells.impact
    for i in range(BEGIN, np.uint64(len(impact))):
        moved = abs(returns[i]) / traded[i]
        impact[i] = moved if traded[i] > 0.0 else np.nan
    month_means(impact, cells.sums, cells.counts, MONTH_LEAST, cells.left)
    impact[START:] = cells.left[START:]


@inner
def take_median(cells: Cells) -> None:
    """Take the median of the value traded, which keeps what is finite of it."""
    traded, counts, medians = cells.traded, cells.counts, cells.medians
    keep_finite(traded)
    month_medians(traded, cells.turns, cells.buffer, medians)
    count_known(traded, counts)
    for i in range(BEGIN, np.uint64(len(medians))):
        known = counts[i] - counts[i - BACK[MONTH]]
        medians[i] = medians[i] if known >= MONTH_LEAST else np.float32(np.nan)
