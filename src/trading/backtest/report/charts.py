"""The charts of the tear sheet: SVG images, the same bytes for the same result.

They are drawn without pyplot's global state, hold neither a date nor any text of a user (symbols
and names stand in the page's tables), and draw their letters as outlines: nothing is looked up
where they are read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)

from trading.backtest.report.curves import ROLLING_SESSIONS, Curves

FloatArray = npt.NDArray[np.float64]

INK, MUTED, GRID, BACKGROUND = "#1b2430", "#5d6978", "#e3e7ed", "#ffffff"
STRATEGY, BENCHMARK, LOSS, GAIN = "#1f5fbf", "#8a94a6", "#b3372c", "#1a7f4b"
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9.0,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "svg.fonttype": "path",
    "svg.hashsalt": "trading",
    "path.simplify_threshold": 0.3,
}
# matplotlib.dates has no types.
_DateLocator: Any = AutoDateLocator
_DateFormatter: Any = ConciseDateFormatter
# Years, months, days, hours, minutes, seconds; and where one of them begins.
DATE_FORMS = ["%Y", "%b %Y", "%d %b", "%H:%M", "%H:%M", "%S"]
ROUND_DATE_FORMS = ["", "%Y", "%b %Y", "%d %b", "%H:%M", "%H:%M"]
HALF = (5.4, 2.5)
WIDE = (10.8, 3.4)
NARROW = (5.0, 3.1)
MOST_POINTS = 900


def equity_chart(curves: Curves, size: tuple[float, float] = WIDE) -> bytes | None:
    """Draw equity and benchmark on a log scale; None below two sessions or without equity > 0."""
    if len(curves.days) < 2 or not (curves.equity > 0).any():
        return None
    with canvas(size) as (figure, axes):
        if curves.benchmark is not None:
            _line(axes, curves, curves.benchmark, BENCHMARK, 1.4, "Benchmark")
        _line(axes, curves, curves.equity, STRATEGY, 1.9, "Strategy")
        axes.set_yscale("log")
        _money_scale(axes)
        if curves.benchmark is not None:
            axes.legend(
                frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(-0.01, 1.0), reverse=True
            )
        return as_svg(figure)


def drawdown_chart(curves: Curves, size: tuple[float, float] = WIDE) -> bytes | None:
    """Draw how far equity lies below its peak; None below two sessions."""
    if len(curves.days) < 2:
        return None
    with canvas((size[0], size[1] * 0.62)) as (figure, axes):
        days, depth = _thinned(curves.days, -curves.drawdown)
        axes.fill_between(days, depth, 0.0, color=LOSS, alpha=0.25, linewidth=0)
        axes.plot(days, depth, color=LOSS, linewidth=1.0)
        if curves.benchmark_drawdown is not None:
            days, depth = _thinned(curves.days, -curves.benchmark_drawdown)
            axes.plot(days, depth, color=BENCHMARK, linewidth=1.0)
        percent_scale(axes)
        axes.set_ylim(top=0.0, bottom=min(axes.get_ylim()[0], -0.01))
        return as_svg(figure)


def exposure_chart(curves: Curves) -> bytes | None:
    """Draw gross and net exposure as fractions of equity; None below two sessions."""
    if len(curves.days) < 2 or np.isnan(curves.gross).all():
        return None
    with canvas(HALF) as (figure, axes):
        _line(axes, curves, curves.gross, STRATEGY, 1.3, "gross")
        if np.nanmax(np.abs(curves.gross - curves.net)) > 1e-9:
            _line(axes, curves, curves.net, BENCHMARK, 1.3, "net")
            axes.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(-0.02, 1.0))
        percent_scale(axes)
        axes.set_ylim(bottom=min(axes.get_ylim()[0], 0.0), top=max(axes.get_ylim()[1], 0.01))
        return as_svg(figure)


def turnover_chart(curves: Curves) -> bytes | None:
    """Draw one-way turnover, summed by calendar month; None below two sessions."""
    if len(curves.days) < 2:
        return None
    months, first = np.unique(curves.days.astype("datetime64[M]"), return_index=True)
    sums = np.add.reduceat(np.nan_to_num(curves.turnover), first)
    with canvas(HALF) as (figure, axes):
        axes.bar(as_days(months), sums, width=22, align="edge", color=STRATEGY, linewidth=0)
        percent_scale(axes)
        axes.set_ylim(bottom=0.0, top=max(axes.get_ylim()[1], 0.01))
        return as_svg(figure)


def rolling_sharpe_chart(curves: Curves) -> bytes | None:
    """Draw the rolling Sharpe ratio; None where too few sessions define it."""
    if np.count_nonzero(np.isfinite(curves.rolling_sharpe)) < 2:
        return None
    with canvas(HALF) as (figure, axes):
        axes.axhline(0.0, color=MUTED, linewidth=0.8)
        _line(axes, curves, curves.rolling_sharpe, STRATEGY, 1.3, "Sharpe")
        axes.set_ylabel(f"over {ROLLING_SESSIONS} sessions")
        return as_svg(figure)


def trade_chart(returns: FloatArray) -> bytes | None:
    """Draw a histogram of the returns of round trips; None without any.

    The outer hundredth on each side is gathered in the outermost bars, so that one trade does not
    flatten all others.
    """
    known = returns[np.isfinite(returns)]
    if not len(known):
        return None
    low, high = (
        np.quantile(known, [0.01, 0.99]) if len(known) >= 200 else (known.min(), known.max())
    )
    reach = max(abs(low), abs(high), 1e-4)
    edges = np.linspace(-reach, reach, 41)
    counts, _ = np.histogram(np.clip(known, -reach, reach), edges)
    with canvas(HALF) as (figure, axes):
        middle = (edges[1:] + edges[:-1]) / 2
        colours = np.where(middle > 0, GAIN, LOSS).tolist()
        axes.bar(middle, counts, width=(edges[1] - edges[0]) * 0.92, color=colours, linewidth=0)
        axes.axvline(0.0, color=MUTED, linewidth=0.8)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0 if reach > 0.04 else 1))
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_ylabel("round trips")
        return as_svg(figure)


def _line(
    axes: Axes, curves: Curves, values: FloatArray, colour: str, width: float, label: str
) -> None:
    days, thinned = _thinned(curves.days, np.where(np.isfinite(values), values, np.nan))
    axes.plot(days, thinned, color=colour, linewidth=width, label=label)


def _thinned(days: npt.NDArray[np.datetime64], values: FloatArray) -> tuple[Any, FloatArray]:
    """Keep at most `MOST_POINTS` points: the lowest and highest of each stretch."""
    if len(values) <= MOST_POINTS:
        return as_days(days), values
    stretches = np.array_split(np.arange(len(values)), MOST_POINTS // 2)
    lowest = [int(s[np.argmin(np.nan_to_num(values[s], nan=np.inf))]) for s in stretches]
    highest = [int(s[np.argmax(np.nan_to_num(values[s], nan=-np.inf))]) for s in stretches]
    keep = np.unique([0, *lowest, *highest, len(values) - 1])
    return as_days(days[keep]), values[keep]


def as_days(days: npt.NDArray[np.datetime64]) -> Any:
    """Return days as matplotlib takes them."""
    return days.astype("datetime64[D]")


@contextmanager
def canvas(size: tuple[float, float]) -> Iterator[tuple[Figure, Axes]]:
    """Open an empty drawing of this size in inches, in the reports' style."""
    with style.context(["default", STYLE]):
        figure = Figure(size, facecolor=BACKGROUND, layout="constrained")
        axes: Axes = figure.subplots()
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(length=0)
        axes.yaxis.grid(visible=True, color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.margins(x=0.01)
        yield figure, axes


def percent_scale(axes: Axes) -> None:
    """Let the vertical axis be in per cent."""
    low, high = axes.get_ylim()
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0 if high - low > 0.04 else 1))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def _money_scale(axes: Axes) -> None:
    low, high = axes.get_ylim()
    if high / low < 8:
        ticks = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        axes.set_yticks([tick for tick in ticks if low <= tick <= high])
    else:
        axes.yaxis.set_major_locator(LogLocator(10.0, subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(_money))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_locator(LogLocator(10.0, subs=()))
    axes.set_ylim(low, high)


def _money(value: float, _place: object) -> str:
    for limit, unit in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def as_svg(figure: Figure) -> bytes:
    """Return the drawing as SVG, the same bytes for the same drawing."""
    axes = figure.axes[0]
    if axes.lines or axes.patches or axes.collections:
        _date_scale(axes)
    buffer = BytesIO()
    printer: Any = FigureCanvasSVG(figure)
    printer.print_svg(buffer, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _date_scale(axes: Axes) -> None:
    if not isinstance(axes.xaxis.get_major_locator(), AutoDateLocator):
        return
    locator = _DateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        _DateFormatter(
            locator, formats=DATE_FORMS, zero_formats=ROUND_DATE_FORMS, show_offset=False
        )
    )
