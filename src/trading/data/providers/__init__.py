"""Sources of bars: files of real ones, and a simulated market."""

from collections.abc import Sequence
from pathlib import Path

from trading.config import Settings
from trading.data.providers.base import DataProvider, FetchResult
from trading.data.providers.files import FilesProvider
from trading.data.providers.simulated import SimulatedProvider
from trading.errors import ConfigurationError

__all__ = ["DataProvider", "FetchResult", "FilesProvider", "SimulatedProvider", "open_provider"]


def open_provider(settings: Settings, files: Sequence[Path] = ()) -> DataProvider:
    """Return the provider of `files` when there are any, else the one the settings name."""
    if files:
        return FilesProvider(files, settings)
    if settings.data.provider == "files":
        raise ConfigurationError(
            "data.provider is 'files' but no file was given; name them with --bars FILE..., or set "
            "data.provider to 'simulated'"
        )
    return SimulatedProvider(settings)
