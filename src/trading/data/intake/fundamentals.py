"""Fundamentals into the lake: some symbols a day, so that each is told about once a month."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256

from trading.data.intake.intake import Intake
from trading.data.intake.pulse import Pulse
from trading.data.lake import Lake
from trading.data.providers.fundamentals import CompletedFundamentals, complete_fundamentals
from trading.errors import DataError

# Younger figures are not asked again: companies report by the quarter.
FRESH_DAYS = 28


@dataclass(frozen=True)
class Refreshed:
    """What was asked, told and new; `failure` says why nothing came, None where something did."""

    asked: int
    told: int
    new: int
    failure: str | None = None


def refresh_fundamentals(
    intake: Intake, lake: Lake, *, today: date, limit: int, pulse: Pulse | None = None
) -> Refreshed:
    """Ask the fundamentals of up to `limit` symbols of `intake` and keep what is told.

    None is asked that was told within `FRESH_DAYS`, see `stale_symbols`. It never fails for a
    provider, and ends when the time of `pulse` does.
    """
    symbols = stale_symbols(lake, intake.expected or (), today=today, limit=limit)
    if not symbols:
        return Refreshed(0, 0, 0)
    seconds = None if pulse is None else pulse.seconds()
    if seconds is not None and seconds <= 0:
        return Refreshed(0, 0, 0)
    try:
        found = asyncio.run(_within(intake, symbols, seconds))
    except TimeoutError:
        return Refreshed(len(symbols), 0, 0, "the time ran short")
    except DataError as error:
        return Refreshed(len(symbols), 0, 0, str(error))
    if not found.data:
        said = Counter(why for reasons in found.failures.values() for why in reasons)
        failure = said.most_common(1)[0][0] if said else "no provider tells any"
        return Refreshed(len(symbols), 0, 0, failure)
    used = sorted({name for fields in found.sources.values() for name in fields.values()})
    new = lake.ingest_fundamentals(found.data.values(), source=" + ".join(used))
    return Refreshed(len(symbols), len(found.data), new)


def stale_symbols(lake: Lake, symbols: Sequence[str], *, today: date, limit: int) -> list[str]:
    """Return up to `limit` symbols whose fundamentals are to be asked again.

    Half are those of which nothing is known, others every day, since some are never told; the
    rest those known longest ago.
    """
    table = lake.fundamentals(before=today + timedelta(days=1))
    known = {symbol: table.known(symbol, today) for symbol in symbols}
    oldest = today - timedelta(days=FRESH_DAYS)
    stale = sorted((r.as_of, s) for s, r in known.items() if r is not None and r.as_of < oldest)
    unknown = sorted(
        (symbol for symbol, record in known.items() if record is None),
        key=lambda symbol: sha256(f"{today} {symbol}".encode()).digest(),
    )
    first = unknown[: max(limit - len(stale), limit // 2)]
    return [*first, *(symbol for _, symbol in stale[: limit - len(first)])]


async def _within(
    intake: Intake, symbols: Sequence[str], seconds: float | None
) -> CompletedFundamentals:
    async with asyncio.timeout(seconds):
        return await complete_fundamentals(intake.providers, symbols)
