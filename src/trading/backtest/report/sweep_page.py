"""The page of a sweep: the best points, all figures, a heatmap of two parameters."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from trading import __version__
from trading.backtest.report import description, wording
from trading.backtest.report.description import RunDescription
from trading.backtest.report.evidence import Form
from trading.backtest.report.heatmap import value_heatmap
from trading.backtest.report.page import template
from trading.backtest.report.significance import Significance
from trading.backtest.settings import BacktestSettings
from trading.backtest.sweep import SweepResult

LISTED = 50
COLUMNS: Mapping[str, tuple[str, Form]] = {
    "total_return": ("Total return", "percent"),
    "cagr": ("CAGR", "percent"),
    "volatility": ("Volatility", "percent"),
    "sharpe": ("Sharpe", "number"),
    "sortino": ("Sortino", "number"),
    "max_drawdown": ("Max. drawdown", "percent"),
    "calmar": ("Calmar", "number"),
    "annual_turnover": ("Turnover a year", "percent"),
    "trades": ("Trades", "count"),
}


def render_sweep(
    sweep: SweepResult,
    figure: str,
    strategy: str,
    settings: BacktestSettings,
    run: RunDescription,
    made_at: datetime,
    best: Significance | None = None,
) -> str:
    """Return the page of a sweep, sorted by `figure`; `best` is the first point against luck."""
    ranked = sweep.ranked(figure)
    good = ranked[ranked["error"] == ""].head(LISTED)
    failed = ranked[ranked["error"] != ""].head(LISTED)
    columns = dict(COLUMNS)
    if figure not in columns:
        columns = {figure: (wording.label(figure).capitalize(), "number"), **columns}
    heatmap = None
    if len(sweep.parameters) == 2:
        rows, names, values = sweep.by_two(figure)
        heatmap = value_heatmap(" × ".join(sweep.parameters), rows, names, values)
    page: str = template("sweep.html.j2").render(
        strategy=strategy,
        run=run,
        figure=wording.label(figure),
        sweep=sweep,
        parameters=sweep.parameters,
        columns=columns,
        rows=_records(good),
        failures=_records(failed),
        heatmap=heatmap,
        caution=caution(sweep, best),
        setup={
            "Universe": run.universe,
            "Bars": f"{run.source}{' — SIMULATED' if run.simulated else ''}",
            "Fill timing": description.fill_words(settings.execution),
            "Costs": description.cost_words(settings.execution),
            "Position sizing": wording.sizer_words(settings.sizer),
            "Limits": "; ".join(description.limit_words(settings.risk)) or "none",
        },
        version=__version__,
        made_at=made_at,
    )
    return page


def caution(sweep: SweepResult, best: Significance | None) -> str:
    """Return why the best figure of a sweep is too good, with the number of trials."""
    spread = sweep.sharpe_deviation
    known = "" if spread is None else f"; their Sharpe ratios deviate by {spread:.2f}"
    luck = ""
    if best is not None and best.deflated_sharpe is not None:
        luck = (
            f" The best of {best.trials:,} without skill would show a Sharpe ratio of "
            f"{best.best_of_trials:.2f}; the first one's exceeds it with a probability of "
            f"{best.deflated_sharpe:.1%} (deflated Sharpe ratio)."
        )
    return (
        f"{sweep.trials:,} trials{known}. The best of many is good by chance alone.{luck} Judge it "
        "on bars that the sweep has not seen."
    )


def _records(frame: Any) -> list[dict[str, Any]]:
    plain = frame.replace({np.nan: None})
    return plain.to_dict(orient="records")  # type: ignore[no-any-return]
