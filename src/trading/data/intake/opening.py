"""Make an intake of the settings."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from trading.config import Settings
from trading.data.intake.intake import Intake
from trading.data.lake import Lake
from trading.data.providers import NETWORK_PROVIDERS, open_provider
from trading.data.providers.base import DataProvider
from trading.data.providers.clock import Clock
from trading.data.providers.keys import KeyResolver
from trading.data.store.base import ObjectStore
from trading.errors import DataError

# A symbol belongs to a lake when it has a bar in one of its last sessions.
RECENT_SESSIONS = 5


def open_intake(
    settings: Settings,
    store: ObjectStore,
    *,
    expected: Sequence[str] | None = None,
    keys: KeyResolver | None = None,
    clock: Clock | None = None,
) -> Intake:
    """Return the intake of the provider that the settings name, and of its backups.

    Parameters
    ----------
    settings : `data.provider`, `data.providers`
    store : the lake's
    expected : the universe: what a run that names no symbols has to bring; by default the symbols
        of the lake's last sessions, or whoever comes where there are none
    keys : where API keys come from; by default the environment
    clock : stands in for the machine's in tests

    Raises
    ------
    ConfigurationError
        An API key or a base URL is missing, or a plan is unknown.
    """
    providers = open_providers(settings, keys=keys, clock=clock)
    if expected is None and not providers[0].simulated:
        expected = recent_symbols(Lake(store)) or None
    return Intake(store, settings, providers, expected=expected, clock=clock)


def open_providers(
    settings: Settings, *, keys: KeyResolver | None = None, clock: Clock | None = None
) -> tuple[DataProvider, ...]:
    """Return the provider that the settings name and its backups, each on its own."""
    name = settings.data.provider
    if name not in NETWORK_PROVIDERS:
        return (open_provider(settings),)
    names = [name, *(b for b in settings.data.providers.backups if b != name)]
    return tuple(NETWORK_PROVIDERS[n](settings, keys=keys, clock=clock) for n in names)


def recent_symbols(lake: Lake) -> tuple[str, ...]:
    """Return the symbols with a bar in the lake's last sessions, sorted; none of an empty lake."""
    held = lake.sessions()
    if not len(held):
        return ()
    last: date = held[-1].astype(object)
    try:
        _, names, close = lake.field(
            "close",
            before=last + timedelta(days=1),
            start=held[-RECENT_SESSIONS:][0].astype(object),
        )
    except DataError:
        return ()
    present = np.flatnonzero(~np.isnan(close).all(axis=0))
    return tuple(sorted(names[n] for n in present))
