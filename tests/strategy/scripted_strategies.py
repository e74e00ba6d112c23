"""A strategy that does what a test tells it to, good or bad."""

from typing import ClassVar

from trading.strategy.base import BaseStrategy
from trading.strategy.signals import Action, Signal


class Scripted(BaseStrategy):
    """Answers what `script(market_data)` returns."""

    name: ClassVar[str] = "scripted"
    lookback = 3

    def __init__(self, script, strategy_id="scripted"):
        super().__init__(strategy_id=strategy_id)
        self.script = script
        self.seen = []

    async def analyze(self, market_data):
        self.seen.append(market_data.shape)
        return self.script(market_data)


def buy(data, symbol="S000", strength=0.5, strategy_id="scripted", **changes):
    fields = {"timestamp": data.now, "action": Action.BUY} | changes
    return Signal(symbol=symbol, strength=strength, strategy_id=strategy_id, **fields)


def raises(error):
    def script(_):
        raise error

    return script


def spins(_):
    while True:
        pass
