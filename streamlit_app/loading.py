"""What the dashboard reads, each answer kept for a minute: a page view costs a few requests."""

from dataclasses import dataclass

import streamlit as st
from botocore.exceptions import BotoCoreError, ClientError

from trading.cli.watch import ExecutionWatch
from trading.errors import NotFoundError
from trading.month.ledger import ChampionPointer, RunRecord
from trading.month.resources import Resources
from trading.signals.model import MonthlySignal, MonthPerformance
from trading.signals.report import MonthReport, read_report

FRESH_SECONDS = 60


@dataclass(frozen=True)
class MonthView:
    """A complete month; `report` is None while the month's run has not written it yet."""

    month: str
    model_version: str
    signals: tuple[MonthlySignal, ...]
    report: MonthReport | None


@dataclass(frozen=True)
class Stage:
    """A state of an execution; `seconds` until it was left, or until now while it runs."""

    name: str
    seconds: float
    running: bool


@st.cache_resource
def resources() -> Resources:
    """Return stores and tables as the environment names them (docs/architecture.md)."""
    return Resources.from_environment()


@st.cache_data(ttl=FRESH_SECONDS, show_spinner=False)
def history() -> tuple[MonthPerformance, ...]:
    """Return the performance of every complete month, the earliest first."""
    return resources().signals.history()


@st.cache_data(ttl=FRESH_SECONDS, show_spinner="Reading the month …")
def month_view(month: str) -> MonthView:
    """Return a complete month with its report."""
    stored = resources().signals.read_month(month)
    try:
        report = read_report(resources().runs, month)
    except NotFoundError:
        report = None
    return MonthView(month, stored.model_version, stored.signals, report)


@st.cache_data(ttl=FRESH_SECONDS, show_spinner=False)
def champion() -> ChampionPointer | None:
    """Return the champion pointer; None before the first month."""
    return resources().ledger.champion()


@st.cache_data(ttl=FRESH_SECONDS, show_spinner=False)
def last_run() -> RunRecord | None:
    """Return the run of the latest month in the ledger, finished or not."""
    runs = resources().ledger.runs()
    return runs[-1] if runs else None


@st.cache_data(ttl=FRESH_SECONDS, show_spinner=False)
def stages(execution_arn: str) -> tuple[Stage, ...]:
    """Return the states that an execution went through; empty when its history is gone.

    Step Functions keeps a history for 90 days, the embedded cloud for as long as it is up.
    """
    watch = ExecutionWatch(execution_arn)
    try:
        watch.poll()
    except ClientError as error:
        if error.response["Error"]["Code"] in {"ExecutionDoesNotExist", "StateMachineDoesNotExist"}:
            return ()
        raise
    seconds = watch.timings()
    return tuple(
        Stage(name, seconds[name], running=run.exited is None and not watch.ended)
        for name, run in watch.states.items()
    )


UNREACHABLE = (ClientError, BotoCoreError)
