"""Brokers whose market is the session's own bars."""

from typing import Protocol, runtime_checkable

from trading.execution.brokers.base import BrokerEvent
from trading.execution.brokers.paper_market import MarketRow


@runtime_checkable
class BarDriven(Protocol):
    """A broker whose market is the session's bars."""

    async def on_row(self, row: MarketRow) -> None:
        """Let a bar trade."""

    async def on_auction(self, row: MarketRow) -> None:
        """Fill fresh market orders at the bar's close."""

    def pending_events(self) -> list[BrokerEvent]:
        """Return, and forget, the events that nobody has taken yet."""
