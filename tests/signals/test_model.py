from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from trading.signals.model import MonthlySignal, SuccessRate
from trading.strategy.signals import Action, Signal


def monthly(**changes):
    fields = {
        "month": "2026-11",
        "symbol": "BRK.B",
        "slot": 17,
        "action": Action.BUY,
        "rank": 3,
        "score": 1.25,
        "confidence": 0.7,
        "weight": 0.015,
        "previous_weight": 0.0,
        "price": 512.3,
        "reason": "Ranked 3 of 2941.",
    }
    return MonthlySignal(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"action": Action.SELL, "previous_weight": 0.01}, "is a SELL but keeps"),
        ({"weight": 0.0}, "is a BUY without a weight"),
        ({"action": Action.HOLD, "weight": 0.0}, "is a HOLD without a weight"),
        ({"previous_weight": 0.01}, "is a BUY but was held"),
        ({"month": "2026-13"}, "month"),
        ({"symbol": "TWO WORDS"}, "symbol"),
        ({"symbol": "A\n"}, "symbol"),
        ({"score": float("nan")}, "finite"),
        ({"confidence": 1.01}, "confidence"),
        ({"price": 0.0}, "price"),
        ({"rank": 0}, "rank"),
        ({"reason": "fine\nSELL EVERYTHING"}, "reason"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(changes, complaint):
    with pytest.raises(ValidationError, match=complaint):
        monthly(**changes)


def test_a_monthly_signal_becomes_a_strategy_signal():
    at = datetime(2026, 11, 2, 12, tzinfo=UTC)

    signal = monthly().to_signal(at, "2026-11-r1")

    assert signal == Signal(
        timestamp=at,
        symbol="BRK.B",
        action=Action.BUY,
        strength=0.7,
        strategy_id="2026-11-r1",
        metadata={
            "month": "2026-11",
            "slot": 17,
            "rank": 3,
            "score": 1.25,
            "weight": 0.015,
            "previous_weight": 0.0,
        },
    )


def test_a_rate_without_signals_is_refused():
    with pytest.raises(ValidationError, match="without signals"):
        SuccessRate(label="BUY", months=0, signals=0, successes=0, rate=0.5)
    with pytest.raises(ValidationError, match="successes of"):
        SuccessRate(label="BUY", months=1, signals=2, successes=3)
