"""What `trading backtest` was asked for: strategies, parameters, settings, sweeps, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, cast

import yaml
from pydantic import ValidationError

from trading.backtest.settings import BacktestSettings, SizerSettings
from trading.backtest.sweep import SweepEngine
from trading.cli.backtest import BacktestOptions
from trading.errors import ConfigurationError, StrategyError
from trading.market.bars import BarInterval
from trading.risk.sizing.fixed_fraction import FixedFraction, FixedFractionParameters
from trading.strategy.base import BaseStrategy
from trading.strategy.registry import REGISTRY, strategy_class

SECTIONS = ("execution", "risk", "sizer")
MOST_VALUES = 10_000


@dataclass(frozen=True)
class StrategyRequest:
    """One strategy of the run: its class, id, share of the capital and given parameters."""

    strategy: type[BaseStrategy]
    strategy_id: str
    fraction: float
    parameters: Mapping[str, Any]

    def build(self) -> BaseStrategy:
        """Return the strategy; `ConfigurationError` names every wrong parameter."""
        try:
            return self.strategy.build(self.strategy_id, **self.parameters)
        except StrategyError as error:
            raise ConfigurationError(str(error)) from error


def read_strategies(text: str, params: Sequence[str]) -> tuple[StrategyRequest, ...]:
    """Read `momentum` or `momentum:0.5,trend_following:0.5`, and the parameters beside it.

    A strategy that is not installed is named by its address, `module:Class` or `module:Class:0.5`,
    and goes by the name that its class has. Strategies without a fraction share what is left
    equally. With several, a parameter names its strategy: `momentum.threshold=0.1`. Raises
    `ConfigurationError`.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ConfigurationError(
            "no strategy is named; give one, as in `trading backtest momentum`"
        )
    places, given = zip(*(_place_and_fraction(part) for part in parts), strict=True)
    fractions = _fractions(given)
    try:
        classes = [strategy_class(place) for place in places]
    except StrategyError as error:
        raise ConfigurationError(str(error)) from error
    names = [found.name for found in classes]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"a strategy is named twice in {text!r}; name each once")
    parameters = _parameters(names, params)
    return tuple(
        StrategyRequest(found, name, fraction, parameters[name])
        for found, name, fraction in zip(classes, names, fractions, strict=True)
    )


def _place_and_fraction(part: str) -> tuple[str, float | None]:
    """Return the name or address of a strategy, and its share of the capital if there is one."""
    place, separator, share = part.rpartition(":")
    if not separator:
        return part, None
    try:
        return place, float(share)
    except ValueError:
        if ":" not in place and place not in REGISTRY.names():
            return part, None
        raise ConfigurationError(
            f"{part!r}: the share of the capital must be a number, as in momentum:0.5"
        ) from None


def _fractions(given: Sequence[float | None]) -> list[float]:
    named = [share for share in given if share is not None]
    open_ones = len(given) - len(named)
    left = 1.0 - sum(named)
    if any(not 0.0 < share <= 1.0 for share in named) or left < -1e-9 or (open_ones and left <= 0):
        raise ConfigurationError(
            f"the strategies' shares of the capital must lie above 0 and sum to at most 1, got "
            f"{', '.join(f'{share:g}' for share in named)}"
        )
    return [left / open_ones if share is None else share for share in given]


