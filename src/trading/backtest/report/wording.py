"""How figures, settings and warnings read on the page, in the table and in the JSON.

A figure that is None or NaN reads "no data". Minus is U+2212, as wide as plus.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from trading.backtest.report.description import RunDescription, assumption_warnings
from trading.backtest.report.evidence import Evidence, Form
from trading.backtest.result import BacktestResult, StrategyRecord
from trading.backtest.settings import SizerSettings

NO_DATA = "no data"
HEADINGS = {
    "pnl": "profit, USD",
    "realized_pnl": "realised, USD",
    "unrealized_pnl": "unrealised, USD",
    "timestamp": "time",
}
CODES = frozenset({"side", "limit", "outcome", "reason", "status"})
FEW_SESSIONS = 60
FEW_TRADES = 30
NO_MONEY = ("max_leverage", "insufficient_cash")
MOST_UNPAID = 0.1


def figure(value: float | None, form: Form) -> str:
    """Return a figure as a reader expects it."""
    if value is None or not math.isfinite(value):
        return NO_DATA
    text = {
        "percent": f"{value:,.2%}" if abs(value) < 1000 else f"{value:.2e}",
        "number": f"{value:,.2f}" if abs(value) < 1e6 else f"{value:.2e}",
        "count": f"{value:,.0f}",
        "usd": f"{value:,.2f}",
    }[form]
    if "e" in text:
        return text
    return text.replace("-", "−" if text.strip("-0.,%") else "")


def label(name: object) -> str:
    """Return a code such as `stop_loss` or `PARTIALLY_FILLED` in words."""
    return str(name).replace("_", " ").lower()


def heading(name: str) -> str:
    """Return the heading of a column."""
    return HEADINGS.get(name, label(name))


def cell(value: Any, column: str = "") -> str:
    """Return one cell of a table of trades, events or positions; `column` decides its form."""
    if value is None or value is pd.NaT:
        return NO_DATA
    if isinstance(value, pd.Timestamp):
        closed = value + pd.Timedelta(seconds=1)
        return (
            f"{value:%Y-%m-%d}"
            if closed.hour + closed.minute + closed.second == 0
            else f"{value:%Y-%m-%d %H:%M}"
        )
    if isinstance(value, int | np.integer):
        return f"{value:,}".replace("-", "−")
    if not isinstance(value, float | np.floating):
        return label(value) if column in CODES else str(value)
    value = float(value)
    if not math.isfinite(value):
        return NO_DATA
    if column == "return":
        return figure(value, "percent")
    if column.startswith("quantity"):
        return f"{value:,.6f}".rstrip("0").rstrip(".").replace("-", "−")
    digits = 2 if abs(value) >= 1 or value == 0 else 4
    return f"{value:,.{digits}f}".replace("-", "−")


def strategy_title(strategies: Sequence[StrategyRecord]) -> str:
    """Return the strategies' ids as a title."""
    return " + ".join(one.strategy_id for one in strategies) or "instructions"


def strategy_words(one: StrategyRecord) -> str:
    """Return a strategy's name, version, share of the capital and parameters."""
    parameters = ", ".join(f"{name} = {value}" for name, value in one.parameters.items())
    part = "" if one.fraction == 1.0 else f", {one.fraction:.0%} of the capital"
    return f"{one.name}, version {one.version}{part}; {parameters or 'no parameters'}"


def sizer_words(sizer: SizerSettings) -> str:
    """Return the position sizer and its parameters."""
    given = ", ".join(
        f"{name} = {value:.3g}" if isinstance(value, float) else f"{name} = {value}"
        for name, value in sizer.parameters.items()
    )
    return f"{label(sizer.name)}{f' ({given})' if given else ''}"


def period(result: BacktestResult) -> str:
    """Return first and last session and how many there are."""
    days = np.asarray(result.session_dates, dtype="datetime64[D]")
    if not len(days):
        return "no session"
    bars = len(result.timestamps)
    counted = f"{len(days):,} session{'s' if len(days) != 1 else ''}"
    return f"{days[0]} to {days[-1]}, {counted}" + (f", {bars:,} bars" if bars != len(days) else "")


def tiles(evidence: Evidence) -> tuple[tuple[str, str], ...]:
    """Return the figures at the head of the page."""
    own = evidence.figures.performance
    final = float(evidence.curves.equity[-1]) if len(evidence.curves.equity) else None
    return (
        ("Total return", figure(own.total_return, "percent")),
        ("Growth a year", figure(own.cagr, "percent")),
        ("Sharpe ratio", figure(own.sharpe, "number")),
        ("Max. drawdown", figure(own.max_drawdown, "percent")),
        ("Round trips", figure(evidence.trades.trades, "count")),
        ("Final equity", NO_DATA if final is None else f"${final:,.0f}".replace("-", "−")),
    )


def warnings(result: BacktestResult, evidence: Evidence, run: RunDescription) -> tuple[str, ...]:
    """Return everything that makes the figures less true than they look, one sentence each."""
    found = list(run.warnings)
    if run.simulated:
        found.insert(0, "The market is SIMULATED: no figure here says anything about real trading.")
    if evidence.lost_on is not None:
        found.append(f"The account was lost on {evidence.lost_on}; figures end there.")
    found += [f"{name} failed and was left as it was: {why}" for name, why in result.failures]
    sessions = len(evidence.curves.days)
    if sessions < FEW_SESSIONS:
        found.append(
            f"{sessions} session{'s are' if sessions != 1 else ' is'} too few: annualised figures "
            "mean little."
        )
    if not len(result.fills):
        found.append("Nothing was traded: every figure is that of cash.")
    elif evidence.trades.trades < FEW_TRADES:
        found.append(
            f"Only {evidence.trades.trades} round trips ended: figures of trades mean little."
        )
    found += _unpaid(result)
    found += assumption_warnings(result.settings.execution)
    return tuple(found)


def _unpaid(result: BacktestResult) -> list[str]:
    """Return a sentence where many orders found no money: who got it is then no decision."""
    orders = result.orders
    unpaid = orders["reason"].isin(NO_MONEY) & orders["status"].isin(("REJECTED", "CANCELLED"))
    count = int((unpaid & (orders["filled_quantity"] == 0.0)).sum())
    if count <= MOST_UNPAID * len(orders):
        return []
    return [
        f"Money: {count:,} of {len(orders):,} orders found none left (leverage or cash). Those "
        "earlier in the order of the symbols were bought, which is no decision of the strategy; "
        "give each name less (sizer fraction) or trade fewer names."
    ]
