"""Cash and positions at average cost."""

from dataclasses import dataclass
from math import nan

from tests.backtest.reference.reference_units import floor_lot, value


@dataclass
class Position:
    """Micro-shares (negative: short), their cost in micro-dollars, and the last price in USD."""

    quantity: int = 0
    basis: int = 0
    last: float = nan

    def worth(self) -> int:
        """Micro-dollars at the last price; without a position, nothing."""
        return value(self.quantity, self.last) if self.quantity else 0

    def trade(self, quantity: int, price: float) -> int:
        """Add `quantity` (signed) at `price`; return what was realised."""
        if self.quantity * quantity >= 0:
            self.quantity += quantity
            self.basis += value(quantity, price)
            return 0
        side = 1 if self.quantity > 0 else -1
        closed = min(abs(quantity), abs(self.quantity))
        if closed == abs(self.quantity):
            out = self.basis
        else:
            out = round(float(self.basis) * float(closed) / float(abs(self.quantity)))
        realized = side * value(closed, price) - out
        self.basis -= out
        self.quantity -= side * closed
        left = quantity + side * closed
        if left:
            self.quantity, self.basis = left, value(left, price)
        return realized


class Account:
    """Cash in micro-dollars and a position in each column."""

    def __init__(self, cash: int, columns: int) -> None:
        self.cash = cash
        self.positions = [Position() for _ in range(columns)]

    def equity(self) -> int:
        """Cash and the values of all positions at their last prices."""
        return self.cash + sum(position.worth() for position in self.positions)

    def gross(self) -> int:
        """The values of all positions without their signs."""
        return sum(abs(position.worth()) for position in self.positions)

    def net(self) -> int:
        """The values of all positions with their signs."""
        return sum(position.worth() for position in self.positions)

    def trade(self, column: int, quantity: int, price: float, costs: int) -> int:
        """Book a fill of signed `quantity`; return what it realised, without its costs."""
        self.cash -= value(quantity, price) + costs
        return self.positions[column].trade(quantity, price)

    def close(self, column: int, price: float) -> tuple[int, int]:
        """Sell or buy back the whole position without cost; return (quantity, realised)."""
        quantity = self.positions[column].quantity
        return quantity, self.trade(column, -quantity, price, 0)

    def split(self, column: int, ratio: float, lot: int) -> tuple[int, int]:
        """Multiply the shares; pay out what exceeds whole lots; return (excess, realised)."""
        position = self.positions[column]
        position.quantity = round(position.quantity * ratio)
        position.last = position.last / ratio
        excess = position.quantity - floor_lot(position.quantity, lot)
        if excess == 0:
            if position.quantity == 0:
                position.basis = 0
            return 0, 0
        return excess, self.trade(column, -excess, position.last, 0)
