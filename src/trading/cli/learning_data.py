"""What is learnt from: bars of files, or a simulated market, as the dataset of a month."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from trading.config import Settings
from trading.data.providers import open_provider
from trading.errors import DataError
from trading.features.dataset import FILE, Dataset, build_dataset
from trading.market.bars import FIELDS
from trading.market.panel import Panel
from trading.month.backfill import current_month_start, fetch_history, refuse_unseen
from trading.universe.constituents import members_for
from trading.universe.slots import allocate


@dataclass(frozen=True)
class LearningData:
    """A dataset, where its bars come from in words, and whether that market is invented."""

    dataset: Dataset
    source: str
    simulated: bool


def learning_data(bars: Sequence[Path], as_of: date | None, settings: Settings) -> LearningData:
    """Return the dataset as of a day, of files of bars or else of the simulated market.

    Parameters
    ----------
    bars : Parquet or CSV files; none for the simulated market
    as_of : bars strictly before it count; by default the session after the last bar of the files,
        or the first session of the present month

    Raises
    ------
    DataError
        There are too few bars before that day.
    """
    provider = open_provider(settings, tuple(bars))
    if provider.simulated:
        day = as_of or current_month_start(settings)
        start = settings.data.simulated.start
        if start >= day:
            raise DataError(f"the simulated market begins on {start}; choose a later --as-of")
        fetched = asyncio.run(provider.fetch(None, start, day))
    else:
        fetched, following = fetch_history(provider, settings)
        day = as_of or following
    refuse_unseen(fetched, day)
    panel = Panel.from_bars(fetched.bars).before(day)
    members = members_for(panel, None, day, settings.universe)
    slots, _ = allocate(None, members, day, settings.universe)
    digest = panel_digest(panel)
    dataset = build_dataset(panel, slots, settings, data_hash=digest, actions=fetched.actions)
    return LearningData(dataset, fetched.report.source, provider.simulated)


def stored_dataset(place: Path) -> Dataset:
    """Return a dataset that was saved: its file, or the folder of it; raises `DataError`."""
    return Dataset.load(place.parent if place.name == FILE else place)


def panel_digest(panel: Panel) -> str:
    """Return the sha256 of a panel: symbols, sessions and every field."""
    digest = hashlib.sha256("\n".join(panel.symbols).encode())
    digest.update(panel.sessions.astype("datetime64[D]").astype(np.int64).tobytes())
    for name in FIELDS:
        digest.update(np.ascontiguousarray(getattr(panel, name)).tobytes())
    return digest.hexdigest()
