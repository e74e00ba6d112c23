import sys
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import ClassVar

import pytest

from trading.errors import StrategyError
from trading.strategy.base import INTERFACE_VERSION, BaseStrategy
from trading.strategy.registry import (
    BUILT_IN,
    GROUP,
    Registry,
    available,
    build_strategy,
    strategy_class,
)


def strategy(name="mine", **attributes):
    async def analyze(self, market_data):
        return []

    body = {"name": name, "lookback": 1, "analyze": analyze, "__module__": "plugin"}
    return type("Mine", (BaseStrategy,), body | attributes)


@pytest.fixture
def plugin(monkeypatch):
    """Return a function that puts a class into an importable module."""

    def install(module, **contents):
        made = ModuleType(module)
        for name, value in contents.items():
            setattr(made, name, value)
        monkeypatch.setitem(sys.modules, module, made)

    return install


def points(**targets):
    return [EntryPoint(name, value, GROUP) for name, value in targets.items()]


def test_the_five_strategies_are_there():
    found = available()

    assert {*BUILT_IN, "finrl_signals"} <= set(found)
    assert list(found) == sorted(found)
    for name, cls in found.items():
        assert cls.name == name
        assert cls.interface_version == INTERFACE_VERSION
        assert cls.__doc__
        for field in cls.parameters_type.model_fields.values():
            assert field.description
        assert cls.build().lookback >= 1


def test_a_strategy_is_built_by_name():
    built = build_strategy("momentum", {"threshold": 0.1}, "fast")

    assert type(built) is strategy_class("momentum")
    assert (built.strategy_id, built.get_parameters()["threshold"]) == ("fast", 0.1)
    assert strategy_class("trading.strategy.momentum:Momentum") is type(built)


def test_an_unknown_name_is_refused_with_those_that_are_known():
    with pytest.raises(StrategyError, match=r"no strategy 'momentun'; known: .*momentum"):
        strategy_class("momentun")
    with pytest.raises(StrategyError, match="nowhere:Thing cannot be imported: ModuleNotFound"):
        strategy_class("nowhere:Thing")
    with pytest.raises(StrategyError, match="is not a class derived from"):
        strategy_class("math:pi")


def test_a_registered_class_and_a_plugin_are_found(plugin):
    cls = strategy("from_plugin")
    plugin("some_plugin", Mine=cls)
    registry = Registry({}, lambda: points(from_plugin="some_plugin:Mine"))
    mine = registry.register(strategy("mine"))

    assert registry.available() == {"from_plugin": cls, "mine": mine}
    assert registry.problems() == ()


def test_a_plugin_that_also_registers_itself_is_one_strategy(plugin):
    registry = Registry({}, lambda: points(mine="some_plugin:Mine") * 2)
    plugin("some_plugin", Mine=registry.register(strategy("mine")))

    assert registry.strategy_class("mine").name == "mine"


def test_a_module_that_is_loaded_again_replaces_its_class():
    registry = Registry({}, list)
    registry.register(strategy("mine"))
    newer = registry.register(strategy("mine", version="2"))

    assert registry.strategy_class("mine") is newer


def refuse(*_):
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"Other": 1}, "cannot be imported: AttributeError"),
        ({"Mine": 7}, "is not a class derived from"),
        ({"Mine": strategy("other")}, "calls itself other"),
        ({"Mine": strategy("Bad Name")}, "needs a name of lower-case letters"),
        ({"Mine": strategy("mine", interface_version=99)}, "written for version 99"),
        ({"Mine": strategy("mine", version="")}, "needs a version"),
        ({"Mine": strategy("mine", parameters_type=dict)}, "needs a parameters_type"),
        ({"Mine": BaseStrategy}, "needs a name"),
        ({"__getattr__": refuse}, "cannot be imported: SystemExit"),
    ],
)
def test_a_broken_plugin_is_reported_by_name_and_the_others_stay(plugin, broken, reason):
    good = strategy("good")
    plugin("broken_plugin", **broken)
    plugin("good_plugin", Mine=good)
    targets = {"mine": "broken_plugin:Mine", "good": "good_plugin:Mine"}
    registry = Registry({}, lambda: points(**targets))

    assert registry.available() == {"good": good}
    (problem,) = registry.problems()
    assert (problem.name, problem.source) == ("mine", "broken_plugin:Mine")
    assert reason in problem.reason
    with pytest.raises(StrategyError, match=r"mine \(broken_plugin:Mine\)"):
        registry.strategy_class("mine")


def test_a_module_that_raises_when_imported_is_reported(tmp_path, monkeypatch):
    (tmp_path / "exploding_plugin.py").write_text("raise RuntimeError('boom\\n  twice')")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry({}, lambda: points(mine="exploding_plugin:Mine"))

    assert registry.available() == {}
    assert registry.problems()[0].reason == "cannot be imported: RuntimeError: boom twice"


def test_two_plugins_of_one_name_are_both_refused(plugin):
    plugin("one", Mine=strategy("mine"))
    plugin("two", Mine=strategy("mine"))
    both = [*points(mine="one:Mine"), *points(mine="two:Mine")]
    registry = Registry({}, lambda: both)

    with pytest.raises(StrategyError, match=r"mine \(one:Mine, two:Mine\) is offered more than"):
        registry.strategy_class("mine")
    assert registry.available() == {}


def test_a_plugin_cannot_take_the_name_of_a_built_in_one(plugin):
    plugin("thief", Mine=strategy("momentum"))
    registry = Registry(BUILT_IN, lambda: points(momentum="thief:Mine"))

    with pytest.raises(StrategyError, match="is offered more than once"):
        registry.strategy_class("momentum")
    with pytest.raises(StrategyError, match=r"is taken by trading\.strategy\.momentum"):
        registry.register(strategy("momentum"))


def test_what_cannot_be_used_cannot_be_registered():
    class Abstract(BaseStrategy):
        """Defines nothing."""

        name: ClassVar[str] = "abstract"

    registry = Registry({}, list)
    with pytest.raises(StrategyError, match="does not define analyze, lookback"):
        registry.register(Abstract)
    with pytest.raises(StrategyError, match="is not a class derived from"):
        registry.register(dict)  # type: ignore[type-var]
    assert registry.names() == ()
