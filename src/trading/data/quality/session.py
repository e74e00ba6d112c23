"""Judge one session of bars before anything is decided on it."""

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from trading.config import QualitySettings, Settings
from trading.data.cleaning import RANGE_TOLERANCE
from trading.data.lake import Lake
from trading.data.quality.levels import HUNDRED
from trading.data.quality.prices import SPLIT_RATIOS
from trading.data.quality.series import IntArray, group_median
from trading.data.quality.verdict import QualityVerdict
from trading.errors import DataError
from trading.market.bars import PRICE_COLUMNS
from trading.market.panel import FloatArray, Panel

# A symbol is expected in a session when it had a bar in one of this many sessions before.
RECENT_SESSIONS = 5
# Calendar days that contain the sessions looked at, also around long holidays.
WINDOW_DAYS = 30
SPLIT_LOGS = np.log(np.array(SPLIT_RATIOS))


@dataclass(frozen=True)
class QualityReport:
    """What was found in one session.

    Attributes
    ----------
    session : the session judged
    verdict : `fail` means that nothing should be decided on it, `warn` that someone should look
    reasons : one sentence for each thing that is not as it should be; empty for `pass`
    expected : symbols with a bar in one of the five sessions before
    present : symbols with a bar in the session
    coverage : share of the expected symbols that are present, None where none was expected
    missing : expected symbols without a bar
    new : present symbols that were not expected
    zero_volume : present symbols that did not trade
    unchanged : present symbols whose open, high, low and close are the previous close
    outliers : present symbols whose return exceeds `data.outlier_return` in size
    hundredfold : present symbols whose close is about 100 times the close before, or a hundredth
    split_shaped : present symbols that opened at the ratio of a split and stayed there, while no
        split is in the adjusted closes either
    impossible : present symbols with a price that is not positive and finite, or a high below
        another price, or a low above
    volume_spikes : present symbols with more than `data.quality.volume_spike` times the median
        volume of the sessions before
    largest_moves : up to five (symbol, simple return) of those, largest first
    """

    session: date
    verdict: QualityVerdict
    reasons: tuple[str, ...]
    expected: int
    present: int
    coverage: float | None
    missing: int
    new: int
    zero_volume: int
    unchanged: int
    outliers: int
    hundredfold: int
    split_shaped: int
    impossible: int
    volume_spikes: int
    largest_moves: tuple[tuple[str, float], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; the session as ISO text."""
        return asdict(self) | {
            "session": self.session.isoformat(),
            "verdict": self.verdict.value,
            "reasons": list(self.reasons),
            "largest_moves": [list(move) for move in self.largest_moves],
        }


def check_session(bars: Panel | Lake, session: date, settings: Settings) -> QualityReport:
    """Judge a session by its own bars and those of the sessions before it.

    Nothing after `session` is read. A session without any bar fails; so does one that lacks more
    of the expected symbols than `data.min_session_coverage` allows, or has fewer symbols than
    `data.min_symbols`, or in which more than `data.quality.max_session_errors` of the symbols have
    prices that cannot be true (100x errors, impossible bars). Fewer of those, split-shaped jumps,
    many outliers, many symbols without trades and a noticeable gap warn.
    """
    panel = _window(bars, session)
    held = panel is not None and panel.shape[0] > 0 and panel.sessions[-1] == np.datetime64(session)
    if panel is None or not held:
        return _absent(session, panel)
    close, volume = panel.close[-1], panel.volume[-1]
    before = ~np.isnan(panel.close[:-1][-RECENT_SESSIONS:])
    expected, present = before.any(axis=0), ~np.isnan(close)
    returns = _last_returns(panel)
    outlier = np.abs(returns) > settings.data.outlier_return
    prices = np.stack([panel.open[-1], panel.high[-1], panel.low[-1], close])
    previous = panel.close[-2] if panel.shape[0] > 1 else np.full(panel.shape[1], np.nan)
    largest = np.argsort(-np.where(outlier, np.abs(returns), 0.0), kind="stable")[:5]
    wanted = int(np.count_nonzero(expected))
    report = QualityReport(
        session=session,
        verdict=QualityVerdict.PASS,
        reasons=(),
        expected=wanted,
        present=int(np.count_nonzero(present)),
        coverage=float(np.count_nonzero(expected & present) / wanted) if wanted else None,
        missing=int(np.count_nonzero(expected & ~present)),
        new=int(np.count_nonzero(present & ~expected)),
        zero_volume=int(np.count_nonzero(present & (volume == 0))),
        unchanged=int(np.count_nonzero((prices == previous).all(axis=0))),
        outliers=int(np.count_nonzero(outlier)),
        **_faults(panel, settings.data.quality),
        largest_moves=tuple((panel.symbols[i], float(returns[i])) for i in largest if outlier[i]),
    )
    return _judged(report, settings)


def _window(bars: Panel | Lake, session: date) -> Panel | None:
    after = session + timedelta(days=1)
    if isinstance(bars, Panel):
        return bars.before(after)
    try:
        start = session - timedelta(days=WINDOW_DAYS)
        return bars.panel(before=after, start=start, judging=session)
    except DataError:
        return None


def _absent(session: date, panel: Panel | None) -> QualityReport:
    last = panel.sessions[-1] if panel is not None and panel.shape[0] else "none near it"
    recent = ~np.isnan(panel.close[-RECENT_SESSIONS:]) if panel is not None else np.zeros((0, 0))
    expected = int(np.count_nonzero(recent.any(axis=0)))
    return QualityReport(
        session=session,
        verdict=QualityVerdict.FAIL,
        reasons=(f"there is no bar of {session}; the last session held is {last}: fetch it",),
        expected=expected,
        present=0,
        coverage=0.0 if expected else None,
        missing=expected,
        new=0,
        zero_volume=0,
        unchanged=0,
        outliers=0,
        hundredfold=0,
        split_shaped=0,
        impossible=0,
        volume_spikes=0,
        largest_moves=(),
    )


def _last_returns(panel: Panel) -> FloatArray:
    """Return the `(N,)` simple returns of the last session, NaN where there is none."""
    if panel.shape[0] < 2:
        return np.full(panel.shape[1], np.nan)
    return np.asarray(panel.rows(slice(-2, None)).returns()[-1], dtype=np.float64)


def _faults(panel: Panel, limits: QualitySettings) -> dict[str, int]:
    """Count what is wrong with the bars of the last session; nothing is later than it."""
    opened, high, low, close = (getattr(panel, name)[-1] for name in PRICE_COLUMNS)
    prices = np.stack([opened, high, low, close])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        wrong = (prices <= 0) | np.isinf(prices)
        inside = 1 + RANGE_TOLERANCE
        wrong |= (prices > high * inside) | (prices * inside < low)
        before = _last_known(panel.close[:-1])
        step = np.log(close / before)
        hundredfold = np.abs(np.abs(step) - HUNDRED) < limits.hundredfold_tolerance
        gap = np.log(opened / before)
        size, spread = np.abs(step), limits.jump_tolerance
        shaped = (np.abs(size[None, :] - SPLIT_LOGS[:, None]) < spread).any(axis=0)
        shaped &= (np.abs(gap - step) < 2 * spread) & ~hundredfold
        earlier = panel.volume[:-1]
        usual = group_median(earlier.T.ravel(), *_columns(earlier))
        spikes = panel.volume[-1] > limits.volume_spike * usual
    counts = {
        "hundredfold": hundredfold,
        "split_shaped": shaped,
        "impossible": wrong.any(axis=0),
        "volume_spikes": spikes & (usual > 0),
    }
    return {name: int(np.count_nonzero(found)) for name, found in counts.items()}


def _last_known(rows: FloatArray) -> FloatArray:
    """Return the `(N,)` last known value of each column, NaN where there is none."""
    if not len(rows):
        return np.full(rows.shape[1], np.nan)
    last = len(rows) - 1 - np.argmax(~np.isnan(rows[::-1]), axis=0)
    return np.asarray(rows[last, np.arange(rows.shape[1])], dtype=np.float64)


def _columns(rows: FloatArray) -> tuple[IntArray, int]:
    return np.repeat(np.arange(rows.shape[1]), rows.shape[0]), rows.shape[1]


def _judged(report: QualityReport, settings: Settings) -> QualityReport:
    limits = settings.data
    fails, warns = [], []
    if report.present < limits.min_symbols:
        fails.append(
            f"{report.present} symbols have a bar; at least {limits.min_symbols} are needed"
        )
    if report.coverage is not None and report.coverage < limits.min_session_coverage:
        fails.append(
            f"{report.missing:,} of {report.expected:,} expected symbols have no bar: coverage "
            f"{report.coverage:.1%}, at least {limits.min_session_coverage:.1%} is needed"
        )
    elif report.coverage is not None and report.coverage < limits.warn_session_coverage:
        warns.append(f"{report.missing:,} of {report.expected:,} expected symbols have no bar")
    errors = report.hundredfold + report.impossible
    told = (
        f"{report.hundredfold:,} symbols stand about 100 times off the session before and "
        f"{report.impossible:,} have bars that cannot be true"
    )
    if errors > limits.quality.max_session_errors * report.present:
        fails.append(
            f"{told}: more than the {limits.quality.max_session_errors:.1%} of "
            f"{report.present:,} that data.quality.max_session_errors allows"
        )
    elif errors:
        warns.append(told)
    if report.split_shaped:
        warns.append(f"{report.split_shaped:,} symbols jumped by the ratio of a split")
    for count, what in (
        (report.outliers, f"moved by more than {limits.outlier_return:.0%}"),
        (report.zero_volume, "did not trade"),
        (report.unchanged, "have the previous close for every price"),
    ):
        if count > limits.max_suspect_share * report.present:
            warns.append(f"{count:,} of {report.present:,} symbols {what}")
    worst = QualityVerdict.WARN if warns else QualityVerdict.PASS
    verdict = QualityVerdict.FAIL if fails else worst
    return QualityReport(**{**vars(report), "verdict": verdict, "reasons": (*fails, *warns)})


def enforce(lake: Lake, report: QualityReport) -> None:
    """Quarantine a session that fails, release one that passes again.

    A session without any bar cannot be quarantined: there is nothing to serve.
    """
    if report.verdict is QualityVerdict.FAIL and report.present:
        lake.quarantine(report.session, report.reasons)
    elif report.verdict is not QualityVerdict.FAIL and report.session in lake.quarantined():
        lake.release(report.session)
