"""An account in exact money: cash, positions at average cost, profit and loss.

The arithmetic is that of docs/backtesting.md, "Units" and "Positions", on whole micro-units: the
account that hears of a backtest's fills, splits, dividends, fees and closings in their order ends
with the backtest's cash and positions to the last digit (`replay_fills`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from trading.errors import DataError, OrderError, StoreError
from trading.execution.activities import (
    Activity,
    BorrowFee,
    Closing,
    Dividend,
    Split,
    Transfer,
    identity,
)
from trading.execution.money import MICRO, from_micros, to_micros, value_micros
from trading.execution.orders import Fill, Side

Prices = Mapping[str, Decimal] | Mapping[str, float]

SNAPSHOT_VERSION = 1
_TOTALS = (
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


@dataclass(frozen=True, slots=True)
class Position:
    """What is held of a symbol.

    Attributes
    ----------
    quantity : shares, negative where short, never 0
    cost_basis : USD paid for it, with the sign of the quantity
    """

    symbol: str
    quantity: Decimal
    cost_basis: Decimal

    @property
    def average_cost(self) -> Decimal:
        """USD a share, >= 0, to 28 digits."""
        return self.cost_basis / self.quantity


class Account:
    """Cash and positions, changed only by fills and activities, each of which counts once.

    Parameters
    ----------
    initial_cash : USD, a whole number of millionths

    Not safe for use by several threads; an `OrderManager` is its only writer.
    """

    def __init__(self, initial_cash: Decimal) -> None:
        self._totals = dict.fromkeys(_TOTALS, 0)
        self._totals["initial"] = self._totals["cash"] = to_micros(initial_cash)
        self._quantity: dict[str, int] = {}
        self._basis: dict[str, int] = {}
        self._known: dict[str, list[Any]] = {}

    @classmethod
    def opening(
        cls, cash: Decimal, positions: Iterable[Position], counted: Iterable[Fill | Activity] = ()
    ) -> Self:
        """Return an account that takes over positions; what they cost counts as paid in.

        Parameters
        ----------
        cash : USD besides the positions
        counted : fills and activities that lie behind them, and so never count again
        """
        account = cls(cash)
        for position in positions:
            basis = to_micros(position.cost_basis)
            account._quantity[position.symbol] = to_micros(position.quantity)
            account._basis[position.symbol] = basis
            account._totals["initial"] += basis
        for entry in counted:
            account._remember(entry)
        account.check()
        return account

    @property
    def initial_cash(self) -> Decimal:
        """USD at the start."""
        return from_micros(self._totals["initial"])

    @property
    def cash(self) -> Decimal:
        """USD; negative where it was borrowed."""
        return from_micros(self._totals["cash"])

    @property
    def transfers(self) -> Decimal:
        """USD paid in less paid out since the start."""
        return from_micros(self._totals["transfers"])

    @property
    def realized_pnl(self) -> Decimal:
        """USD gained by closed shares against their average cost, before costs."""
        return from_micros(self._totals["realized"])

    @property
    def dividends(self) -> Decimal:
        """USD of dividends received less those paid on shorts."""
        return from_micros(self._totals["dividends"])

    @property
    def borrow_cost(self) -> Decimal:
        """USD paid for borrowed shares."""
        return from_micros(self._totals["borrow"])

    @property
    def commissions(self) -> Decimal:
        """USD paid to the broker."""
        return from_micros(self._totals["commissions"])

    @property
    def slippage_charges(self) -> Decimal:
        """USD of slippage that the fills' prices do not hold."""
        return from_micros(self._totals["slippage"])

    @property
    def net_pnl(self) -> Decimal:
        """USD realised after all costs, with dividends."""
        t = self._totals
        costs = t["commissions"] + t["slippage"] + t["borrow"]
        return from_micros(t["realized"] + t["dividends"] + t["rounding"] - costs)

    @property
    def positions(self) -> dict[str, Position]:
        """What is held, by symbol, sorted."""
        return {symbol: self._position(symbol) for symbol in sorted(self._quantity)}

    def quantity(self, symbol: str) -> Decimal:
        """Return the shares held of a symbol, negative where short, 0 where none."""
        return from_micros(self._quantity.get(symbol, 0))

    def knows(self, entry: Fill | Activity) -> bool:
        """Tell whether a fill or activity has been counted.

        Raises
        ------
        OrderError
            Its id is known, with other content.
        """
        name, content = identity(entry)
        known = self._known.get(name)
        if known is None:
            return False
        if known != content:
            raise OrderError(
                f"{name} came twice with different content: {known} and {content}; an id stands "
                "for one event only"
            )
        return True

    def apply(self, fill: Fill) -> Decimal | None:
        """Count a fill once; return what it realised in USD, None where it was known already.

        Raises
        ------
        OrderError
            The quantity is not > 0, the price, commission or charge not finite and >= 0, an amount
            is finer than a millionth, or the id is known with other content.
        """
        if self.knows(fill):
            return None
        quantity = to_micros(fill.quantity)
        charge, commission = to_micros(fill.slippage_charge), to_micros(fill.commission)
        if quantity <= 0 or charge < 0 or commission < 0:
            raise OrderError(
                f"fill {fill.fill_id!r}: expected a quantity > 0 and costs >= 0, got quantity "
                f"{fill.quantity}, commission {fill.commission}, slippage {fill.slippage_charge}"
            )
        price = _price(fill.price, f"fill {fill.fill_id!r}")
        side = 1 if fill.side is Side.BUY else -1
        realized = self._trade(fill.symbol, side, quantity, price)
        self._totals["cash"] -= commission + charge
        self._totals["commissions"] += commission
        self._totals["slippage"] += charge
        self._remember(fill)
        return from_micros(realized)

    def book(self, activity: Activity) -> bool:
        """Count an activity once; return False where it was known already.

        Raises
        ------
        OrderError
            It is not possible (a ratio or price out of range), or its id is known with other
            content.
        """
        if self.knows(activity):
            return False
        match activity:
            case Split():
                self._split(activity)
            case Dividend():
                amount = _finite(activity.per_share, f"dividend {activity.activity_id!r}")
                paid = value_micros(self._quantity.get(activity.symbol, 0), amount)
                self._totals["cash"] += paid
                self._totals["dividends"] += paid
            case BorrowFee():
                self._borrow(activity)
            case Closing():
                price = _price(activity.price, f"closing {activity.activity_id!r}")
                self._close(activity.symbol, self._quantity.get(activity.symbol, 0), price)
            case Transfer():
                self._totals["cash"] += to_micros(activity.amount)
                self._totals["transfers"] += to_micros(activity.amount)
        self._remember(activity)
        return True

    def market_value(self, prices: Prices) -> Decimal:
        """Return the value of all positions, shorts negative, USD."""
        return from_micros(sum(self._values(prices)))

    def gross_exposure(self, prices: Prices) -> Decimal:
        """Return the value of all positions, shorts positive, USD."""
        return from_micros(sum(map(abs, self._values(prices))))

    def equity(self, prices: Prices) -> Decimal:
        """Return cash and positions, USD.

        Raises
        ------
        DataError
            A held symbol has no finite price >= 0.
        """
        return from_micros(self._totals["cash"] + sum(self._values(prices)))

    def unrealized_pnl(self, prices: Prices) -> Decimal:
        """Return the value of all positions less what was paid for them, USD."""
        return from_micros(sum(self._values(prices)) - sum(self._basis.values()))

    def check(self) -> None:
        """Raise `StoreError` unless the books balance to the last digit.

        Cash is what was paid in, and earned, less what was spent and what is held at cost.
        """
        t = self._totals
        earned = t["realized"] + t["dividends"] + t["rounding"]
        spent = t["commissions"] + t["slippage"] + t["borrow"] + sum(self._basis.values())
        expected = t["initial"] + t["transfers"] + earned - spent
        if t["cash"] != expected:
            raise StoreError(
                f"the account does not balance: cash is {self.cash}, its entries add up to "
                f"{from_micros(expected)}; rebuild it from the journal"
            )
        empty = [symbol for symbol, quantity in self._quantity.items() if quantity == 0]
        if empty or self._quantity.keys() != self._basis.keys():
            raise StoreError(
                f"the account holds empty or half-recorded positions: {empty or self._basis}; "
                "rebuild it from the journal"
            )

    def to_json(self) -> str:
        """Return the whole account as JSON; `from_json` gives it back without loss."""
        return json.dumps(
            {
                "version": SNAPSHOT_VERSION,
                "micros": self._totals,
                "positions": {
                    symbol: [self._quantity[symbol], self._basis[symbol]]
                    for symbol in sorted(self._quantity)
                },
                "known": self._known,
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the account that `to_json` wrote.

        Raises
        ------
        StoreError
            The text is not such a snapshot, of another version, or does not balance.
        """
        try:
            state = json.loads(text)
            if state["version"] != SNAPSHOT_VERSION:
                raise StoreError(
                    f"the account's snapshot has version {state['version']}, expected "
                    f"{SNAPSHOT_VERSION}; rebuild it from the journal"
                )
            account = cls(Decimal(0))
            account._totals = {name: int(state["micros"][name]) for name in _TOTALS}
            for symbol, (quantity, basis) in state["positions"].items():
                account._quantity[symbol], account._basis[symbol] = int(quantity), int(basis)
            account._known = dict(state["known"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                f"the account's snapshot cannot be read ({error!r}); rebuild it from the journal"
            ) from error
        account.check()
        return account

    def _trade(self, symbol: str, side: int, quantity: int, price: float) -> int:
        value = value_micros(quantity, price)
        self._totals["cash"] -= side * value
        held = self._quantity.get(symbol, 0)
        realized, opened, moved = 0, quantity, 0
        if side * held < 0:
            closed = min(quantity, abs(held))
            opened = quantity - closed
            moved = value_micros(closed, price)
            realized = self._take(symbol, side, closed, moved)
        if opened:
            cost = value_micros(opened, price)
            moved += cost
            self._quantity[symbol] = self._quantity.get(symbol, 0) + side * opened
            self._basis[symbol] = self._basis.get(symbol, 0) + side * cost
        # Through zero, the two parts may round apart from the whole by a millionth.
        self._totals["rounding"] += side * (moved - value)
        return realized

    def _take(self, symbol: str, side: int, closed: int, value: int) -> int:
        """Take `closed` micro-shares out of a position and return what that realised."""
        held, basis = self._quantity[symbol], self._basis[symbol]
        if closed == abs(held):
            taken = basis
            del self._quantity[symbol], self._basis[symbol]
        else:
            taken = round(float(basis) * float(closed) / float(abs(held)))
            self._quantity[symbol] = held + side * closed
            self._basis[symbol] = basis - taken
        realized = -side * value - taken
        self._totals["realized"] += realized
        return realized

    def _close(self, symbol: str, quantity: int, price: float) -> None:
        if quantity:
            side = -1 if quantity > 0 else 1
            value = value_micros(abs(quantity), price)
            self._totals["cash"] -= side * value
            self._take(symbol, side, abs(quantity), value)

    def _split(self, split: Split) -> None:
        ratio = _finite(split.ratio, f"split {split.activity_id!r}")
        if ratio <= 0.0:
            raise OrderError(f"split {split.activity_id!r}: the ratio must be > 0, got {ratio}")
        symbol = split.symbol
        if symbol not in self._quantity:
            return
        held = round(self._quantity[symbol] * ratio)
        excess = abs(held) % MICRO if split.whole_shares else 0
        if excess:
            if split.last is None:
                raise OrderError(
                    f"split {split.activity_id!r} leaves a fraction of a share to be paid in cash; "
                    "it needs the last price"
                )
            price = _price(split.last, f"split {split.activity_id!r}") / ratio
            self._quantity[symbol] = held
            self._close(symbol, excess if held > 0 else -excess, price)
        elif held:
            self._quantity[symbol] = held
        else:
            # Less than half a millionth of a share is left: what it cost is lost.
            self._totals["realized"] -= self._basis.pop(symbol)
            del self._quantity[symbol]

    def _borrow(self, fee: BorrowFee) -> None:
        held = self._quantity.get(fee.symbol, 0)
        if held < 0:
            value = value_micros(-held, _price(fee.last, f"borrow fee {fee.activity_id!r}"))
            rate = _finite(fee.rate, f"borrow fee {fee.activity_id!r}")
            cost = round(value * rate * fee.days / 360.0)
            self._totals["cash"] -= cost
            self._totals["borrow"] += cost

    def _values(self, prices: Prices) -> Iterable[int]:
        for symbol, quantity in self._quantity.items():
            price = prices.get(symbol)
            if price is None:
                raise DataError(f"{symbol} is held but has no price; give one for every position")
            try:
                yield value_micros(quantity, _price(price, symbol))
            except OrderError as error:
                raise DataError(str(error)) from error

    def _position(self, symbol: str) -> Position:
        return Position(
            symbol, from_micros(self._quantity[symbol]), from_micros(self._basis[symbol])
        )

    def _remember(self, entry: Fill | Activity) -> None:
        name, content = identity(entry)
        self._known[name] = content


def replay_fills(initial_cash: Decimal, entries: Iterable[Fill | Activity]) -> Account:
    """Return the account after fills and activities in their order.

    It is the audit of a ledger: cash, positions and profit are computed anew, from the entries
    alone, and the books must balance.
    """
    account = Account(initial_cash)
    for entry in entries:
        if isinstance(entry, Fill):
            account.apply(entry)
        else:
            account.book(entry)
    account.check()
    return account


def _finite(number: Decimal | float, what: str) -> float:
    value = float(number)
    if not abs(value) < float("inf"):
        raise OrderError(f"{what}: expected a finite number, got {number}")
    return value


def _price(price: Decimal | float, what: str) -> float:
    value = _finite(price, what)
    if value < 0.0:
        raise OrderError(f"{what}: expected a price >= 0, got {price}")
    return value
