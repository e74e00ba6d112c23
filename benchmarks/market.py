"""Simulated bars for the benchmarks: a market factor, idiosyncratic noise, gaps and ranges."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
TimeArray = npt.NDArray[np.datetime64]

FIELDS = ("open", "high", "low", "close", "volume")
MINUTES_A_SESSION = 390
FIRST_SESSION = np.datetime64("2012-01-02")


@dataclass(frozen=True, eq=False)
class Market:
    """Bars of every symbol in every row; none is missing, since the engines differ on gaps.

    Attributes
    ----------
    timestamps : (T,) datetime64[s], UTC: when each bar closed
    sessions : (T,) datetime64[D]
    symbols : N names
    open, high, low, close, volume : (T, N) float64
    minutes : whether these are minute bars
    """

    timestamps: TimeArray
    sessions: TimeArray
    symbols: tuple[str, ...]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    minutes: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """`(T, N)`: bars, symbols."""
        return self.close.shape[0], self.close.shape[1]

    def save(self, folder: Path) -> None:
        """Write one .npy file per array, so that a measured process only reads."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("timestamps", "sessions", *FIELDS):
            np.save(folder / f"{name}.npy", getattr(self, name))
        np.save(folder / "symbols.npy", np.array(self.symbols))
        np.save(folder / "minutes.npy", np.array(self.minutes))

    @classmethod
    def load(cls, folder: Path) -> "Market":
        """Read what `save` wrote."""
        arrays = {
            name: np.load(folder / f"{name}.npy") for name in ("timestamps", "sessions", *FIELDS)
        }
        symbols = tuple(str(name) for name in np.load(folder / "symbols.npy"))
        return cls(symbols=symbols, minutes=bool(np.load(folder / "minutes.npy")), **arrays)


def simulate(symbols: int, bars: int, *, seed: int = 7, minutes: bool = False) -> Market:
    """Return a market of `bars` daily (or minute) bars; the same seed gives the same market.

    Daily deviations: 1 % of the market, 2 % of a name, a drift of 8 % a year. Rows are made in
    blocks, to keep the memory near that of the result.
    """
    rng = np.random.default_rng(seed)
    scale = 1.0 / np.sqrt(MINUTES_A_SESSION) if minutes else 1.0
    betas = rng.uniform(0.5, 1.5, symbols)
    price = rng.uniform(20.0, 200.0, symbols)
    fields = {name: np.empty((bars, symbols)) for name in FIELDS}
    for first in range(0, bars, 512):
        rows = slice(first, min(first + 512, bars))
        count = rows.stop - rows.start
        factor = rng.normal(0.0003 * scale**2, 0.01 * scale, (count, 1))
        gaps = rng.normal(0.0, 0.006 * scale, (count, symbols)) + 0.3 * betas * factor
        moves = rng.normal(0.0, 0.019 * scale, (count, symbols)) + 0.7 * betas * factor
        close = price * np.exp(np.cumsum(gaps + moves, axis=0))
        before = np.concatenate([price[None], close[:-1]])
        opening = before * np.exp(gaps)
        reach = np.abs(rng.normal(0.0, 0.008 * scale, (2, count, symbols)))
        fields["open"][rows], fields["close"][rows] = opening, close
        fields["high"][rows] = np.maximum(opening, close) * (1.0 + reach[0])
        fields["low"][rows] = np.minimum(opening, close) / (1.0 + reach[1])
        fields["volume"][rows] = np.rint(rng.lognormal(13.0, 0.6, (count, symbols)))
        price = close[-1]
    timestamps, sessions = _minutes(bars) if minutes else _days(bars)
    names = tuple(f"S{number:04d}" for number in range(symbols))
    return Market(timestamps, sessions, names, **fields, minutes=minutes)


def _days(bars: int) -> tuple[TimeArray, TimeArray]:
    sessions: TimeArray = np.busday_offset(FIRST_SESSION, np.arange(bars))
    closes: TimeArray = np.add(sessions.astype("datetime64[s]"), np.timedelta64(86_399, "s"))
    return closes, sessions


def _minutes(bars: int) -> tuple[TimeArray, TimeArray]:
    days, minute = np.divmod(np.arange(bars), MINUTES_A_SESSION)
    sessions: TimeArray = np.busday_offset(FIRST_SESSION, days)
    opening = np.timedelta64(14 * 60 + 30, "m")
    later = opening + (minute + 1).astype("timedelta64[m]")
    closes: TimeArray = np.add(sessions.astype("datetime64[m]"), later)
    return closes.astype("datetime64[s]"), sessions
