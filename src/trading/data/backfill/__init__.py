"""A backfill: what it will take, told before it starts, and what it took."""

from trading.data.backfill.account import Account, SourceAccount, take_account
from trading.data.backfill.cost import CallCost, Work, call_costs
from trading.data.backfill.gaps import joined_gaps
from trading.data.backfill.pace import ASSUMED, Pace, PaceBook, ProviderPace
from trading.data.backfill.plan import BackfillPlan, plan_backfill, requested_sessions
from trading.data.backfill.run import Finished, plan_span, run_plan

__all__ = [
    "ASSUMED",
    "Account",
    "BackfillPlan",
    "CallCost",
    "Finished",
    "Pace",
    "PaceBook",
    "ProviderPace",
    "SourceAccount",
    "Work",
    "call_costs",
    "joined_gaps",
    "plan_backfill",
    "plan_span",
    "requested_sessions",
    "run_plan",
    "take_account",
]
