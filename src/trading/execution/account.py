"""An account in exact money: cash, positions at average cost, profit and loss.

The arithmetic is that of docs/backtesting.md, "Units" and "Positions", on whole micro-units: the
account that hears of a backtest's fills, splits, dividends, fees and closings in their order ends
with the backtest's cash and positions to the last digit (`replay_fills`).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from trading.errors import OrderError, StoreError
from trading.execution.activities import (
    Activity,
    BorrowFee,
    Closing,
    Dividend,
    Split,
    Transfer,
    identity,
)
from trading.execution.ledger import TOTALS, Ledger, Prices, sound_price
from trading.execution.money import from_micros, to_micros
from trading.execution.orders import Fill, Side

SNAPSHOT_VERSION = 1


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
        self._ledger = Ledger(to_micros(initial_cash))
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
            account._ledger.quantity[position.symbol] = to_micros(position.quantity)
            account._ledger.basis[position.symbol] = basis
            account._ledger.totals["initial"] += basis
        for entry in counted:
            account._remember(entry)
        account.check()
        return account

    @property
    def initial_cash(self) -> Decimal:
        """USD at the start."""
        return from_micros(self._ledger.totals["initial"])

    @property
    def cash(self) -> Decimal:
        """USD; negative where it was borrowed."""
        return from_micros(self._ledger.totals["cash"])

    @property
    def transfers(self) -> Decimal:
        """USD paid in less paid out since the start."""
        return from_micros(self._ledger.totals["transfers"])

    @property
    def realized_pnl(self) -> Decimal:
        """USD gained by closed shares against their average cost, before costs."""
        return from_micros(self._ledger.totals["realized"])

    @property
    def dividends(self) -> Decimal:
        """USD of dividends received less those paid on shorts."""
        return from_micros(self._ledger.totals["dividends"])

    @property
    def borrow_cost(self) -> Decimal:
        """USD paid for borrowed shares."""
        return from_micros(self._ledger.totals["borrow"])

    @property
    def commissions(self) -> Decimal:
        """USD paid to the broker."""
        return from_micros(self._ledger.totals["commissions"])

    @property
    def slippage_charges(self) -> Decimal:
        """USD of slippage that the fills' prices do not hold."""
        return from_micros(self._ledger.totals["slippage"])

    @property
    def net_pnl(self) -> Decimal:
        """USD realised after all costs, with dividends."""
        t = self._ledger.totals
        costs = t["commissions"] + t["slippage"] + t["borrow"]
        return from_micros(t["realized"] + t["dividends"] + t["rounding"] - costs)

    @property
    def positions(self) -> dict[str, Position]:
        """What is held, by symbol, sorted."""
        return {symbol: self._position(symbol) for symbol in sorted(self._ledger.quantity)}

    def quantity(self, symbol: str) -> Decimal:
        """Return the shares held of a symbol, negative where short, 0 where none."""
        return from_micros(self._ledger.quantity.get(symbol, 0))

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
        price = sound_price(fill.price, f"fill {fill.fill_id!r}")
        side = 1 if fill.side is Side.BUY else -1
        realized = self._ledger.trade(fill.symbol, side, quantity, price)
        self._ledger.totals["cash"] -= commission + charge
        self._ledger.totals["commissions"] += commission
        self._ledger.totals["slippage"] += charge
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
                self._ledger.split(activity)
            case Dividend():
                self._ledger.pay_dividend(activity)
            case BorrowFee():
                self._ledger.borrow(activity)
            case Closing():
                price = sound_price(activity.price, f"closing {activity.activity_id!r}")
                self._ledger.close(
                    activity.symbol, self._ledger.quantity.get(activity.symbol, 0), price
                )
            case Transfer():
                self._ledger.totals["cash"] += to_micros(activity.amount)
                self._ledger.totals["transfers"] += to_micros(activity.amount)
        self._remember(activity)
        return True

    def market_value(self, prices: Prices) -> Decimal:
        """Return the value of all positions, shorts negative, USD."""
        return from_micros(sum(self._ledger.values(prices)))

    def gross_exposure(self, prices: Prices) -> Decimal:
        """Return the value of all positions, shorts positive, USD."""
        return from_micros(sum(map(abs, self._ledger.values(prices))))

    def equity(self, prices: Prices) -> Decimal:
        """Return cash and positions, USD.

        Raises
        ------
        DataError
            A held symbol has no finite price >= 0.
        """
        return from_micros(self._ledger.totals["cash"] + sum(self._ledger.values(prices)))

    def unrealized_pnl(self, prices: Prices) -> Decimal:
        """Return the value of all positions less what was paid for them, USD."""
        return from_micros(sum(self._ledger.values(prices)) - sum(self._ledger.basis.values()))

    def check(self) -> None:
        """Raise `StoreError` unless the books balance to the last digit."""
        self._ledger.check()

    def to_json(self) -> str:
        """Return the whole account as JSON; `from_json` gives it back without loss."""
        return json.dumps(
            {
                "version": SNAPSHOT_VERSION,
                "micros": self._ledger.totals,
                "positions": {
                    symbol: [self._ledger.quantity[symbol], self._ledger.basis[symbol]]
                    for symbol in sorted(self._ledger.quantity)
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
            account._ledger.totals = {name: int(state["micros"][name]) for name in TOTALS}
            for symbol, (quantity, basis) in state["positions"].items():
                account._ledger.quantity[symbol], account._ledger.basis[symbol] = (
                    int(quantity),
                    int(basis),
                )
            account._known = dict(state["known"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                f"the account's snapshot cannot be read ({error!r}); rebuild it from the journal"
            ) from error
        account.check()
        return account

    def _position(self, symbol: str) -> Position:
        return Position(
            symbol,
            from_micros(self._ledger.quantity[symbol]),
            from_micros(self._ledger.basis[symbol]),
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
