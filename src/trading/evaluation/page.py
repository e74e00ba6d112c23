"""The evaluation as one HTML page that needs no other file and no network."""

from datetime import datetime
from pathlib import Path

from trading.backtest.report.charts import NARROW
from trading.backtest.report.page import Chart, template
from trading.evaluation import charts
from trading.evaluation.page_rows import (
    capacity_rows,
    cost_rows,
    delisting_rows,
    evidence_rows,
    figure_rows,
    reliability_rows,
    tiles,
)
from trading.evaluation.study import Evaluation

TEMPLATES = Path(__file__).parent / "templates"


def render(evaluation: Evaluation, made_at: datetime) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    made_at : aware; the only thing in the page that is not in the evaluation
    """
    page: str = template("evaluation.html.j2", TEMPLATES).render(
        e=evaluation,
        made_at=made_at,
        tiles=tiles(evaluation),
        contenders=list(evaluation.verdict.figures),
        figure_rows=figure_rows(evaluation.verdict.figures),
        evidence=evidence_rows(evaluation),
        capacity=capacity_rows(evaluation),
        costs=cost_rows(evaluation),
        delistings=delisting_rows(evaluation),
        reliability=reliability_rows(evaluation.reliability),
        calibrated=reliability_rows(evaluation.calibrated),
        wide_charts=_wide(evaluation),
        half_charts=_half(evaluation),
    )
    return page


def _wide(evaluation: Evaluation) -> tuple[Chart, ...]:
    return (
        Chart(
            "Growth of 1, net of costs (log scale)",
            "Growth of each contender over the months out of sample",
            charts.growth_chart(evaluation),
            charts.growth_chart(evaluation, NARROW),
        ),
        Chart(
            "Drawdown of the candidate",
            "Loss of the candidate from its highest level so far",
            charts.drawdown_chart(evaluation),
            charts.drawdown_chart(evaluation, NARROW),
        ),
    )


def _half(evaluation: Evaluation) -> tuple[Chart, ...]:
    return (
        Chart(
            "Monthly return over equal weight",
            "Monthly net return of the candidate less that of equal weight",
            charts.excess_chart(evaluation),
        ),
        Chart(
            "Capacity: annual net return over equal weight",
            "Net excess return by capital",
            charts.capacity_chart(evaluation),
        ),
        Chart(
            "Costs: annual net return over equal weight",
            "Net excess return by the multiple of all costs",
            charts.cost_chart(evaluation),
        ),
        Chart(
            "Reliability of the confidence",
            "Share of scores that came true by confidence",
            charts.reliability_chart(evaluation),
        ),
    )
