"""A month as it could come out of a run: 68 names held, 9 bought, 8 sold, 14 months of history."""

from datetime import date, timedelta
from typing import Any

import numpy as np

from trading.signals.model import MonthlySignal, MonthPerformance, SuccessRate
from trading.signals.report import (
    CostAssumptions,
    DataSummary,
    GateCheck,
    GateVerdict,
    ModelSummary,
    MonthReport,
    PortfolioSummary,
    Risk,
)
from trading.strategy.signals import Action

MONTH = "2026-11"
BUYS, HOLDS, SELLS = 9, 59, 8


def _symbols(count: int) -> list[str]:
    letters = np.random.default_rng(7).integers(0, 26, (count * 2, 4))
    names = ["".join(chr(65 + int(c)) for c in row) for row in letters]
    return list(dict.fromkeys(names))[:count]


def example_signals(month: str = MONTH) -> tuple[MonthlySignal, ...]:
    rng = np.random.default_rng(11)
    symbols = _symbols(BUYS + HOLDS + SELLS)
    weight = round(1 / (BUYS + HOLDS), 6)
    made: list[MonthlySignal] = []
    for i, symbol in enumerate(symbols):
        sold = i >= BUYS + HOLDS
        action = Action.SELL if sold else Action.BUY if i < BUYS else Action.HOLD
        delisted = i == len(symbols) - 1
        rank = 240 + i if sold else i + 1
        drift = round(weight * float(rng.normal(1, 0.08)), 6)
        reason = {
            Action.BUY: f"Ranked {rank} of 2941: within the best 3 %.",
            Action.HOLD: f"Ranked {rank} of 2941: still within the best 8 %.",
            Action.SELL: f"Ranked {rank} of 2941: fell out of the best 8 %.",
        }[action]
        made.append(
            MonthlySignal(
                month=month,
                symbol=symbol,
                slot=int(rng.integers(0, 3600)),
                action=action,
                rank=None if delisted else rank,
                score=None if delisted else round(2.4 - 0.03 * i, 4),
                confidence=None if delisted else round(float(rng.uniform(0.42, 0.93)), 3),
                weight=0.0 if sold else weight,
                previous_weight=0.0 if action is Action.BUY else drift,
                price=None if delisted else round(float(rng.uniform(4, 310)), 2),
                reason="No longer in the universe: delisted." if delisted else reason,
            )
        )
    return tuple(made)


def months_until(last: str, count: int) -> list[str]:
    year, month = (int(part) for part in last.split("-"))
    ends = [year * 12 + month - 1 - back for back in range(count)][::-1]
    return [f"{end // 12}-{end % 12 + 1:02d}" for end in ends]


def example_history(last: str = MONTH, count: int = 14) -> tuple[MonthPerformance, ...]:
    rng = np.random.default_rng(3)
    nav = benchmark = equal = 1.0
    points = []
    for i, month in enumerate(months_until(last, count)):
        returns = [float(x) for x in rng.normal([0.014, 0.008, 0.009], [0.04, 0.034, 0.036])]
        if i:
            nav, benchmark, equal = (
                level * (1 + r) for level, r in zip((nav, benchmark, equal), returns, strict=True)
            )
        points.append(
            MonthPerformance(
                month=month,
                session=date.fromisoformat(f"{month}-01") - timedelta(days=1),
                model_version=f"{month}-r1",
                nav=nav,
                benchmark=benchmark,
                equal_weight=equal,
                net_return=returns[0] if i else None,
                benchmark_return=returns[1] if i else None,
                equal_weight_return=returns[2] if i else None,
                turnover=1.0 if not i else 0.31,
                costs=0.0011 if not i else 0.0004,
                names=BUYS + HOLDS,
            )
        )
    return tuple(points)


LABELS = {
    "candidate": "Ensemble of ppo, a2c, sac",
    "equal_weight": "Equal weight of all eligible names, monthly, net of costs",
    "index": "Index proxy: eligible names by dollar volume, monthly, net of costs",
    "best_factor": "Best single factor by training data of each fold: +momentum_12_1",
    "momentum": "Momentum of 12 months without the last",
    "champion": "Champion 2026-08-r1, from its stored scores",
}


