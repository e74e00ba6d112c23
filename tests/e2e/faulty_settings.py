"""The settings of the small month that faults strike: every challenger passes its gate."""

from collections.abc import Mapping
from typing import Any

from faulty_market import FaultyMarket

EVERYTHING_PASSES = {
    "min_months": 2,
    "min_sharpe": -1e6,
    "max_drawdown": 1.0,
    "min_excess_return": -1e6,
    "min_information_coefficient": -1.0,
    "max_confidence_p": 1.0,
    "max_skill_p": 1.0,
    "min_net_alpha": -1e6,
    "min_deflated_sharpe": 0.0,
    "max_overfitting": 1.0,
    "champion_margin": -1e6,
    "bootstrap_samples": 50,
}
SMALL: Mapping[str, Any] = {
    "data": {"min_sessions": 300},
    "universe": {"active": 40, "archive": 10, "padding": 10, "batch": 20},
    "training": {
        "algorithms": ["ppo"],
        "folds": 2,
        "phases": 1,
        "hidden": [4],
        "slot_steps": 400,
        "embargo_sessions": 5,
    },
    "portfolio": {
        "min_names": 5,
        "max_names": 10,
        "max_weight": 0.3,
        "buy_fraction": 0.1,
        "hold_fraction": 0.3,
    },
    "gate": EVERYTHING_PASSES,
    "approval": {"required": True},
    "notifications": {"reconcile_seconds": 2},
}


def settings_of(market: FaultyMarket) -> dict[str, Any]:
    """Return the settings of the small month on a market."""
    return {**SMALL, "data": {**SMALL["data"], **market.settings}}
