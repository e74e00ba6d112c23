"""A new strategy as a package of its own: entry point, strategy and a test that passes."""

import keyword
from importlib.util import find_spec
from pathlib import Path
from string import Template

from trading.errors import StrategyError
from trading.strategy.registry import NAME

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "$distribution"
version = "0.1.0"
description = "A trading strategy"
requires-python = ">=3.11"
dependencies = ["trading[backtest]"]

[project.entry-points."trading.strategies"]
$name = "$name.strategy:$cls"

[tool.hatch.build.targets.wheel]
packages = ["src/$name"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["src"]
"""

README = """\
# $cls

Try it without installing, from this folder:

    PYTHONPATH=src trading strategies show $name.strategy:$cls
    PYTHONPATH=src trading backtest $name.strategy:$cls
    PYTHONPATH=src python -m pytest

Install it (`pip install -e .`) and it is `$name` wherever a strategy is named; `trading strategies
list` shows it.
"""

INIT = '''\
"""$cls: a trading strategy."""
'''

STRATEGY = '''\
"""$cls: long while the price lies above its moving average."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from trading.market.market_data import MarketData
from trading.market.rolling import rolling_mean
from trading.strategy.base import PanelStrategy, Parameters
from trading.strategy.crossing import UNKNOWN, crossing_signals
from trading.strategy.registry import register
from trading.strategy.signals import Signals


class ${cls}Parameters(Parameters):
    """What can be set from outside: `--param window=100`."""

    window: int = Field(50, ge=2, le=2_520, description="Bars in the moving average.")


@register
class $cls(PanelStrategy):
    """Long while the adjusted close lies above its average over `window` bars, else flat."""

    name: ClassVar[str] = "$name"
    version: ClassVar[str] = "1"
    parameters_type: ClassVar[type[Parameters]] = ${cls}Parameters
    parameters: ${cls}Parameters

    @property
    def lookback(self) -> int:
        """The window on the last bar and on the one before."""
        return self.parameters.window + 1

    def signal_panel(self, market_data: MarketData) -> Signals:
        """Return a BUY where the price crosses above its average, a SELL where below."""
        closes = market_data.adjusted_close
        average = rolling_mean(closes, self.parameters.window)
        exposure = np.where(closes > average, 1, 0).astype(np.int8)
        exposure[np.isnan(average)] = UNKNOWN
        return crossing_signals(self, market_data, exposure)
'''

TEST = """\
import asyncio

import numpy as np
import pytest

from $name.strategy import $cls
from trading.errors import ParameterError
from trading.market.market_data import MarketData
from trading.market.panel import Panel
from trading.strategy.registry import strategy_class


def market(closes: np.ndarray) -> MarketData:
    sessions = np.datetime64("2024-01-01") + np.arange(len(closes))
    symbols = tuple(f"S{column}" for column in range(closes.shape[1]))
    fields = dict.fromkeys(("open", "high", "low", "close", "volume", "adjusted_close"), closes)
    return MarketData.from_panel(Panel(sessions, symbols, **fields))


def test_it_buys_above_its_average_and_sells_below():
    closes = np.array([[10.0], [10.0], [10.0], [13.0], [14.0], [8.0]])

    signals = $cls.build(window=3).signal_panel(market(closes))

    told = [(int(row), signal.action) for row, signal in zip(signals.rows, signals, strict=True)]
    assert told == [(2, "SELL"), (3, "BUY"), (5, "SELL")]


def test_a_live_decision_is_that_of_the_backtest():
    rng = np.random.default_rng(0)
    data = market(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (120, 5)), axis=0)))
    strategy = $cls.build(window=10)
    panel = strategy.signal_panel(data)
    assert len(panel) > 0

    for row in range(len(data.timestamps)):
        assert list(asyncio.run(strategy.analyze(data.upto(row)))) == list(panel.at(row))


def test_a_window_out_of_bounds_is_refused():
    with pytest.raises(ParameterError, match="window"):
        $cls.build(window=1)


def test_it_is_registered():
    assert strategy_class("$name") is $cls
"""

FILES = {
    "pyproject.toml": PYPROJECT,
    "README.md": README,
    "src/$name/__init__.py": INIT,
    "src/$name/strategy.py": STRATEGY,
    "tests/test_$name.py": TEST,
}


def scaffold(name: str, folder: Path) -> tuple[Path, ...]:
    """Write a plugin package into `folder / name` and return its files.

    Raises
    ------
    StrategyError
        The name is no name for a strategy and a module, or the folder is there already.
    """
    if not NAME.fullmatch(name) or keyword.iskeyword(name) or name in ("trading", "tests"):
        raise StrategyError(
            f"{name!r} cannot name a strategy; use lower-case letters, digits and underscores, a "
            "letter first, and no word of Python"
        )
    if find_spec(name) is not None:
        raise StrategyError(
            f"{name} is a Python module already, which the new one would hide; choose another name"
        )
    root = folder / name
    if root.exists():
        raise StrategyError(f"{root} is there already; choose another name or folder")
    words = {
        "name": name,
        "cls": "".join(part.capitalize() for part in name.split("_")),
        "distribution": name.replace("_", "-").strip("-"),
    }
    written = []
    for relative, text in FILES.items():
        path = root / Template(relative).substitute(words)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(Template(text).substitute(words), encoding="utf-8")
        except OSError as error:
            raise StrategyError(f"{path} cannot be written: {error.strerror}") from error
        written.append(path)
    return tuple(written)
