"""The border between `Decimal` at the interface and whole micro-units inside.

Quantities are whole micro-shares, money whole micro-dollars; prices are float64 USD. These are the
units of docs/backtesting.md, so the `Account` and the compiled engine compute the same digits.
"""

from decimal import Context, Decimal

from trading.errors import OrderError

MICRO = 1_000_000
LARGEST = 2.0**63
# Enough digits for any product of a quantity and a price: no sum of money is ever rounded.
EXACT = Context(prec=80)
_MICRO = Decimal(MICRO)


def to_micros(amount: Decimal) -> int:
    """Return `amount` (shares or USD) in whole millionths.

    Raises
    ------
    OrderError
        It is no `Decimal`, not finite or not a whole number of millionths.
    """
    if not isinstance(amount, Decimal):
        raise OrderError(f"expected a Decimal, got {amount!r}")
    if not amount.is_finite():
        raise OrderError(f"expected a finite amount, got {amount}")
    scaled = EXACT.multiply(amount, _MICRO)
    micros = int(scaled)
    if micros != scaled:
        raise OrderError(f"{amount} is finer than a millionth; round it first")
    return micros


def from_micros(micros: int) -> Decimal:
    """Return whole millionths as a `Decimal` of shares or USD, exactly."""
    return EXACT.divide(Decimal(micros), _MICRO)


def to_price(price: float) -> Decimal:
    """Return a float64 price as the `Decimal` of its shortest digits; `float` undoes it."""
    return Decimal(repr(float(price)))


def value_micros(quantity_micros: int, price: float) -> int:
    """Return `rint(q * p)`: micro-dollars of micro-shares at a price, half to even."""
    value = quantity_micros * price
    if not abs(value) < LARGEST:
        raise OrderError(
            f"{from_micros(quantity_micros)} shares at {price} USD are not an amount of money "
            "that 64 bits of millionths hold"
        )
    return round(value)
