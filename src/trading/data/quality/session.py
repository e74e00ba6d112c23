"""Judge one session of bars before anything is decided on it."""

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from trading.config import Settings
from trading.data.lake import Lake
from trading.data.quality.verdict import QualityVerdict
from trading.errors import DataError
from trading.market.panel import FloatArray, Panel

# A symbol is expected in a session when it had a bar in one of this many sessions before.
RECENT_SESSIONS = 5
# Calendar days that contain the sessions looked at, also around long holidays.
WINDOW_DAYS = 30


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
    `data.min_symbols`. Many outliers, many symbols without trades and a noticeable gap warn.
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
        largest_moves=tuple((panel.symbols[i], float(returns[i])) for i in largest if outlier[i]),
    )
    return _judged(report, settings)


def _window(bars: Panel | Lake, session: date) -> Panel | None:
    after = session + timedelta(days=1)
    if isinstance(bars, Panel):
        return bars.before(after)
    try:
        return bars.panel(before=after, start=session - timedelta(days=WINDOW_DAYS))
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
        largest_moves=(),
    )


def _last_returns(panel: Panel) -> FloatArray:
    """Return the `(N,)` simple returns of the last session, NaN where there is none."""
    if panel.shape[0] < 2:
        return np.full(panel.shape[1], np.nan)
    return np.asarray(panel.rows(slice(-2, None)).returns()[-1], dtype=np.float64)


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
