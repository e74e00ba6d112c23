"""Micro-shares, micro-dollars and lots, in plain Python."""

MICRO = 1_000_000


def value(quantity: int, price: float) -> int:
    """Micro-dollars of micro-shares at USD a share, rounded half to even."""
    return round(quantity * price)


def floor_lot(quantity: int, lot: int) -> int:
    """Whole lots of an exact quantity, truncated toward zero."""
    lots = abs(quantity) // lot * lot
    return lots if quantity >= 0 else -lots


def truncated(quantity: float, lot: int) -> int:
    """Whole lots of a computed quantity, truncated toward zero; 1e-9 of a lot is forgiven."""
    lots = int(abs(quantity) / lot + 1e-9) * lot
    return lots if quantity >= 0 else -lots
