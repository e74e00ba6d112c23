"""Trading activity: series that stand still, bars without a trade, volumes out of all measure."""

import numpy as np

from trading.config import DataSettings
from trading.data.quality.findings import Finding, FindingKind, Severity, finding_of_rows
from trading.data.quality.series import BarSeries, IntArray, group_median


def check_activity(series: BarSeries, settings: DataSettings) -> list[Finding]:
    """Return the findings about unchanged closes and volumes of a series without missing closes."""
    volume = series["volume"]
    usual = group_median(np.where(volume > 0, volume, np.nan), series.code, len(series.symbols))
    with np.errstate(all="ignore"):
        multiple = volume / usual[series.code]
        spikes = np.flatnonzero(multiple > settings.quality.volume_spike)
    found = [
        *_stale(series, settings),
        finding_of_rows(
            FindingKind.ZERO_VOLUME,
            Severity.INFO,
            series,
            np.flatnonzero(volume == 0),
            "{count} bars of {symbols} symbols have no volume: their close is a quote or the "
            "close before, no trade",
        ),
        finding_of_rows(
            FindingKind.VOLUME_SPIKE,
            Severity.INFO,
            series,
            spikes,
            "{count} volumes of {symbols} symbols exceed "
            f"{settings.quality.volume_spike:g} times the symbol's median: a listing, an index "
            "change, news, or a wrong unit",
            size=multiple[spikes],
            what="{:,.0f}x",
        ),
    ]
    return [finding for finding in found if finding is not None]


def unchanged_runs(series: BarSeries) -> IntArray:
    """Return for each row how many closes in a row, up to it, equal the one before."""
    if not len(series):
        return np.zeros(0, dtype=np.int64)
    with np.errstate(invalid="ignore"):
        same = series["close"] == series.lagged(series["close"])
    spot = np.arange(len(series))
    last_change = np.maximum.accumulate(np.where(same, 0, spot))
    return np.asarray(spot - last_change, dtype=np.int64)


def _stale(series: BarSeries, settings: DataSettings) -> list[Finding | None]:
    """Return long standstills: with trades they are a fault, without they are a market asleep."""
    run = unchanged_runs(series)
    goes_on = np.r_[run[1:] > run[:-1], False] if len(run) else np.zeros(0, dtype=bool)
    ends = np.flatnonzero((run > settings.quality.stale_sessions) & ~goes_on)
    traded = np.r_[0, np.cumsum(np.nan_to_num(series["volume"]) > 0)]
    with_trades = traded[ends + 1] - traded[ends + 1 - run[ends]] > run[ends] / 2
    text = "{count} times, in {symbols} symbols, more than " + (
        f"{settings.quality.stale_sessions} closes in a row do not change "
    )
    parts = (
        (with_trades, Severity.WARNING, "although most sessions have volume: a frozen feed, or a "),
        (~with_trades, Severity.INFO, "and most sessions have no volume: a halt, or a "),
    )
    ending = ("price pinned by a deal", "name that hardly trades")
    return [
        finding_of_rows(
            FindingKind.STALE_SERIES,
            severity,
            series,
            ends[which],
            text + words + tail,
            size=run[ends[which]].astype(np.float64),
            what="{:.0f} sessions",
        )
        for (which, severity, words), tail in zip(parts, ending, strict=True)
    ]
