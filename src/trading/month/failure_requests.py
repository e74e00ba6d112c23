"""What the failure paths of the state machines are given, and what they answer."""

from pydantic import BaseModel, ConfigDict

from trading.month.payloads import MonthRun, Payload


class Failure(BaseModel):
    """What Step Functions says of an error."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    Error: str = "Unknown"
    Cause: str = ""


class DayFailure(BaseModel):
    """A daily fetch that failed; `execution` names the run of its state machine."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    execution: str
    failure: Failure


class Told(Payload):
    """What the operator was told."""

    reason: str


class FailureRequest(BaseModel):
    """A month that failed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    month: MonthRun
    failure: Failure


class RolledBack(Payload):
    """Whether the champion is safely the one from before the month, and why not."""

    safe: bool
    reason: str = ""


class AlertRequest(FailureRequest):
    """A month that failed, and what became of its champion."""

    rolled_back: RolledBack