def _parameters(names: Sequence[str], params: Sequence[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {name: {} for name in names}
    for key, value in read_assignments(params, "--param").items():
        owner, separator, name = key.partition(".")
        if not separator:
            owner, name = names[0], key
            if len(names) > 1:
                raise ConfigurationError(
                    f"--param {key}: several strategies are named; say whose it is, as in "
                    f"{names[0]}.{key}=…"
                )
        if owner not in found:
            raise ConfigurationError(f"--param {key}: {owner} is not among {', '.join(names)}")
        found[owner][name] = value
    return found


def read_assignments(texts: Sequence[str], option: str) -> dict[str, Any]:
    """Read `name=value` texts; values are YAML. Raises `ConfigurationError`."""
    found: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        name = name.strip()
        if not separator or not name:
            raise ConfigurationError(f"{option} takes name=value, found {text!r}")
        if name in found:
            raise ConfigurationError(f"{option} gives {name} twice")
        found[name] = _yaml(value, f"{option} {name}")
    return found


def _yaml(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{where}: {text!r} is not a YAML value") from error


def split_settings(sets: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the `--set` texts of the backtest (execution, risk, sizer), and all the others."""
    ours = [text for text in sets if text.split("=")[0].split(".")[0].strip() in SECTIONS]
    return ours, [text for text in sets if text not in ours]


def read_settings(options: BacktestOptions) -> BacktestSettings:
    """Return the settings of a run; raises `ConfigurationError` naming every mistake."""
    ours, _ = split_settings(options.sets)
    assigned = read_assignments(ours, "--set")
    if options.fill is not None:
        assigned["execution.fill"] = options.fill
    if options.cash is not None:
        assigned["execution.initial_cash"] = Decimal(str(options.cash))
    if options.sizer is not None:
        assigned["sizer.name"] = options.sizer
    for name, value in read_assignments(options.sizer_params, "--sizer-param").items():
        assigned[f"sizer.parameters.{name}"] = value
    try:
        return BacktestSettings.model_validate(nested(assigned))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigurationError("the settings are invalid: " + "; ".join(lines)) from error


def nested(assigned: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"a.b": 1}` as `{"a": {"b": 1}}`; `ConfigurationError` where `a` is a value too."""
    tree: dict[str, Any] = {}
    for path, value in assigned.items():
        *parents, leaf = path.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ConfigurationError(f"--set {path}: {parent} was set to {node!r} before")
        node[leaf] = value
    return tree


def read_ranges(texts: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Read `name=1,2,3` and `name=from:to:step` (both ends included); `ConfigurationError`."""
    found: dict[str, tuple[Any, ...]] = {}
    for text in texts:
        name, separator, values = text.partition("=")
        name = name.strip()
        if not separator or not name or not values.strip():
            raise ConfigurationError(
                f"--sweep takes name=1,2,3 or name=from:to:step, found {text!r}"
            )
        if name in found:
            raise ConfigurationError(f"--sweep gives {name} twice")
        found[name] = (
            _steps(name, values)
            if ":" in values
            else tuple(_yaml(value, f"--sweep {name}") for value in values.split(","))
        )
    return found


def _steps(name: str, text: str) -> tuple[Any, ...]:
    try:
        start, end, step = (Decimal(part.strip()) for part in text.split(":"))
    except (ValueError, InvalidOperation):
        raise ConfigurationError(
            f"--sweep {name}: {text!r} is not from:to:step, as in 20:120:20"
        ) from None
    if not all(part.is_finite() for part in (start, end, step)) or step <= 0 or end < start:
        raise ConfigurationError(f"--sweep {name}: expected from <= to and step > 0, got {text!r}")
    count = int((end - start) / step) + 1
    if count > MOST_VALUES:
        raise ConfigurationError(f"--sweep {name}: {count:,} values are too many; widen the step")
    whole = all(part == part.to_integral_value() for part in (start, step))
    values = (start + place * step for place in range(count))
    return tuple(int(value) if whole else float(value) for value in values)


def read_engine(name: str) -> SweepEngine:
    """Return the sweep engine of that name; raises `ConfigurationError`."""
    if name not in ("processes", "ray"):
        raise ConfigurationError(f"--engine {name}: expected processes or ray")
    return cast(SweepEngine, name)


def read_interval(name: str) -> BarInterval:
    """Return the bar interval of that name; raises `ConfigurationError`."""
    try:
        return BarInterval(name)
    except ValueError:
        known = ", ".join(BarInterval)
        raise ConfigurationError(f"--interval {name}: expected one of {known}") from None


def spread_over(sizer: SizerSettings, names: int) -> SizerSettings:
    """Return a fraction of 1/N a name where nobody chose another.

    Among many names the sizer's own default would spend all money on the first few.
    """
    default = FixedFractionParameters().fraction
    if sizer.name != FixedFraction.name or sizer.parameters or names * default <= 1.0:
        return sizer
    return sizer.model_copy(update={"parameters": {"fraction": 1.0 / names}})
