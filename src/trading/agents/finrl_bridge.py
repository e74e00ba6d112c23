"""FinRL without its installer: `DRLAgent` importable, FinRL's frames readable.

FinRL 0.3.7 declares no dependencies and its package `__init__` imports brokers' clients that pin
old versions of pandas and urllib3. The modules beneath import and run as they are, once `finrl` is
registered as a bare namespace package: its `__init__` is not executed.
"""

import importlib
import importlib.util
import sys
import types
import warnings
from typing import Any

import pandas as pd

from trading.errors import ConfigurationError, DataError
from trading.market.panel import Panel

_MODELS = "finrl.agents.stablebaselines3.models"
_PRICES = ("open", "high", "low", "close", "volume")


def load_drl_agent() -> type[Any]:
    """Return FinRL's `DRLAgent`, which builds and trains Stable-Baselines3 models.

    Raises `ConfigurationError` when FinRL, or what its modules import, is not installed.
    """
    _register_namespace()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            models = importlib.import_module(_MODELS)
    except ImportError as error:
        raise ConfigurationError(
            f"FinRL cannot be imported ({error}); "
            "install the extra: pip install 'trading[training]'"
        ) from error
    agent: type[Any] = models.DRLAgent
    return agent


def panel_from_finrl(frame: pd.DataFrame) -> Panel:
    """Read a frame in FinRL's format as a panel.

    Parameters
    ----------
    frame : one row a `date` and `tic` with `open, high, low, close, volume`; FinRL's indicator
        columns and `day` are left out, features are computed from the bars. FinRL's own downloader
        adjusts `close`; without an `adjusted_close` column it is taken as adjusted.

    Raises
    ------
    DataError
        A column is missing, or a date and tic come twice.
    """
    missing = [name for name in ("date", "tic", *_PRICES) if name not in frame.columns]
    if missing:
        raise DataError(
            f"a FinRL frame needs date, tic, {', '.join(_PRICES)}; it lacks {', '.join(missing)}"
        )
    adjusted = "adjusted_close" if "adjusted_close" in frame.columns else "close"
    bars = pd.DataFrame({"date": pd.to_datetime(frame["date"]), "symbol": frame["tic"].astype(str)})
    bars[list(_PRICES)] = frame[list(_PRICES)].astype("float64")
    bars["adjusted_close"] = frame[adjusted].astype("float64")
    return Panel.from_bars(bars)


def _register_namespace() -> None:
    if "finrl" in sys.modules:
        return
    found = importlib.util.find_spec("finrl")
    if found is None or found.submodule_search_locations is None:
        raise ConfigurationError(
            "FinRL is not installed; install the extra: pip install 'trading[training]'"
        )
    package = types.ModuleType("finrl")
    package.__path__ = list(found.submodule_search_locations)
    package.__spec__ = found
    sys.modules["finrl"] = package
