"""The FinRL signals of the months as a strategy like the others."""

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from trading.errors import DataError, ParameterError
from trading.market.market_data import MarketData
from trading.signals.model import MonthlySignal
from trading.signals.report import MonthReport
from trading.strategy.base import PanelStrategy, Parameters, flat_signals
from trading.strategy.registry import register
from trading.strategy.signals import Signals

Wish = tuple[int, float]
BUY, HOLD, SELL = 1, 0, -1


class FinrlSignalsParameters(Parameters):
    """Where the months' reports are, and how strong a signal is."""

    reports: str = Field(
        "reports",
        min_length=1,
        description="Folder of month reports, YYYY-MM.json each: `reports/` of the runs store, or "
        "what `trading signals YYYY-MM --json` printed.",
    )
    strength: Literal["weight", "confidence"] = Field(
        "weight",
        description="weight: of the model portfolio, the month's largest counting 1; confidence: "
        "the ensemble's.",
    )


@register
class FinrlSignals(PanelStrategy):
    """Hold the model portfolio of the latest month.

    A report is made on the morning of its `as_of`, from bars strictly before that day. It is acted
    on at the close of the first bar whose session is `as_of` or later, the first decision at which
    it surely existed; so nothing is traded on it before the bar after. Each month states its
    portfolio whole: BUY for every name in it, SELL for every name that leaves. By confidence, a
    name without one, or with none left, is left as it is (HOLD).

    Names that are not among the symbols of the market data are left out. A report of a month whose
    turn falls before the first bar is not acted on: the next one is.
    """

    name: ClassVar[str] = "finrl_signals"
    parameters_type: ClassVar[type[Parameters]] = FinrlSignalsParameters
    parameters: FinrlSignalsParameters

    @property
    def lookback(self) -> int:
        """The bar on which a report is acted on, and the one before, on which it was not known."""
        return 2

    def signal_panel(self, market_data: MarketData) -> Signals:
        """Return the signals of every report on the bar by which it was known.

        Raises
        ------
        ParameterError
            The folder is not there or holds no report.
        DataError
            A report cannot be read.
        """
        if len(market_data.timestamps) < 2:
            return flat_signals(self, market_data)
        acted_on = {
            row: report
            for report in self._reports(market_data)
            if (row := _row(market_data, report.as_of)) is not None
        }
        found = [
            (row, market_data.columns[signal.symbol], *wish)
            for row, report in sorted(acted_on.items())
            for signal in sorted(report.signals, key=lambda one: _place(market_data, one))
            if signal.symbol in market_data.columns
            for wish in [self._wish(signal, report.largest_weight)]
        ]
        columns = list(zip(*found, strict=True)) if found else [(), (), (), ()]
        return Signals(
            self.strategy_id,
            market_data.timestamps,
            market_data.symbols,
            np.array(columns[0], dtype=np.int64),
            np.array(columns[1], dtype=np.int64),
            np.array(columns[2], dtype=np.int8),
            np.array(columns[3], dtype=np.float64),
        )

    def _reports(self, data: MarketData) -> list[MonthReport]:
        """Return the reports whose month the bars touch, the earliest first."""
        folder = Path(self.parameters.reports)
        if not folder.is_dir():
            raise ParameterError(
                f"{self.strategy_id}: there is no folder {folder}; set the parameter reports to a "
                "folder of month reports (`trading signals YYYY-MM --json > YYYY-MM.json`)"
            )
        paths = sorted(folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9].json"))
        if not paths:
            raise ParameterError(
                f"{self.strategy_id}: {folder} holds no month report (YYYY-MM.json)"
            )
        first, last = (str(data.sessions[row].astype("datetime64[M]")) for row in (0, -1))
        wanted = [path for path in paths if first <= path.stem <= last]
        return [_read(path, path.stat().st_mtime_ns, path.stat().st_size) for path in wanted]

    def _wish(self, signal: MonthlySignal, largest: float | None) -> Wish:
        if signal.weight == 0.0:
            return SELL, 1.0
        if self.parameters.strength == "confidence":
            return (BUY, signal.confidence) if signal.confidence else (HOLD, 0.0)
        return BUY, signal.weight / (largest or signal.weight)


@lru_cache(maxsize=256)
def _read(path: Path, modified: int, size: int) -> MonthReport:  # noqa: ARG001 - part of the key
    try:
        report = MonthReport.from_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    if report.month != path.stem:
        raise DataError(f"{path} holds the report of {report.month}; name it after its month")
    return report


def _row(data: MarketData, as_of: date) -> int | None:
    """Return the first row from the session of `as_of` on; None where that is not in the data."""
    row = int(np.searchsorted(data.sessions, np.datetime64(as_of, "D")))
    return row if 0 < row < len(data.sessions) else None


def _place(data: MarketData, signal: MonthlySignal) -> int:
    return data.columns.get(signal.symbol, -1)