def example_verdict(*, passed: bool = False) -> GateVerdict:
    def figures(name: str, scale: float, lead: float | None) -> dict[str, Any]:
        return {
            "label": LABELS[name],
            "months": 18,
            "annual_return": 0.11 * scale,
            "volatility": 0.14 / abs(scale),
            "sharpe": 0.79 * scale,
            "sharpe_error": 0.81,
            "sortino": 1.1 * scale,
            "max_drawdown": 0.12 / abs(scale),
            "calmar": 0.92 * scale,
            "annual_turnover": None if name == "index" else 3.4,
            "annual_costs": 0.0031,
            "hit_rate": 0.61,
            "information_coefficient": 0.021 if name in ("candidate", "champion") else None,
            "names": 68.0,
            "delisted": 1,
            "excess_return": lead,
            "p_value": None if lead is None else 0.31 - lead,
        }

    lead = 0.012 if passed else -0.021
    checks = (
        GateCheck(
            name="months",
            value=18,
            threshold=6,
            passed=True,
            reason="18 out-of-sample months, 6 are needed",
        ),
        GateCheck(
            name="sharpe",
            value=0.79,
            threshold=0.3,
            passed=True,
            reason="Sharpe ratio: 0.79, at least 0.30 is needed",
        ),
        GateCheck(
            name="champion_margin",
            value=lead,
            threshold=0.0,
            passed=passed,
            reason=f"annual return over the champion: {lead:+.1%}, at least +0.0% is needed",
        ),
    )
    return GateVerdict(
        passed=passed,
        summary="Passed: all 3 checks over 18 out-of-sample months hold."
        if passed
        else "Rejected: 1 of 3 checks over 18 out-of-sample months fail.",
        reasons=tuple(check.reason for check in checks if not check.passed),
        checks=checks,
        figures={
            "candidate": figures("candidate", 1.0, None),
            "equal_weight": figures("equal_weight", 0.7, 0.033),
            "index": figures("index", 0.62, 0.042),
            "best_factor": figures("best_factor", 0.85, 0.016),
            "momentum": figures("momentum", -0.4, 0.154),
            "champion": figures("champion", 1.2 - 10 * max(lead, 0), lead),
        },
    )


def example_report(**changes: Any) -> MonthReport:
    history = example_history()
    first = {
        "month": MONTH,
        "as_of": date(2026, 11, 2),
        "last_session": date(2026, 10, 30),
        "environment": "dev",
        "execution": "monthly-2026-11-r1",
        "model": ModelSummary(
            version="2026-08-r1",
            kind="ensemble",
            algorithms=("ppo", "a2c", "sac"),
            seeds=(0,),
            promoted=False,
            trained_through=date(2026, 7, 31),
            previous="2026-08-r1",
        ),
        "verdict": example_verdict(),
        "signals": example_signals(),
        "portfolio": PortfolioSummary(
            history=history,
            since_inception=history[-1].nav - 1,
            benchmark_since_inception=(history[-1].benchmark or 1) - 1,
            equal_weight_since_inception=(history[-1].equal_weight or 1) - 1,
            benchmark_name="dollar-volume-weighted proxy of the index",
            risk=Risk(
                basis="the month's weights over the last 252 sessions",
                volatility=0.163,
                max_drawdown=0.094,
                var_95=0.0159,
                sessions=252,
            ),
        ),
        "success": (
            SuccessRate(
                label="BUY and HOLD: positive net return over the next month",
                months=12,
                signals=811,
                successes=449,
                rate=0.5536,
                low=0.5192,
                high=0.5876,
                missing=3,
            ),
            SuccessRate(label="SELL: negative return", months=12, signals=0, successes=0),
        ),
        "data": DataSummary(
            source="simulated",
            simulated=True,
            symbols=3241,
            sessions=962,
            first_session=date(2023, 1, 3),
            coverage=0.991,
            notes=("27 of 3,000 symbols have no bar in the last session.",),
        ),
        "fill_rule": "Orders fill at the close of the session after the decision.",
        "costs": CostAssumptions(
            commission_bps=1.0,
            slippage_bps=5.0,
            impact_coefficient=0.1,
            capital_usd=10_000_000.0,
        ),
    }
    return MonthReport(**(first | changes))
