"""One simulator, one cost model, one set of metrics: nothing else in the domain may define them."""

import ast
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "trading"
FIGURES = {
    "total_return",
    "cagr",
    "annual_return",
    "sharpe",
    "sharpe_ratio",
    "sortino",
    "sortino_ratio",
    "max_drawdown",
    "maximum_drawdown",
    "calmar",
    "win_rate",
    "profit_factor",
    "wilson_interval",
}
SIMULATION = {"hold", "growth_paths"}
MEASURES = SOURCE / "risk" / "measures.py"
TAIL_RISK = {"value_at_risk", "expected_shortfall"}
COSTS = {"commission_bps", "slippage_bps", "impact_coefficient"}
OUTSIDE = sorted(
    path
    for path in SOURCE.rglob("*.py")
    if path.relative_to(SOURCE).parts[0] not in {"backtest", "execution"}
)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def defined(path: Path) -> set[str]:
    """Names of module functions; methods may bear the name of what they pass on."""
    return {
        node.name.lstrip("_") for node in parsed(path).body if isinstance(node, ast.FunctionDef)
    }


def read_attributes(path: Path) -> set[str]:
    return {node.attr for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute)}


def test_no_other_module_defines_a_figure_or_a_simulation() -> None:
    assert [path for path in OUTSIDE if defined(path) & (FIGURES | SIMULATION)] == []


def test_costs_are_only_computed_by_the_cost_model() -> None:
    assert [path for path in OUTSIDE if "impact_coefficient" in read_attributes(path)] == []


def test_value_at_risk_is_defined_once() -> None:
    everywhere = set(SOURCE.rglob("*.py")) - {MEASURES}
    assert [path for path in everywhere if defined(path) & TAIL_RISK] == []


def test_the_rule_sees_what_it_forbids(tmp_path: Path) -> None:
    second = tmp_path / "second.py"
    second.write_text("def sharpe(r): ...\ndef cost(c): return c.impact_coefficient\n")
    assert defined(second) & FIGURES
    assert "impact_coefficient" in read_attributes(second)


def test_the_definitions_are_where_they_are_said_to_be() -> None:
    metrics, holding = SOURCE / "backtest" / "metrics.py", SOURCE / "backtest" / "holding.py"
    assert len(OUTSIDE) > 100
    assert {"sharpe", "max_drawdown", "cagr", "wilson_interval"} <= defined(metrics)
    assert defined(holding) >= SIMULATION
    assert defined(MEASURES) >= TAIL_RISK
    assert read_attributes(SOURCE / "execution" / "slippage.py") >= COSTS
