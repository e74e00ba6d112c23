"""Sources of bars: files of real ones, a simulated market, and the services of the network."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from trading.config import ProviderName, Settings
from trading.data.providers.alpha_vantage import AlphaVantageProvider
from trading.data.providers.base import DataProvider, Disagreement, FetchResult, MissingBars
from trading.data.providers.fallback import FallbackProvider
from trading.data.providers.files import FilesProvider
from trading.data.providers.iex import IexProvider
from trading.data.providers.keys import KeyResolver
from trading.data.providers.polygon import PolygonProvider
from trading.data.providers.simulated import SimulatedProvider
from trading.data.providers.vendor import CallEstimate, NetworkProvider
from trading.data.providers.yahoo import YahooProvider
from trading.errors import ConfigurationError

__all__ = [
    "NETWORK_PROVIDERS",
    "AlphaVantageProvider",
    "CallEstimate",
    "DataProvider",
    "Disagreement",
    "FallbackProvider",
    "FetchResult",
    "FilesProvider",
    "IexProvider",
    "MissingBars",
    "NetworkProvider",
    "PolygonProvider",
    "SimulatedProvider",
    "YahooProvider",
    "open_provider",
]

NETWORK_PROVIDERS: Final[dict[ProviderName, type[NetworkProvider]]] = {
    "polygon": PolygonProvider,
    "alpha_vantage": AlphaVantageProvider,
    "yahoo": YahooProvider,
    "iex": IexProvider,
}


def open_provider(
    settings: Settings,
    files: Sequence[Path] = (),
    *,
    expected: Sequence[str] | None = None,
    keys: KeyResolver | None = None,
) -> DataProvider:
    """Return the provider of `files` when there are any, else the one the settings name.

    A provider of the network comes with its backups (`data.providers.backups`).

    Parameters
    ----------
    settings : `data.provider`, `data.providers`
    files : files or folders of real bars
    expected : the universe: what a fetch of every symbol has to bring (network only)
    keys : where API keys come from; by default the environment

    Raises
    ------
    ConfigurationError
        A file, an API key or a base URL is missing, or a plan is unknown.
    """
    if files:
        return FilesProvider(files, settings)
    name = settings.data.provider
    if name == "files":
        raise ConfigurationError(
            "data.provider is 'files' but no file was given; name them with --bars FILE..., or set "
            "data.provider to 'simulated'"
        )
    if name == "simulated":
        return SimulatedProvider(settings)
    names = [name, *(b for b in settings.data.providers.backups if b != name)]
    providers = [NETWORK_PROVIDERS[each](settings, keys=keys) for each in names]
    return FallbackProvider(providers, settings, expected=expected)
