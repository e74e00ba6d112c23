"""Sessions from a provider, through pipeline and repairs, into the lake: the one way there is."""

from trading.data.intake.absent import Absent, absent, told_delisted
from trading.data.intake.chain import BLOCK_SESSIONS, answers_by_symbol, block_sessions
from trading.data.intake.fundamentals import Refreshed, refresh_fundamentals
from trading.data.intake.inspection import (
    inspect_sessions,
    quality_page_key,
    quality_report_key,
    session_page,
)
from trading.data.intake.intake import Intake
from trading.data.intake.opening import open_intake, open_providers, recent_symbols
from trading.data.intake.outcome import (
    IntakeProgress,
    IntakeResult,
    SessionOutcome,
    SessionStatus,
)
from trading.data.intake.record import SessionRecord, read_record
from trading.data.intake.todo import ToDo, sessions_to_do

__all__ = [
    "BLOCK_SESSIONS",
    "Absent",
    "Intake",
    "IntakeProgress",
    "IntakeResult",
    "Refreshed",
    "SessionOutcome",
    "SessionRecord",
    "SessionStatus",
    "ToDo",
    "absent",
    "answers_by_symbol",
    "block_sessions",
    "inspect_sessions",
    "open_intake",
    "open_providers",
    "quality_page_key",
    "quality_report_key",
    "read_record",
    "recent_symbols",
    "refresh_fundamentals",
    "session_page",
    "sessions_to_do",
    "told_delisted",
]
