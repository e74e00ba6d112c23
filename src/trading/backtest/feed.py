"""What a run replays: bars, corporate actions and sectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.errors import DataError
from trading.features.returns import FinalReturns
from trading.market.bars import BarInterval, CorporateAction, CorporateActionType, require_bars
from trading.market.market_data import MarketData
from trading.market.panel import Panel

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# Adjusted closes are published to a few digits: a smaller change of the factor is rounding.
SMALLEST_DIVIDEND = 2e-4
ACTION_ORDER = {
    CorporateActionType.SPLIT: 0,
    CorporateActionType.DIVIDEND: 1,
    CorporateActionType.DELISTING: 2,
}


@dataclass(frozen=True, eq=False)
class Sessions:
    """Where each bar `(T,)` lies in its session.

    Attributes
    ----------
    first, last : whether it is the first or last bar of its session
    index : ordinal of the session
    day : days since 1970-01-01
    month : months since 1970-01
    """

    first: BoolArray
    last: BoolArray
    index: IntArray
    day: IntArray
    month: IntArray


@dataclass(frozen=True, eq=False, repr=False)
class BarFeed:
    """Bars `(T, N)` with what happened to the shares.

    A bar counts where open, high, low and close are all finite.

    Attributes
    ----------
    data : the bars
    actions : corporate actions; those of symbols that are not replayed are left out, and so is a
        delisting whose return nobody knows: `execution.delisting_return` stands in for it
    sectors : sector by symbol; symbols without one form a sector of their own

    Raises
    ------
    DataError
        A price is not positive, a bar's open or close lies outside low..high, a volume is
        negative, or a corporate action's value is impossible.
    """

    data: MarketData
    actions: Sequence[CorporateAction] = ()
    sectors: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_sane(self.data)
        for action in self.actions:
            _require_action(action)

    def __repr__(self) -> str:
        return f"<BarFeed {self.data!r}, {len(self.actions)} corporate actions>"

    @classmethod
    def from_panel(
        cls,
        panel: Panel,
        *,
        actions: Sequence[CorporateAction] | None = None,
        sectors: Mapping[str, str] | None = None,
    ) -> "BarFeed":
        """Return daily bars; without `actions`, the dividends that adjusted closes imply."""
        data = MarketData.from_panel(panel)
        found = implied_dividends(data) if actions is None else actions
        return cls(data, tuple(found), dict(sectors or {}))

    @classmethod
    def from_bars(
        cls,
        frame: pd.DataFrame,
        *,
        interval: BarInterval = BarInterval.DAY,
        timezone: str = "America/New_York",
        actions: Sequence[CorporateAction] | None = None,
        sectors: Mapping[str, str] | None = None,
    ) -> "BarFeed":
        """Return the bars of a frame.

        `date` of minute and hour bars is when the bar closed, with a zone (UTC in the lake);
        `timezone` tells which session it belongs to. They come without dividends unless `actions`
        names them.
        """
        if interval is BarInterval.DAY:
            return cls.from_panel(Panel.from_bars(frame), actions=actions, sectors=sectors)
        stamps = require_bars(frame)["date"]
        if getattr(stamps.dtype, "tz", None) is None:
            raise DataError(
                "minute and hour bars need timestamps with a time zone; these have none: "
                "localise them to UTC"
            )
        naive = stamps.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[s]")
        panel = Panel.from_bars(frame.assign(date=naive), unit="s")
        zoned = pd.DatetimeIndex(panel.sessions).tz_localize("UTC").tz_convert(timezone)
        days = zoned.tz_localize(None).to_numpy().astype("datetime64[D]")
        fields = {name: getattr(panel, name) for name in ("open", "high", "low", "close")}
        data = MarketData(
            panel.sessions,
            days,
            panel.symbols,
            **fields,
            volume=panel.volume,
            adjusted_close=panel.adjusted_close,
            interval=interval,
        )
        return cls(data, tuple(actions or ()), dict(sectors or {}))

    def since(self, row: int) -> "BarFeed":
        """Return the bars from `row` on, with their actions; nothing is copied or checked again."""
        if row == 0:
            return self
        later = object.__new__(BarFeed)
        object.__setattr__(later, "data", self.data.tail(len(self.data.timestamps) - row))
        object.__setattr__(later, "actions", self.actions)
        object.__setattr__(later, "sectors", self.sectors)
        return later

    @cached_property
    def sessions(self) -> Sessions:
        """Where each bar lies in its session."""
        dates = self.data.sessions
        changes = np.flatnonzero(dates[1:] != dates[:-1]) + 1
        first, last = np.zeros(len(dates), dtype=bool), np.zeros(len(dates), dtype=bool)
        if len(dates):
            first[0] = last[-1] = True
        first[changes] = True
        last[changes - 1] = True
        return Sessions(
            first,
            last,
            np.cumsum(first) - 1,
            dates.astype("datetime64[D]").astype(np.int64),
            dates.astype("datetime64[M]").astype(np.int64),
        )

    @cached_property
    def action_columns(self) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
        """Rows, columns, kinds (0 split, 1 dividend, 2 delisting) and values, in their order.

        An action takes place on the first bar of its ex-date or, without one, of the next session;
        those before the first and after the last session are left out.
        """
        dates = self.data.sessions
        found: list[tuple[int, int, int, float]] = []
        for action in self.actions:
            column = self.data.columns.get(action.symbol)
            kind = ACTION_ORDER.get(action.type)
            if column is None or kind is None or action.value is None:
                continue
            day = np.datetime64(action.ex_date, "D")
            row = int(np.searchsorted(dates, day))
            if row == len(dates) or (row == 0 and dates[0] != day):
                continue
            found.append((row, kind, column, float(action.value)))
        found.sort()
        columns = list(zip(*found, strict=True)) if found else [(), (), (), ()]
        return (
            np.array(columns[0], dtype=np.int64),
            np.array(columns[2], dtype=np.int64),
            np.array(columns[1], dtype=np.int64),
            np.array(columns[3], dtype=np.float64),
        )

    @cached_property
    def sector_codes(self) -> IntArray:
        """Sector `(N,)` of each symbol as a code from 0."""
        names = [self.sectors.get(symbol, "") for symbol in self.data.symbols]
        known = {name: code for code, name in enumerate(sorted(set(names)))}
        return np.array([known[name] for name in names], dtype=np.int64)


def implied_dividends(data: MarketData) -> list[CorporateAction]:
    """Return the cash dividends that the adjusted closes of daily bars imply.

    With the factor f = adjusted close / close, a dividend d that goes ex on a day after the close
    c lowers the factor of all days before it: f before / f after = 1 - d / c. Prices are taken as
    split-adjusted already. The factor of a day is known on that day, so nothing is looked ahead.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = data.adjusted_close / data.close
        drop = 1.0 - factor[:-1] / factor[1:]
        amount = drop * data.close[:-1]
    found = np.isfinite(amount) & (drop > SMALLEST_DIVIDEND) & (drop < 1.0)
    dates = data.sessions.astype("datetime64[D]").tolist()
    return [
        CorporateAction(
            data.symbols[column],
            dates[row + 1],
            CorporateActionType.DIVIDEND,
            float(amount[row, column]),
        )
        for row, column in zip(*map(np.ndarray.tolist, np.nonzero(found)), strict=True)
    ]


