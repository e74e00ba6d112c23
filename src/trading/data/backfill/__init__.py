"""A backfill: what it will take, told before it starts, and what it took."""

from trading.data.backfill.account import Account, SourceAccount, take_account
from trading.data.backfill.cost import CallCost, Work, call_costs
from trading.data.backfill.pace import ASSUMED, Pace, PaceBook, ProviderPace
from trading.data.backfill.plan import BackfillPlan, plan_backfill, requested_sessions

__all__ = [
    "ASSUMED",
    "Account",
    "BackfillPlan",
    "CallCost",
    "Pace",
    "PaceBook",
    "ProviderPace",
    "SourceAccount",
    "Work",
    "call_costs",
    "plan_backfill",
    "requested_sessions",
    "take_account",
]
