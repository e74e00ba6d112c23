"""What can go wrong while the program is looked at."""

from trading.errors import TradingError


class StackCheckError(TradingError):
    """The program could not be recorded, converted or planned."""
