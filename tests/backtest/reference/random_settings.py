"""Random settings of execution and risk."""

from decimal import Decimal
from random import Random
from typing import Any

from trading.execution.settings import (
    CommissionSettings,
    CommissionTier,
    ExecutionSettings,
    OrderPolicy,
    SlippageSettings,
)
from trading.risk.settings import LimitSettings, RiskSettings

LIMITS = {
    "max_position": (0.1, 0.3, 1.0),
    "max_leverage": (0.5, 1.0, 2.0),
    "max_sector": (0.2, 0.6, 1.5),
    "max_concentration": (0.02, 0.2, 1.0),
    "max_correlation": (0.05, 0.3),
    "max_var": (0.001, 0.01, 0.05),
    "max_daily_trades": (1.0, 2.0, 5.0),
}
TIERS = ((0, 0.01), (200, 0.004), (5000, 0.0))


def random_execution(random: Random) -> ExecutionSettings:
    """Return an account, a fill timing, an order policy and a cost model."""
    fill = random.choice(["next_open", "next_close", "same_close"])
    types = ["market"] if fill == "same_close" else ["market", "limit", "stop", "stop_limit"]
    offsets = (0.0, 20.0, 150.0, -30.0)
    chosen: dict[str, Any] = {
        "initial_cash": random.choice([Decimal(1000), Decimal("123456.78"), Decimal(10**7)]),
        "account": random.choice(["cash", "margin"]),
        "fractional": random.random() < 0.5,
        "sizing_base": random.choice(["equity", "initial"]),
        "fill": fill,
        "max_volume_share": random.choice([None, None, 0.05, 0.3, 1.0]),
        "order": OrderPolicy(
            type=random.choice(types),
            limit_offset_bps=random.choice(offsets),
            stop_offset_bps=random.choice(offsets),
            time_in_force=random.choice(["DAY", "DAY", "GTC", "IOC", "FOK"]),
        ),
        "slippage": SlippageSettings(
            model=random.choice(["none", "fixed", "volume_share", "square_root"]),
            bps=random.choice([0.0, 5.0, 120.0]),
            coefficient=random.choice([0.0, 0.1, 2.0]),
        ),
        "commission": _commission(random),
        "min_trade_usd": random.choice([0.0, 0.0, 0.0, 500.0]),
        "borrow_rate": random.choice([0.0, 0.03, 0.5]),
        "delisting_return": random.choice([0.0, -1.0, -0.3]),
        "max_stale_sessions": random.choice([1, 3, 5]),
    }
    return ExecutionSettings(**chosen)


def _commission(random: Random) -> CommissionSettings:
    model = random.choice(["none", "per_share", "per_trade", "bps", "tiered"])
    tiers = tuple(CommissionTier(from_shares=start, per_share=rate) for start, rate in TIERS)
    chosen: dict[str, Any] = {
        "model": model,
        "rate": random.choice([0.0, 0.005, 1.0, 5.0]),
        "minimum": random.choice([0.0, 1.0]),
        "maximum_share": random.choice([0.005, 1.0]),
        "tiers": tiers if model == "tiered" else (),
    }
    return CommissionSettings(**chosen)


def random_risk(random: Random) -> RiskSettings:
    """Return limits: none in some runs, one or a few in most."""
    odds = random.choice([0.0, 0.15, 0.4])
    chosen: dict[str, Any] = {
        name: LimitSettings(
            limit=random.choice(values),
            action=random.choice(["resize", "resize", "resize", "reject", "reject", "halt"]),
        )
        if random.random() < odds
        else None
        for name, values in LIMITS.items()
    }
    if random.random() < odds:
        chosen["max_drawdown"] = random.choices([0.0, 0.02, 0.1, 0.5], [1, 6, 6, 6])[0]
    if random.random() < odds:
        chosen["stop_loss"] = random.choice([0.0, 0.03, 0.1])
    if random.random() < odds:
        chosen["take_profit"] = random.choice([0.02, 0.2])
    return RiskSettings(
        **chosen,
        window=random.choice([20, 25, 252]),
        var_level=random.choice([0.6, 0.95, 0.99]),
    )
