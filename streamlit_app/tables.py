"""Records as tables for the eye and for download."""

from collections.abc import Iterable, Sequence

import pandas as pd

from streamlit_app.loading import Stage
from trading.notifications.wording import evidence, sentence
from trading.signals.model import MonthlySignal, MonthPerformance
from trading.signals.report import GateVerdict
from trading.strategy.signals import Action

SPREADSHEET_FORMULAS = ("=", "+", "-", "@")
SIGNAL_COLUMNS = (
    "action",
    "symbol",
    "rank",
    "score",
    "confidence",
    "weight",
    "previous_weight",
    "price",
    "slot",
    "reason",
)
ALL_COLUMNS = 1000
ORDER = (Action.BUY, Action.SELL, Action.HOLD)


def signals_frame(
    signals: Iterable[MonthlySignal], actions: Sequence[Action] = ORDER, search: str = ""
) -> pd.DataFrame:
    """Return the signals of some actions whose symbol or reason holds `search`.

    BUY comes first, then SELL, then HOLD; within an action the best rank first, unranked last.
    """
    wanted = search.strip().casefold()
    rows = sorted(
        (
            signal
            for signal in signals
            if signal.action in actions
            and (wanted in signal.symbol.casefold() or wanted in signal.reason.casefold())
        ),
        key=lambda s: (ORDER.index(s.action), s.rank is None, s.rank or 0, s.symbol),
    )
    records = [signal.model_dump(mode="json", include=set(SIGNAL_COLUMNS)) for signal in rows]
    frame = pd.DataFrame(records, columns=list(SIGNAL_COLUMNS))
    return frame.astype({"rank": "Int64"})


def to_csv(frame: pd.DataFrame) -> bytes:
    """Return a table as CSV; text that a spreadsheet would run as a formula is quoted by `'`."""
    safe = frame.copy()
    for column in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[column]):
            safe[column] = [
                f"'{value}" if str(value).startswith(SPREADSHEET_FORMULAS) else value
                for value in safe[column]
            ]
    return str(safe.to_csv(index=False)).encode()


def levels_frame(history: Sequence[MonthPerformance]) -> pd.DataFrame:
    """Return the levels by session, 100 at inception; a column without any data is left out."""
    frame = pd.DataFrame(
        {
            "Portfolio": [point.nav for point in history],
            "Benchmark": [point.benchmark for point in history],
            "Equal weight": [point.equal_weight for point in history],
        },
        index=pd.to_datetime([point.session for point in history]),
        dtype="float64",
    )
    return 100 * frame.dropna(axis="columns", how="all")


def history_frame(history: Sequence[MonthPerformance]) -> pd.DataFrame:
    """Return the months, the latest first."""
    columns = ("month", "nav", "net_return", "benchmark_return", "equal_weight_return")
    more = ("turnover", "costs", "names", "model_version")
    records = [point.model_dump(include={*columns, *more}) for point in reversed(history)]
    return pd.DataFrame(records, columns=[*columns, *more])


def checks_frame(verdict: GateVerdict) -> pd.DataFrame:
    """Return the checks of the gate."""
    return pd.DataFrame(
        [
            ("Passed" if check.passed else "Failed", sentence(check.reason or check.name))
            for check in verdict.checks
        ],
        columns=["Result", "Check"],
    )


def evidence_frame(verdict: GateVerdict) -> pd.DataFrame:
    """Return every figure of every contender, worded as in the mail; a row a contender."""
    tables = evidence(verdict, columns=ALL_COLUMNS)
    if not tables:
        return pd.DataFrame()
    (table,) = tables
    return pd.DataFrame(
        [row[1:] for row in table.rows],
        index=[row[0] for row in table.rows],
        columns=list(table.head),
    )


def stages_frame(stages: Sequence[Stage]) -> pd.DataFrame:
    """Return the states of an execution in their order."""
    return pd.DataFrame(
        [(stage.name, stage.seconds, "running" if stage.running else "done") for stage in stages],
        columns=["State", "Seconds", "Status"],
    )
