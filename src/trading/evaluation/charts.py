"""The charts of an evaluation: SVG images, the same bytes for the same evaluation."""

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import FuncFormatter, PercentFormatter

from trading.backtest.metrics import drawdown_series
from trading.backtest.report.charts import (
    GAIN,
    HALF,
    LOSS,
    MUTED,
    STRATEGY,
    WIDE,
    as_days,
    as_svg,
    canvas,
    percent_scale,
)
from trading.evaluation.gate import CANDIDATE
from trading.evaluation.study import Curve, Evaluation

FloatArray = npt.NDArray[np.float64]

Size = tuple[float, float]
COLOURS = {
    CANDIDATE: STRATEGY,
    "equal_weight": "#8a94a6",
    "index": "#1b2430",
    "best_factor": "#c08a2d",
    "momentum": "#7b4fa3",
    "champion": GAIN,
}


def growth_chart(evaluation: Evaluation, size: Size = WIDE) -> bytes | None:
    """Draw what 1 became with each contender, net of costs; None below two sessions."""
    own = evaluation.curves[CANDIDATE]
    if len(own.dates) < 2:
        return None
    with canvas(size) as (figure, axes):
        for name, curve in reversed(evaluation.curves.items()):
            days, returns = _arrays(curve)
            axes.plot(
                as_days(days),
                np.cumprod(1.0 + returns),
                color=COLOURS.get(name, MUTED),
                linewidth=2.0 if name == CANDIDATE else 1.2,
                label=name.replace("_", " "),
            )
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
        columns = 3 if size[0] < WIDE[0] else 6
        axes.legend(
            frameon=False,
            ncols=columns,
            loc="lower left",
            bbox_to_anchor=(-0.01, 1.0),
            reverse=True,
        )
        return as_svg(figure)


def drawdown_chart(evaluation: Evaluation, size: Size = WIDE) -> bytes | None:
    """Draw how far the candidate lies below its peak; None below two sessions."""
    days, returns = _arrays(evaluation.curves[CANDIDATE])
    if len(days) < 2:
        return None
    with canvas((size[0], size[1] * 0.62)) as (figure, axes):
        axes.fill_between(
            as_days(days), -drawdown_series(returns), 0.0, color=LOSS, alpha=0.3, linewidth=0
        )
        percent_scale(axes)
        axes.set_ylim(top=0.0, bottom=min(axes.get_ylim()[0], -0.01))
        return as_svg(figure)


def excess_chart(evaluation: Evaluation) -> bytes | None:
    """Draw the candidate's monthly return less equal weight's; None without any month."""
    months = evaluation.verdict.monthly_returns
    own, plain = months.get(CANDIDATE, {}), months.get("equal_weight", {})
    common = [month for month in own if month in plain]
    if not common:
        return None
    excess = np.array([own[month] - plain[month] for month in common])
    days = np.array(common, dtype="datetime64[M]").astype("datetime64[D]")
    with canvas(HALF) as (figure, axes):
        colours = np.where(excess > 0.0, GAIN, LOSS).tolist()
        axes.bar(as_days(days), excess, width=22, align="edge", color=colours, linewidth=0)
        axes.axhline(0.0, color=MUTED, linewidth=0.8)
        percent_scale(axes)
        return as_svg(figure)


def capacity_chart(evaluation: Evaluation) -> bytes | None:
    """Draw net return over equal weight by capital; None without two known points."""
    points = [(p.capital_usd, p.excess_return) for p in evaluation.capacity]
    return _line(points, "capital, USD", logarithmic=True)


def cost_chart(evaluation: Evaluation) -> bytes | None:
    """Draw net return over equal weight by the multiple of costs; None without two points."""
    points = [(p.multiple, p.excess_return) for p in evaluation.costs]
    return _line(points, "multiple of all costs", logarithmic=False)


def reliability_chart(evaluation: Evaluation) -> bytes | None:
    """Draw the share of scores that came true by confidence; None below two bins."""
    if len(evaluation.reliability) < 2:
        return None
    with canvas(HALF) as (figure, axes):
        x = [bin_.confidence for bin_ in evaluation.reliability]
        y = [bin_.success for bin_ in evaluation.reliability]
        axes.axhline(0.5, color=MUTED, linewidth=0.8)
        axes.plot(x, y, color=STRATEGY, marker="o", markersize=4, linewidth=1.2)
        axes.set_xlabel("confidence")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
        return as_svg(figure)


def _line(
    points: list[tuple[float, float | None]], label: str, *, logarithmic: bool
) -> bytes | None:
    known = [(x, y) for x, y in points if y is not None]
    if len(known) < 2:
        return None
    with canvas(HALF) as (figure, axes):
        axes.axhline(0.0, color=MUTED, linewidth=0.8)
        axes.plot(*zip(*known, strict=True), color=STRATEGY, marker="o", markersize=4)
        if logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(_money))
        axes.set_xlabel(label)
        percent_scale(axes)
        return as_svg(figure)


def _money(value: float, _place: object) -> str:
    for limit, unit in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"


def _arrays(curve: Curve) -> tuple[npt.NDArray[np.datetime64], FloatArray]:
    return np.array(curve.dates, dtype="datetime64[D]"), np.array(curve.returns, dtype=np.float64)
