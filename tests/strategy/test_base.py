from datetime import UTC, datetime
from typing import ClassVar

import numpy as np
import pytest
from pydantic import Field

from trading.errors import ParameterError, SignalError
from trading.strategy.base import BaseStrategy, Parameters
from trading.strategy.momentum import Momentum, MomentumParameters
from trading.strategy.signals import Action, Signal
from trading.strategy.trend_following import TrendFollowing, TrendFollowingParameters


class Typed(Parameters):
    count: int = Field(1, ge=0)
    share: float = 0.5
    label: str = "x"


class Plain(BaseStrategy):
    """Asks for nothing."""

    name: ClassVar[str] = "plain"
    parameters_type: ClassVar[type[Parameters]] = Typed
    lookback = 1

    async def analyze(self, market_data):
        return []


def test_a_strategy_is_its_parameters_and_shows_them():
    strategy = TrendFollowing.build("mine", short_ma=5)

    assert strategy.strategy_id == "mine"
    assert strategy.get_parameters() == {"short_ma": 5, "long_ma": 100}
    assert TrendFollowing.build().strategy_id == "trend_following"
    assert TrendFollowing(TrendFollowingParameters(short_ma=3)).parameters.short_ma == 3


def test_numbers_of_numpy_are_numbers():
    parameters = Plain.build(count=np.int64(3), share=np.float32(0.25)).get_parameters()

    assert parameters == {"count": 3, "share": 0.25, "label": "x"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"window": 3}, r"window: Extra inputs .* \(its parameters: count, share, label\)"),
        ({"count": "3"}, "count: expected a number, got '3'"),
        ({"count": True}, "count: expected a number, got True"),
        ({"count": None}, "count: expected a number"),
        ({"count": 2.5}, "count: .* integer"),
        ({"count": -1}, "count: .* greater than or equal to 0"),
        ({"share": float("nan")}, "share: .* finite"),
        ({"share": float("inf")}, "share: .* finite"),
        ({"label": 3}, "label: .* string"),
        ({"count": "x", "share": "y"}, "count: .*; share: "),
    ],
)
def test_every_mistake_in_the_parameters_is_named(given, words):
    with pytest.raises(ParameterError, match=words):
        Plain.build(**given)


def test_a_mistake_across_parameters_is_a_plain_sentence():
    with pytest.raises(
        ParameterError, match=r"^trend_following: short_ma \(100\) must be less than long_ma \(50\)"
    ):
        TrendFollowing.build(short_ma=100, long_ma=50)


def test_parameters_of_another_strategy_are_refused():
    with pytest.raises(ParameterError, match="takes TrendFollowingParameters, got Momentum"):
        TrendFollowing(MomentumParameters())
    with pytest.raises(ParameterError, match="strategy_id is text"):
        TrendFollowing.build(strategy_id=7)


def test_parameters_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Momentum.build().parameters.threshold = 0.5  # type: ignore[misc]


def test_a_signal_in_a_foreign_name_or_without_strength_is_refused():
    now = datetime(2020, 1, 1, tzinfo=UTC)
    strategy = Plain.build()

    strategy.validate_signal(Signal(now, "A", Action.SELL, 0.0, "plain"))
    with pytest.raises(SignalError, match="in the name of other"):
        strategy.validate_signal(Signal(now, "A", Action.BUY, 1.0, "other"))
    with pytest.raises(SignalError, match="has no strength"):
        strategy.validate_signal(Signal(now, "A", Action.BUY, 0.0, "plain"))
