"""Tables of numbers in colours: returns by month and year, figures by two parameters."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.backtest.distribution import monthly_returns
from trading.backtest.report.curves import survived_returns, yearly_returns
from trading.backtest.result import BacktestResult

FloatArray = npt.NDArray[np.float64]

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
GAIN_RGB, LOSS_RGB, SHADE_RGB = (26, 127, 75), (179, 55, 44), (31, 95, 191)


@dataclass(frozen=True)
class Heatmap:
    """A table whose cells have a number and a background.

    Attributes
    ----------
    corner, columns, rows : the names at its edges
    cells : by row, `(text, colour)`; both empty where there is no data
    total : whether the last column sums the others up
    """

    corner: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    cells: tuple[tuple[tuple[str, str], ...], ...]
    total: bool = False


def monthly_heatmap(days: npt.NDArray[np.datetime64], result: BacktestResult) -> Heatmap:
    """Return the compounded returns of calendar months, a row a year, with the year's own."""
    months, returns = monthly_returns(survived_returns(result), days)
    by_year = yearly_returns(months, returns)
    years = months.astype("datetime64[Y]").astype(int) + 1970
    spread = float(np.abs(returns).max(initial=0.0))
    cells = []
    for year in by_year:
        row = [("", "")] * 12
        for month, value in zip(months[years == year], returns[years == year], strict=True):
            row[int(month.astype(int)) % 12] = (signed(float(value)), _colour(float(value), spread))
        cells.append((*row, (signed(by_year[year]), "")))
    return Heatmap("", (*MONTHS, "Year"), tuple(str(year) for year in by_year), tuple(cells), True)


def signed(value: float) -> str:
    """Return a fraction as a signed percentage."""
    return f"{value:+.1%}".replace("-", "−")


def value_heatmap(
    corner: str, rows: Sequence[str], columns: Sequence[str], values: FloatArray, digits: int = 2
) -> Heatmap:
    """Return a table of `values` (R, C), the darker the larger; NaN is an empty cell."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    cells = tuple(
        tuple(
            (f"{value:.{digits}f}", _shade(float(value), low, high))
            if np.isfinite(value)
            else ("", "")
            for value in row
        )
        for row in values
    )
    return Heatmap(corner, tuple(columns), tuple(rows), cells)


def _shade(value: float, low: float, high: float) -> str:
    """Return a CSS colour between nearly white at `low` and blue at `high`."""
    part = (value - low) / (high - low) if high > low else 0.5
    return f"rgba({','.join(map(str, SHADE_RGB))},{0.05 + 0.5 * part:.2f})"


def _colour(value: float, spread: float) -> str:
    """Return a CSS colour: the further from zero, the stronger."""
    if spread <= 0.0 or value == 0.0:
        return ""
    red, green, blue = GAIN_RGB if value > 0 else LOSS_RGB
    return f"rgba({red},{green},{blue},{0.06 + 0.44 * min(abs(value) / spread, 1.0):.2f})"
