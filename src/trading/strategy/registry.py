"""Which strategies there are: the built-in ones, registered classes, and plugins.

A plugin is a distribution with an entry point in the group `trading.strategies`::

    [project.entry-points."trading.strategies"]
    my_strategy = "my_package.strategy:MyStrategy"

A plugin that cannot be imported, or was written for another version of the interface, is reported
by name and left out; the others are not touched by it.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, TypeVar

from trading.errors import StrategyError
from trading.strategy.base import INTERFACE_VERSION, BaseStrategy, Parameters

GROUP = "trading.strategies"
BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "mean_reversion": "trading.strategy.mean_reversion:MeanReversion",
        "momentum": "trading.strategy.momentum:Momentum",
        "stat_arbitrage": "trading.strategy.stat_arbitrage:StatArbitrage",
        "trend_following": "trading.strategy.trend_following:TrendFollowing",
    }
)
DOUBLED = "is offered more than once; uninstall or rename one"
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

AnyStrategy = TypeVar("AnyStrategy", bound=type[BaseStrategy])


@dataclass(frozen=True, slots=True)
class Problem:
    """A strategy that was left out: its name, where it comes from, and why."""

    name: str
    source: str
    reason: str


class Registry:
    """Strategies by name, imported when they are first asked for.

    Parameters
    ----------
    built_in : name -> `module:Class`
    plugins : returns the entry points of the group; called once
    """

    def __init__(
        self,
        built_in: Mapping[str, str],
        plugins: Callable[[], Iterable[EntryPoint]] = lambda: entry_points(group=GROUP),
    ) -> None:
        self._built_in = dict(built_in)
        self._plugins = plugins
        self._found: dict[str, list[str]] | None = None
        self._classes: dict[str, type[BaseStrategy]] = {}
        self._problems: dict[str, Problem] = {}
        self._resolved: set[str] = set()

    def register(self, cls: AnyStrategy) -> AnyStrategy:
        """Make a strategy known by its `name`; a decorator.

        Raises
        ------
        StrategyError
            It is not a usable strategy, or another one has the name.
        """
        wrong = defect(cls)
        if wrong:
            raise StrategyError(f"{getattr(cls, '__qualname__', repr(cls))} {wrong}")
        here = _address(cls)
        known = self._classes.get(cls.name)
        # Reloading a module (a notebook) registers the same address again.
        taken = _address(known) if known is not None else self._built_in.get(cls.name, here)
        if taken != here:
            raise StrategyError(
                f"the strategy name {cls.name} of {here} is taken by {taken}; choose another name"
            )
        self._classes[cls.name] = cls
        return cls

    def strategy_class(self, name: str) -> type[BaseStrategy]:
        """Return the strategy of this name, or at this address (`module:Class`).

        Raises
        ------
        StrategyError
            There is none, it cannot be imported or used, or two have the name.
        """
        if ":" in name:
            return self._at(name)
        self._resolve(name)
        if name in self._problems:
            problem = self._problems[name]
            raise StrategyError(f"the strategy {name} ({problem.source}) {problem.reason}")
        if name not in self._classes:
            raise StrategyError(
                f"there is no strategy {name!r}; known: {', '.join(self.names()) or 'none'}"
            )
        return self._classes[name]

    def names(self) -> tuple[str, ...]:
        """Return every name that is offered, usable or not, sorted; imports nothing."""
        return tuple(sorted({*self._offers(), *self._classes}))

    def available(self) -> dict[str, type[BaseStrategy]]:
        """Return the usable strategies by name, sorted; `problems` tells what was left out."""
        usable: dict[str, type[BaseStrategy]] = {}
        for name in self.names():
            try:
                usable[name] = self.strategy_class(name)
            except StrategyError:
                # Kept in `problems`, which is how it is reported.
                continue
        return usable

    def problems(self) -> tuple[Problem, ...]:
        """Return what was found unusable so far, by name."""
        return tuple(problem for _, problem in sorted(self._problems.items()))

    def _offers(self) -> dict[str, list[str]]:
        if self._found is None:
            self._found = {name: [target] for name, target in self._built_in.items()}
            for point in self._plugins():
                # An editable install can list the same entry point twice.
                targets = self._found.setdefault(point.name, [])
                if point.value not in targets:
                    targets.append(point.value)
        return self._found

    def _resolve(self, name: str) -> None:
        """Import what is offered by this name, once, and keep the class or what is wrong."""
        if name in self._resolved:
            return
        self._resolved.add(name)
        targets = self._offers().get(name, [])
        if len(targets) > 1:
            self._refuse(name, ", ".join(targets), DOUBLED)
        elif targets:
            self._load(name, targets[0])

    def _at(self, address: str) -> type[BaseStrategy]:
        cls, wrong = _import(address)
        wrong = wrong or defect(cls)
        if wrong:
            raise StrategyError(f"the strategy {address} {wrong}")
        found: type[BaseStrategy] = cls
        return found

    def _load(self, name: str, target: str) -> None:
        cls, wrong = _import(target)
        wrong = wrong or defect(cls)
        registered = self._classes.get(name, cls)
        if wrong:
            self._refuse(name, target, wrong)
        elif cls.name != name:
            self._refuse(name, target, f"calls itself {cls.name}; name the entry point so too")
        elif registered is not cls:
            self._refuse(name, f"{target}, {_address(registered)}", DOUBLED)
        else:
            self._classes[name] = cls

    def _refuse(self, name: str, source: str, reason: str) -> None:
        self._problems[name] = Problem(name, source, reason)


def defect(found: Any) -> str:
    """Return what keeps a class from being a usable strategy, or an empty text."""
    if not (isinstance(found, type) and issubclass(found, BaseStrategy)):
        return "is not a class derived from trading.strategy.base.BaseStrategy"
    cls: Any = found  # Its author may have set anything.
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return f"needs a name of lower-case letters, digits and underscores, got {name!r}"
    if cls.interface_version != INTERFACE_VERSION:
        return (
            f"was written for version {cls.interface_version} of the interface, this is version "
            f"{INTERFACE_VERSION}; install a release of the plugin that fits"
        )
    if inspect.isabstract(cls):
        return f"does not define {', '.join(sorted(cls.__abstractmethods__))}"
    if not isinstance(cls.version, str) or not cls.version:
        return f"needs a version, a text, got {cls.version!r}"
    if not (isinstance(cls.parameters_type, type) and issubclass(cls.parameters_type, Parameters)):
        return "needs a parameters_type derived from trading.strategy.base.Parameters"
    return ""


def _address(cls: type[BaseStrategy]) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _import(target: str) -> tuple[Any, str]:
    """Return what lies at `module:Class`, and why it cannot be had."""
    module, _, path = target.partition(":")
    try:
        found: Any = importlib.import_module(module.strip())
        for part in path.strip().split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may do anything
        text = " ".join(str(error).split())
        return None, f"cannot be imported: {type(error).__name__}: {text}"
    return found, ""


REGISTRY = Registry(BUILT_IN)
register = REGISTRY.register


def strategy_class(name: str) -> type[BaseStrategy]:
    """Return the strategy of this name; see `Registry.strategy_class`."""
    return REGISTRY.strategy_class(name)


def available() -> dict[str, type[BaseStrategy]]:
    """Return the usable strategies by name; see `Registry.available`."""
    return REGISTRY.available()


def problems() -> tuple[Problem, ...]:
    """Return the strategies that were left out; see `Registry.problems`."""
    return REGISTRY.problems()


def build_strategy(
    name: str, parameters: Mapping[str, Any] | None = None, strategy_id: str = ""
) -> BaseStrategy:
    """Return a strategy by name; raises `StrategyError`, `ParameterError` for its parameters."""
    cls = strategy_class(name)
    return cls.build(strategy_id, **(parameters or {}))
