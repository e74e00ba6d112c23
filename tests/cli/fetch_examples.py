"""A small market on a local server, and the commands that fetch from it."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd

PROVIDERS = Path(__file__).parents[1] / "data" / "providers"
if str(PROVIDERS) not in sys.path:
    sys.path.insert(0, str(PROVIDERS))

from faulty_server import FaultyServer  # noqa: E402
from vendor_services import KEYS, Market, Reply, Services  # noqa: E402

from trading.data.lake import Lake  # noqa: E402
from trading.data.store.folder import FolderStore  # noqa: E402

FIRST, LAST = date(2024, 5, 1), date(2024, 6, 28)
REPOSITORY = Path(__file__).parents[2]


class Site:
    """A server that answers as the services do about `market`, and the environment that asks it.

    `seen` counts the requests of each service.
    """

    def __init__(
        self,
        symbols: int = 30,
        *,
        rate: float = 0.0,
        first: date = FIRST,
        last: date = LAST,
        faults: Sequence[str] | None = None,
        seed: int = 1,
    ) -> None:
        self.names = [f"T{i:04d}" for i in range(symbols)]
        self.market = Market(self.names, first, last)
        more = {} if faults is None else {"faults": faults}
        self.services = Services(self.market, rate=rate, seed=seed, **more)
        self._server = FaultyServer(self.services)

    def __enter__(self) -> "Site":
        self._server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def slow_down(self, seconds: float) -> None:
        """Let every answer take that long; answers are made one after the other."""
        reply = self.services.reply

        def slowly(*question: Any) -> Reply:
            time.sleep(seconds)
            return reply(*question)

        self.services.reply = slowly  # type: ignore[method-assign]

    @property
    def seen(self) -> dict[str, int]:
        return self.services.seen

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables by which the commands ask this server, with its keys."""
        variables = {
            "POLYGON_API_KEY": KEYS["polygon"],
            "ALPHA_VANTAGE_API_KEY": KEYS["alpha_vantage"],
            "IEX_TOKEN": KEYS["iex"],
            "TRADING_DATA__MIN_SYMBOLS": "1",
            "TRADING_DATA__PROVIDERS__BACKOFF_SECONDS": "0.01",
            "TRADING_DATA__PROVIDERS__TIMEOUT_SECONDS": "5",
        }
        for name in ("polygon", "yahoo", "alpha_vantage", "iex"):
            prefix = f"TRADING_DATA__PROVIDERS__{name.upper()}__"
            variables[prefix + "BASE_URL"] = self._server.base_url(name)
            variables[prefix + "REQUESTS_PER_MINUTE"] = "60000"
        return variables | more


def stored_bars(lake: Path) -> pd.DataFrame:
    """Return every bar that a folder's lake serves."""
    return Lake(FolderStore(lake)).bars(None, before=date(2035, 1, 1))


def wrong_bars(site: Site, lake: Path) -> pd.DataFrame:
    """Return the stored bars that are not the market's; the split moves the scale only."""
    bars = stored_bars(lake)
    return site.market.wrong_rows(bars.assign(adjusted_close=bars["close"]))


def start(arguments: Sequence[str], environment: dict[str, str]) -> "subprocess.Popen[str]":
    """Start the command as a user's shell would."""
    code = "import sys; from trading.cli.app import main; main(sys.argv[1:])"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src"), "COLUMNS": "100"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
