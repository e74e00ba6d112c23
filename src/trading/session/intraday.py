"""Minute and hour bars of files that another program may be appending to, in any order."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pandas as pd

from trading.backtest.feed import BarFeed
from trading.data.columns import match_columns
from trading.errors import DataError
from trading.market.bars import BAR_COLUMNS, BarInterval
from trading.session.clock import Clock
from trading.session.intake import BarProblem, clean_stream, problem
from trading.session.sources import columns_of


class IntradaySource:
    """Bars of Parquet and CSV files, read once, or again and again.

    Parameters
    ----------
    files : each with zoned timestamps of when its bars closed
    symbols : the universe; None: every symbol of the first reading
    every : time between two readings; None: the files are read once

    What is wrong with rows (`intake.clean_stream`) is named; the rest is traded.
    """

    simulated = False

    def __init__(
        self,
        files: Sequence[Path],
        clock: Clock,
        *,
        interval: BarInterval,
        symbols: Sequence[str] | None = None,
        every: timedelta | None = None,
        sectors: Mapping[str, str] | None = None,
    ) -> None:
        self.name = ", ".join(file.name for file in files)
        self._files = tuple(files)
        self._clock = clock
        self._interval = interval
        self._symbols = None if symbols is None else tuple(symbols)
        self._every = every
        self._sectors = dict(sectors or {})

    @property
    def growing(self) -> bool:
        """Whether the last bar of the files may not be the last of its session."""
        return self._every is not None

    @property
    def symbols(self) -> tuple[str, ...]:
        """The universe; empty before the first reading."""
        return self._symbols or ()

    async def load(self) -> tuple[BarFeed, list[BarProblem]]:
        """Read the files; raises `DataError` where they hold no usable bar."""
        raw = pd.concat([read_intraday(file) for file in self._files], ignore_index=True)
        frame, found = clean_stream(raw, now=self._clock.now() if self.growing else None)
        if frame.empty:
            raise DataError(f"{self.name} holds no usable bar; the faults: {found}")
        feed = BarFeed.from_bars(frame, interval=self._interval)
        if self._symbols is None:
            self._symbols = feed.data.symbols
        strange = sorted(set(feed.data.symbols) - set(self._symbols))
        found += problem("unknown_symbol", strange)
        return BarFeed(columns_of(feed.data, self._symbols), (), self._sectors), found

    async def wait(self) -> bool:
        """Wait for the next time to read."""
        if self._every is None:
            return False
        await self._clock.wait_until(self._clock.now() + self._every)
        return True


def read_intraday(file: Path) -> pd.DataFrame:
    """Return the rows of a file in their order, under the names of a bar's fields.

    Raises `DataError` when it is missing, cannot be read, lacks a column or has a timestamp without
    a zone.
    """
    if not file.is_file():
        raise DataError(f"there is no file {file}")
    try:
        raw = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise DataError(f"{file.name} cannot be read ({error})") from error
    found = match_columns(raw.columns, file.name)
    frame = pd.DataFrame({name: raw[column] for name, column in found.items()})
    try:
        frame["date"] = pd.to_datetime(frame["date"], format="ISO8601")
    except (ValueError, TypeError) as error:
        raise DataError(f"{file.name}: a timestamp cannot be read ({error})") from error
    if "adjusted_close" not in frame:
        frame["adjusted_close"] = frame["close"]
    return frame[list(BAR_COLUMNS)]