def final_delistings(panel: Panel, actions: Sequence[CorporateAction]) -> list[CorporateAction]:
    """Return the delistings among `actions` whose return is known and within the panel.

    As in the dataset of a month they are on the session after the name's last price, see
    `FinalReturns`.
    """
    finals = FinalReturns.of(panel, actions)
    days = panel.sessions.astype("datetime64[D]").tolist()
    return [
        CorporateAction(
            panel.symbols[column],
            days[finals.row[column]],
            CorporateActionType.DELISTING,
            float(finals.value[column]),
        )
        for column in np.flatnonzero(finals.known(len(days)))
    ]


def _require_sane(data: MarketData) -> None:
    for row, column, what in _first_flaws(data):
        raise DataError(
            f"{data.symbols[column]} on {data.sessions[row]}: {what}; clean the bars first"
        )
    if len(data.timestamps) > 1 and not (np.diff(data.timestamps).astype(np.int64) > 0).all():
        raise DataError("the bars' timestamps must be strictly increasing")


def _first_flaws(data: MarketData) -> list[tuple[int, int, str]]:
    """Return the first flaw of each kind, looking at blocks of rows to stay small in memory."""
    for start in range(0, len(data.timestamps), 512):
        o, h, low, c, v = (
            getattr(data, name)[start : start + 512]
            for name in ("open", "high", "low", "close", "volume")
        )
        outside = (o > h) | (o < low) | (c > h) | (c < low) | (low > h)
        for bad, what in (
            ((o <= 0) | (h <= 0) | (low <= 0) | (c <= 0), "a price is not positive"),
            (np.isinf(o) | np.isinf(h) | np.isinf(low) | np.isinf(c), "a price is infinite"),
            (outside, "open or close lies outside low..high"),
            ((v < 0) | np.isinf(v), "the volume is negative or infinite"),
        ):
            if bad.any():
                row, column = np.argwhere(bad)[0]
                return [(start + int(row), int(column), what)]
    return []


def _require_action(action: CorporateAction) -> None:
    value = action.value
    unknown = action.type is CorporateActionType.DELISTING and value is None
    if unknown or action.type is CorporateActionType.LISTING:
        return
    if value is None or not np.isfinite(value):
        raise DataError(f"{action.symbol}: the {action.type} of {action.ex_date} has no value")
    floor = {CorporateActionType.SPLIT: 0.0, CorporateActionType.DIVIDEND: 0.0}.get(action.type)
    if (floor is not None and value <= floor) or value < -1.0:
        raise DataError(
            f"{action.symbol}: a {action.type} of {value} on {action.ex_date} is impossible"
        )
