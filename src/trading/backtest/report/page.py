"""The HTML tear sheet: one file that needs no other and no network.

Every value that comes from a user or from data passes Jinja's autoescape; a content security
policy forbids scripts and everything from outside; the charts are images inside the file.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from trading import __version__
from trading.backtest.report import charts, description, wording
from trading.backtest.report.curves import Curves
from trading.backtest.report.description import RunDescription
from trading.backtest.report.evidence import Evidence
from trading.backtest.report.heatmap import monthly_heatmap
from trading.backtest.result import BacktestResult

TEMPLATES = Path(__file__).parent / "templates"
EXTREME_TRADES = 10
LISTED_EVENTS = 20
LISTED_POSITIONS = 20


@dataclass(frozen=True)
class Chart:
    """One image in the page; `narrow` is the same drawn for a phone, empty where one size serves.

    `alt` says what it shows, for those who do not see it.
    """

    title: str
    alt: str
    image: bytes | None
    narrow: bytes | None = None


def render_page(
    result: BacktestResult, evidence: Evidence, run: RunDescription, made_at: datetime
) -> str:
    """Return the tear sheet as HTML.

    Parameters
    ----------
    made_at : aware; the only thing in the page that is not in the other arguments
    """
    page: str = template("tearsheet.html.j2").render(
        title=wording.strategy_title(result.strategies),
        run=run,
        version=__version__,
        made_at=made_at,
        period=wording.period(result),
        tiles=wording.tiles(evidence),
        warnings=wording.warnings(result, evidence, run),
        setup=_setup(result, run),
        evidence=evidence,
        performance=evidence.performance_rows(),
        relative=evidence.relative_rows(),
        significance=evidence.significance_rows(),
        trading=evidence.trading_rows(result),
        wide_charts=_wide_charts(evidence.curves),
        heatmap=monthly_heatmap(evidence.curves.days, result),
        half_charts=_half_charts(evidence.curves),
        trade_chart=_trade_chart(result.trades),
        trades=_extreme_trades(result.trades),
        listed=_events(result),
        positions=_positions(result.positions),
        fill=description.fill_words(result.settings.execution),
    )
    return page


@lru_cache(maxsize=4)
def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals["w"] = wording
    environment.filters["svg"] = _as_data
    return environment


def template(name: str, folder: Path = TEMPLATES) -> Any:
    """Return a template of a folder; everything that it is given is escaped.

    A template of another folder may extend and import those of this one.
    """
    return _environment(folder).get_template(name)


def _as_data(image: bytes) -> Markup:
    """Return an SVG as a data URI: base64 holds nothing that HTML could misread."""
    return Markup("data:image/svg+xml;base64," + b64encode(image).decode("ascii"))  # noqa: S704


def _setup(result: BacktestResult, run: RunDescription) -> Mapping[str, str]:
    settings = result.settings
    limits = "; ".join(description.limit_words(settings.risk)) or "none"
    return {
        **{
            f"Strategy {one.strategy_id}" if len(result.strategies) > 1 else "Strategy": (
                wording.strategy_words(one)
            )
            for one in result.strategies
        },
        "Universe": run.universe,
        "Bars": f"{run.source}{' — SIMULATED' if run.simulated else ''}",
        "Fill timing": description.fill_words(settings.execution),
        "Orders": description.order_words(settings.execution),
        "Costs": description.cost_words(settings.execution),
        "Account": description.account_words(settings.execution),
        "Position sizing": wording.sizer_words(settings.sizer),
        "Limits": limits,
        "Benchmark": run.benchmark or "none",
    }


def _wide_charts(curves: Curves) -> tuple[Chart, ...]:
    return (
        Chart(
            "Equity, USD (log scale)",
            "Equity of the strategy and its benchmark over time",
            charts.equity_chart(curves),
            charts.equity_chart(curves, charts.NARROW),
        ),
        Chart(
            "Drawdown",
            "Loss from the highest equity so far, over time",
            charts.drawdown_chart(curves),
            charts.drawdown_chart(curves, charts.NARROW),
        ),
    )


def _half_charts(curves: Curves) -> tuple[Chart, ...]:
    return (
        Chart(
            "Exposure at session's end",
            "Gross and net exposure as fractions of equity",
            charts.exposure_chart(curves),
        ),
        Chart(
            "Turnover by month, one way",
            "Monthly turnover as a fraction of equity",
            charts.turnover_chart(curves),
        ),
        Chart(
            "Rolling Sharpe ratio",
            "Sharpe ratio of the last sessions, over time",
            charts.rolling_sharpe_chart(curves),
        ),
    )


def _trade_chart(trades: pd.DataFrame) -> Chart:
    returns = trades["return"].to_numpy(dtype=np.float64)
    return Chart("Returns of round trips", "Histogram of the returns", charts.trade_chart(returns))


def _extreme_trades(trades: pd.DataFrame) -> Mapping[str, list[dict[str, Any]]]:
    """Return the best and the worst round trips by profit; none twice."""
    ordered = trades.sort_values("pnl", ascending=False, kind="stable")
    most = min(EXTREME_TRADES, -(-len(ordered) // 2))
    return {
        "Best": _records(ordered.head(most)),
        "Worst": _records(ordered.tail(min(most, len(ordered) - most)).iloc[::-1]),
    }


def _events(result: BacktestResult) -> tuple[dict[str, Any], ...]:
    """Return risk events, closings and orders: counted by kind, and the first of them."""
    events, closings, orders = result.risk_events, result.closings, result.orders
    return (
        {
            "title": "Risk events",
            "note": "what a limit changed, stopped or closed",
            "total": len(events),
            "counts": _counts(events, ["limit", "outcome"]),
            "rows": _records(events.head(LISTED_EVENTS)),
        },
        {
            "title": "Closings",
            "note": "positions that ended without an order",
            "total": len(closings),
            "counts": _counts(closings, ["reason"]),
            "rows": _records(closings.head(LISTED_EVENTS)),
        },
        {
            "title": "Orders",
            "note": "what became of them, and why where something intervened",
            "total": len(orders),
            "counts": _counts(orders, ["status", "reason"]),
            "rows": [],
        },
    )


def _counts(frame: pd.DataFrame, by: list[str]) -> list[tuple[str, int]]:
    """Return how many rows have each combination of codes, in words."""
    if not len(frame):
        return []
    sizes = frame.groupby(by, dropna=False).size()
    return [
        (" · ".join(wording.label(part) for part in key if part), int(count))
        for key, count in sizes.items()
    ]


def _positions(positions: pd.DataFrame) -> dict[str, Any]:
    if len(positions) and "value" in positions:
        positions = positions.sort_values("value", key=abs, ascending=False, kind="stable")
    return {"total": len(positions), "rows": _records(positions.head(LISTED_POSITIONS))}


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.to_dict(orient="records")  # type: ignore[no-any-return]
