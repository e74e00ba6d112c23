"""The charts of the mail: small PNG images, the same bytes for the same report.

They are drawn without pyplot's global state and hold no date, so nothing but the data (and the
versions of matplotlib and Pillow) decides their bytes. Backgrounds are opaque: a chart stays
readable where the mail around it turns dark.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from trading.notifications.wording import change, contender_name, contenders, number, share
from trading.signals.model import MonthlySignal, MonthPerformance
from trading.signals.report import GateVerdict
from trading.strategy.signals import Action

INK, MUTED, GRID, BACKGROUND = "#1b2430", "#5d6978", "#e3e7ed", "#ffffff"
PORTFOLIO, BENCHMARK, EQUAL_WEIGHT = "#1f5fbf", "#8a94a6", "#c08a2d"
ACTION_COLOURS = {Action.BUY: "#1a7f4b", Action.SELL: "#b3372c", Action.HOLD: "#5a7aa6"}
WIDTH_INCHES, DPI = 4.8, 200
TOP_NAMES = 12
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.unicode_minus": True,
}


def nav_chart(history: Sequence[MonthPerformance]) -> bytes | None:
    """Draw the portfolio's level against benchmark and equal weight; None below two months."""
    if len(history) < 2:
        return None
    with style.context(["default", STYLE]):
        figure, (axes,) = _figure(2.35)
        places = range(len(history))
        lines = (
            ("Equal weight", [p.equal_weight for p in history], EQUAL_WEIGHT, 1.4, (0, (4, 2))),
            ("Benchmark", [p.benchmark for p in history], BENCHMARK, 1.6, "solid"),
            ("Portfolio", [p.nav for p in history], PORTFOLIO, 2.4, "solid"),
        )
        for label, levels, colour, width, dashes in lines:
            if any(level is not None for level in levels):
                scaled = [float("nan") if level is None else 100 * level for level in levels]
                axes.plot(
                    places, scaled, color=colour, linewidth=width, linestyle=dashes, label=label
                )
        step = -(-len(history) // 6)
        ticks = list(places)[::-1][::step][::-1]
        axes.set_xticks(ticks, [history[i].month for i in ticks])
        axes.margins(x=0.02)
        axes.yaxis.grid(visible=True, color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.legend(
            frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(-0.02, 1.0), reverse=True
        )
        return _png(figure)


def scores_chart(signals: Sequence[MonthlySignal]) -> bytes | None:
    """Draw the scores of the best-ranked BUY and HOLD names; None when none is ranked.

    Each bar carries the confidence in its name.
    """
    ranked = [s for s in signals if s.rank is not None and s.score is not None and s.weight > 0]
    top = sorted(ranked, key=lambda s: (s.rank or 0, s.symbol))[:TOP_NAMES][::-1]
    if not top:
        return None
    with style.context(["default", STYLE]):
        figure, (axes,) = _figure(0.55 + 0.215 * len(top))
        scores = [signal.score or 0.0 for signal in top]
        bars = axes.barh(
            range(len(top)), scores, color=[ACTION_COLOURS[s.action] for s in top], height=0.68
        )
        axes.bar_label(
            bars,
            labels=[f"{share(s.confidence, 0)}  {s.action}" for s in top],
            padding=4,
            color=MUTED,
            fontsize=8,
        )
        axes.set_yticks(range(len(top)), [s.symbol for s in top])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set_xlabel("score; confidence beside each bar", fontsize=8)
        _leave_room(axes, scores, 0.24)
        return _png(figure)


def evidence_chart(verdict: GateVerdict) -> bytes | None:
    """Draw yearly return and Sharpe ratio of every contender; None when there is neither."""
    names = list(contenders(verdict))[::-1]
    returns = [_known(verdict, name, "annual_return") for name in names]
    sharpes = [_known(verdict, name, "sharpe") for name in names]
    panels = [
        (title, values, label)
        for title, values, label in (
            ("Return a year, net", returns, change),
            ("Sharpe ratio", sharpes, number),
        )
        if any(value is not None for value in values)
    ]
    if not panels:
        return None
    with style.context(["default", STYLE]):
        figure, all_axes = _figure(0.5 + 0.26 * len(names), columns=len(panels))
        for axes, (title, values, label) in zip(all_axes, panels, strict=True):
            _evidence_panel(axes, names, title, values, [label(value) for value in values])
            axes.set_yticks([])
        all_axes[0].set_yticks(range(len(names)), [contender_name(name) for name in names])
        all_axes[0].tick_params(axis="y", labelcolor=INK)
        return _png(figure)


def _evidence_panel(
    axes: Axes,
    names: Sequence[str],
    title: str,
    values: Sequence[float | None],
    labels: Sequence[str],
) -> None:
    drawn = [0.0 if value is None else value for value in values]
    colours = [PORTFOLIO if name == "candidate" else BENCHMARK for name in names]
    bars = axes.barh(range(len(names)), drawn, color=colours, height=0.66)
    axes.bar_label(bars, labels=labels, padding=3, color=INK, fontsize=8)
    axes.set_title(title, fontsize=9, loc="left", color=INK)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.plot([0, 0], [-0.5, len(names) - 0.5], color=MUTED, linewidth=0.8)
    _leave_room(axes, drawn, 0.38)


def _known(verdict: GateVerdict, name: str, key: str) -> float | None:
    value = verdict.figures[name].get(key)
    return float(value) if isinstance(value, (int, float)) else None


def _figure(height: float, columns: int = 1) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure((WIDTH_INCHES, height), dpi=DPI, facecolor=BACKGROUND, layout="constrained")
    grid: Any = figure.subplots(1, columns, squeeze=False)
    all_axes: list[Axes] = list(grid[0])
    for axes in all_axes:
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(length=0)
    return figure, all_axes


def _leave_room(axes: Axes, values: Sequence[float], part: float) -> None:
    """Widen the x axis by `part` of its span on each side that carries labels."""
    low, high = min(0.0, *values), max(0.0, *values)
    span = (high - low) or 1.0
    axes.set_xlim(low - ((part + 0.12) * span if low < 0 else 0.02 * span), high + part * span)


def _png(figure: Figure) -> bytes:
    """Render to a PNG of at most 64 colours: a quarter of the bytes, no visible difference."""
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3])
    buffer = BytesIO()
    image.quantize(64, dither=Image.Dither.NONE).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
