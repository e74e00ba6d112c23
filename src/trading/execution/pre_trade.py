"""What risk is asked before every order."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from trading.execution.orders import Order


@dataclass(frozen=True, slots=True)
class Review:
    """What risk says to an order: the shares that it allows (0: none), and why not all of them."""

    quantity: Decimal
    reason: str = ""


class PreTradeCheck(Protocol):
    """The risk check that every order passes, the same in backtest, paper and live."""

    async def review(self, order: Order) -> Review:
        """Return how much of a well-formed order may be sent now."""
