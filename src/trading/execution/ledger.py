"""The arithmetic of an account in whole micro-units, as docs/backtesting.md states it."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from trading.errors import DataError, OrderError, StoreError
from trading.execution.activities import BorrowFee, Dividend, Split
from trading.execution.money import MICRO, from_micros, value_micros

Prices = Mapping[str, Decimal] | Mapping[str, float]

TOTALS = (
    "initial",
    "cash",
    "transfers",
    "realized",
    "dividends",
    "borrow",
    "commissions",
    "slippage",
    "rounding",
)


class Ledger:
    """Totals in micro-dollars, positions in micro-shares and what they cost, by symbol.

    Attributes
    ----------
    totals : micro-dollars by the names of `TOTALS`
    quantity, basis : micro-shares (never 0) and micro-dollars (of the same sign)
    """

    def __init__(self, cash: int) -> None:
        self.totals = dict.fromkeys(TOTALS, 0)
        self.totals["initial"] = self.totals["cash"] = cash
        self.quantity: dict[str, int] = {}
        self.basis: dict[str, int] = {}

    def trade(self, symbol: str, side: int, quantity: int, price: float) -> int:
        """Buy (side 1) or sell (-1) micro-shares at USD a share; return what that realised."""
        value = value_micros(quantity, price)
        self.totals["cash"] -= side * value
        held = self.quantity.get(symbol, 0)
        realized, opened, moved = 0, quantity, 0
        if side * held < 0:
            closed = min(quantity, abs(held))
            opened = quantity - closed
            moved = value_micros(closed, price)
            realized = self.take(symbol, side, closed, moved)
        if opened:
            cost = value_micros(opened, price)
            moved += cost
            self.quantity[symbol] = self.quantity.get(symbol, 0) + side * opened
            self.basis[symbol] = self.basis.get(symbol, 0) + side * cost
        # Through zero, the two parts may round apart from the whole by a millionth.
        self.totals["rounding"] += side * (moved - value)
        return realized

    def take(self, symbol: str, side: int, closed: int, value: int) -> int:
        """Take `closed` micro-shares out of a position and return what that realised."""
        held, basis = self.quantity[symbol], self.basis[symbol]
        if closed == abs(held):
            taken = basis
            del self.quantity[symbol], self.basis[symbol]
        else:
            taken = round(float(basis) * float(closed) / float(abs(held)))
            self.quantity[symbol] = held + side * closed
            self.basis[symbol] = basis - taken
        realized = -side * value - taken
        self.totals["realized"] += realized
        return realized

    def close(self, symbol: str, quantity: int, price: float) -> None:
        """Turn micro-shares of a position, with its sign, into cash."""
        if quantity:
            side = -1 if quantity > 0 else 1
            value = value_micros(abs(quantity), price)
            self.totals["cash"] -= side * value
            self.take(symbol, side, abs(quantity), value)

    def split(self, split: Split) -> None:
        """Give new shares for old; raise `OrderError` where ratio or price make no sense."""
        ratio = finite(split.ratio, f"split {split.activity_id!r}")
        if ratio <= 0.0:
            raise OrderError(f"split {split.activity_id!r}: the ratio must be > 0, got {ratio}")
        symbol = split.symbol
        if symbol not in self.quantity:
            return
        held = round(self.quantity[symbol] * ratio)
        excess = abs(held) % MICRO if split.whole_shares else 0
        if excess:
            if split.last is None:
                raise OrderError(
                    f"split {split.activity_id!r} leaves a fraction of a share to be paid in cash; "
                    "it needs the last price"
                )
            price = sound_price(split.last, f"split {split.activity_id!r}") / ratio
            self.quantity[symbol] = held
            self.close(symbol, excess if held > 0 else -excess, price)
        elif held:
            self.quantity[symbol] = held
        else:
            # Less than half a millionth of a share is left: what it cost is lost.
            self.totals["realized"] -= self.basis.pop(symbol)
            del self.quantity[symbol]

    def pay_dividend(self, dividend: Dividend) -> None:
        """Pay a dividend on what is held; a short pays it."""
        amount = finite(dividend.per_share, f"dividend {dividend.activity_id!r}")
        paid = value_micros(self.quantity.get(dividend.symbol, 0), amount)
        self.totals["cash"] += paid
        self.totals["dividends"] += paid

    def borrow(self, fee: BorrowFee) -> None:
        """Charge a short position for borrowed shares."""
        held = self.quantity.get(fee.symbol, 0)
        if held < 0:
            value = value_micros(-held, sound_price(fee.last, f"borrow fee {fee.activity_id!r}"))
            rate = finite(fee.rate, f"borrow fee {fee.activity_id!r}")
            cost = round(value * rate * fee.days / 360.0)
            self.totals["cash"] -= cost
            self.totals["borrow"] += cost

    def values(self, prices: Prices) -> Iterator[int]:
        """Yield the micro-dollars of every position, shorts negative."""
        for symbol, quantity in self.quantity.items():
            price = prices.get(symbol)
            if price is None:
                raise DataError(f"{symbol} is held but has no price; give one for every position")
            try:
                yield value_micros(quantity, sound_price(price, symbol))
            except OrderError as error:
                raise DataError(str(error)) from error

    def check(self) -> None:
        """Raise `StoreError` unless the books balance to the last digit.

        Cash is what was paid in, and earned, less what was spent and what is held at cost.
        """
        t = self.totals
        earned = t["realized"] + t["dividends"] + t["rounding"]
        spent = t["commissions"] + t["slippage"] + t["borrow"] + sum(self.basis.values())
        expected = t["initial"] + t["transfers"] + earned - spent
        if t["cash"] != expected:
            raise StoreError(
                f"the account does not balance: cash is {from_micros(t['cash'])}, its entries add "
                f"up to {from_micros(expected)}; rebuild it from the journal"
            )
        empty = [symbol for symbol, quantity in self.quantity.items() if quantity == 0]
        if empty or self.quantity.keys() != self.basis.keys():
            raise StoreError(
                f"the account holds empty or half-recorded positions: {empty or self.basis}; "
                "rebuild it from the journal"
            )


def finite(number: Decimal | float, what: str) -> float:
    """Return a finite number, or raise `OrderError` that names it."""
    value = float(number)
    if not abs(value) < float("inf"):
        raise OrderError(f"{what}: expected a finite number, got {number}")
    return value


def sound_price(price: Decimal | float, what: str) -> float:
    """Return a finite price >= 0, or raise `OrderError` that names it."""
    value = finite(price, what)
    if value < 0.0:
        raise OrderError(f"{what}: expected a price >= 0, got {price}")
    return value
