"""Sessions from a provider, through pipeline and repairs, into the lake: the one way there is."""

from trading.data.intake.chain import BLOCK_SESSIONS, answers_by_symbol
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
    "Intake",
    "IntakeProgress",
    "IntakeResult",
    "SessionOutcome",
    "SessionRecord",
    "SessionStatus",
    "ToDo",
    "answers_by_symbol",
    "open_intake",
    "open_providers",
    "read_record",
    "recent_symbols",
    "sessions_to_do",
]
