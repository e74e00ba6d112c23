"""The account: known cases by hand, exactness, snapshots, and bad input."""

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_broker import START

from trading.errors import DataError, OrderError, StoreError
from trading.execution.account import Account, Position, replay_fills
from trading.execution.activities import (
    Activity,
    BorrowFee,
    Closing,
    Dividend,
    Split,
    Transfer,
)
from trading.execution.orders import Fill, Side

D = Decimal


def trade(
    name: str,
    quantity: str,
    price: str,
    commission: str = "0",
    *,
    charge: str = "0",
    symbol: str = "AAA",
) -> Fill:
    """A buy, or with a negative quantity a sale."""
    side = Side.SELL if quantity.startswith("-") else Side.BUY
    return Fill(
        name, "o", symbol, side, abs(D(quantity)), D(price), D(commission), START, D(charge)
    )


def test_a_long_position_by_hand() -> None:
    account = Account(D(10_000))
    assert account.apply(trade("1", "100", "10", "1")) == 0
    assert account.apply(trade("2", "50", "13", "1", charge="0.5")) == 0
    assert account.positions["AAA"] == Position("AAA", D(150), D(1650))
    assert account.positions["AAA"].average_cost == 11
    assert account.apply(trade("3", "-60", "12", "1")) == 60
    assert account.cash == D(10_000) - 1000 - 650 + 720 - D("3.5")
    assert account.realized_pnl == 60
    assert account.commissions == 3
    assert account.slippage_charges == D("0.5")
    assert account.net_pnl == D("56.5")
    assert account.unrealized_pnl({"AAA": D(12)}) == 90
    assert account.equity({"AAA": D(12)}) == account.cash + 1080
    account.check()


def test_a_short_position_and_through_zero_by_hand() -> None:
    account = Account(D(10_000))
    account.apply(trade("1", "-100", "10"))
    assert account.positions["AAA"] == Position("AAA", D(-100), D(-1000))
    assert account.unrealized_pnl({"AAA": 9.0}) == 100
    assert account.gross_exposure({"AAA": 9.0}) == 900
    assert account.apply(trade("2", "150", "8")) == 200
    assert account.positions["AAA"] == Position("AAA", D(50), D(400))
    assert account.apply(trade("3", "-50", "8")) == 0
    assert account.positions == {}
    assert account.cash == D(10_200)


def test_splits_pay_fractions_in_cash() -> None:
    account = Account(D(10_000))
    account.apply(trade("1", "101", "10"))
    account.book(Split("s", "AAA", START, D("0.5"), D(11)))
    held = account.positions["AAA"]
    assert held.quantity == 50
    assert account.cash == D(10_000) - 1010 + 11
    assert account.realized_pnl == 11 - 10
    assert held.cost_basis == 1000
    fractional = Account(D(10_000))
    fractional.apply(trade("1", "101", "10"))
    fractional.book(Split("s", "AAA", START, D("0.5"), D(11), whole_shares=False))
    assert fractional.positions["AAA"] == Position("AAA", D("50.5"), D(1010))
    with pytest.raises(OrderError, match="needs the last price"):
        account.book(Split("t", "AAA", START, D("0.33"), None))
    account.check()


def test_the_other_activities_by_hand() -> None:
    account = Account(D(1000))
    account.apply(trade("1", "-10", "20"))
    account.book(Dividend("d", "AAA", START, D("0.25")))
    assert account.dividends == D("-2.5")
    account.book(BorrowFee("b", "AAA", START, D(21), D("0.03"), 3))
    assert account.borrow_cost == D("0.0525")
    account.book(Transfer("t", START, D("-100")))
    assert account.transfers == -100
    account.book(Closing("c", "AAA", START, D(5)))
    assert account.positions == {}
    assert account.realized_pnl == 150
    assert account.cash == D(1000) + 200 - D("2.5") - D("0.0525") - 100 - 50
    for nothing in (
        Dividend("d2", "AAA", START, D(1)),
        BorrowFee("b2", "AAA", START, D(1), D(1), 9),
        Closing("c2", "AAA", START, D(1)),
        Split("s2", "AAA", START, D(2), None),
    ):
        cash = account.cash
        assert account.book(nothing)
        assert account.cash == cash
    account.check()


def test_everything_counts_once() -> None:
    account = Account(D(1000))
    entries: list[Fill | Activity] = [
        trade("1", "10", "20", "1"),
        Dividend("1", "AAA", START, D(1)),
        Transfer("2", START, D(5)),
    ]
    twice = replay_fills(D(1000), [entry for entry in entries for _ in range(2)])
    assert twice.to_json() == replay_fills(D(1000), entries).to_json()
    account.apply(trade("1", "10", "20", "1"))
    assert account.apply(trade("1", "10.000", "20.0", "1.00")) is None, "the same in other digits"
    with pytest.raises(OrderError, match="fill 1 came twice with different content"):
        account.apply(trade("1", "11", "20", "1"))


@pytest.mark.parametrize(
    ("fill", "sentence"),
    [
        (trade("1", "0", "10"), "expected a quantity > 0"),
        (trade("1", "1", "-1"), "expected a price >= 0, got -1"),
        (trade("1", "1", "NaN"), "expected a finite number, got NaN"),
        (trade("1", "1", "Infinity"), "expected a finite number, got Infinity"),
        (trade("1", "NaN", "1"), "expected a finite amount, got NaN"),
        (trade("1", "0.0000001", "1"), "finer than a millionth"),
        (trade("1", "1", "1", "-1"), "costs >= 0"),
        (trade("1", "1", "1", charge="-1"), "costs >= 0"),
        (trade("1", "1000000000", "1e12"), "64 bits"),
    ],
)
def test_fills_that_cannot_be(fill: Fill, sentence: str) -> None:
    account = Account(D(1000))
    before = account.to_json()
    with pytest.raises(OrderError, match=sentence):
        account.apply(fill)
    assert account.to_json() == before, "nothing was half counted"


@pytest.mark.parametrize(
    "activity",
    [
        Split("1", "AAA", START, D(0), D(1)),
        Split("1", "AAA", START, D("NaN"), D(1)),
        Dividend("1", "AAA", START, D("Infinity")),
        BorrowFee("1", "AAA", START, D(-1), D(1), 1),
        Closing("1", "AAA", START, D("-0.5")),
        Transfer("1", START, D("NaN")),
    ],
)
def test_activities_that_cannot_be(activity: Activity) -> None:
    account = Account(D(1000))
    account.apply(trade("1", "-10", "20"))
    before = account.to_json()
    with pytest.raises(OrderError):
        account.book(activity)
    assert account.to_json() == before


def test_a_price_that_is_missing_is_an_error_and_no_zero() -> None:
    account = Account(D(1000))
    assert account.equity({}) == 1000
    account.apply(trade("1", "10", "20"))
    with pytest.raises(DataError, match="AAA is held but has no price"):
        account.equity({"BBB": 1.0})
    with pytest.raises(DataError, match="expected a finite number"):
        account.equity({"AAA": float("nan")})


trades = st.lists(
    st.tuples(
        st.sampled_from(["AAA", "BBB", "Ünï 1"]),
        st.integers(-(10**12), 10**12).filter(bool),
        st.floats(0.0001, 50_000.0),
        st.integers(0, 10**8),
    ),
    max_size=40,
)


def as_fills(drawn: list[tuple[str, int, float, int]]) -> list[Fill]:
    return [
        Fill(
            str(number),
            "o",
            symbol,
            Side.BUY if quantity > 0 else Side.SELL,
            D(abs(quantity)) / 10**6,
            D(repr(price)),
            D(costs) / 10**6,
            START,
        )
        for number, (symbol, quantity, price, costs) in enumerate(drawn)
    ]


@given(trades)
def test_cash_is_exact_and_the_books_balance(drawn: list[tuple[str, int, float, int]]) -> None:
    account = Account(D(1_000_000))
    cash = Fraction(1_000_000)
    for fill, (_, quantity, price, costs) in zip(as_fills(drawn), drawn, strict=True):
        account.apply(fill)
        account.check()
        cash -= Fraction(quantity, 10**6) * Fraction(price) + Fraction(costs, 10**6)
    # Each fill is rounded once, by at most half a millionth or by float64's last digit.
    slack = sum((abs(q) * p * 2**-52 + 0.5) / 1e6 for _, q, p, _ in drawn)
    assert abs(Fraction(account.cash) - cash) <= Fraction(slack)
    for symbol in ("AAA", "BBB", "Ünï 1"):
        wanted = sum(q for name, q, _, _ in drawn if name == symbol)
        assert account.quantity(symbol) == D(wanted) / 10**6


@given(trades)
def test_a_snapshot_loses_nothing(drawn: list[tuple[str, int, float, int]]) -> None:
    account = replay_fills(D("1000000.000001"), as_fills(drawn))
    copy = Account.from_json(account.to_json())
    assert copy.to_json() == account.to_json()
    assert copy.positions == account.positions
    assert all(copy.apply(fill) is None for fill in as_fills(drawn)), "known fills stay known"


def test_a_snapshot_that_does_not_fit() -> None:
    account = Account(D(1000))
    account.apply(trade("1", "10", "20"))
    state = json.loads(account.to_json())
    state["micros"]["cash"] += 1
    with pytest.raises(StoreError, match="does not balance"):
        Account.from_json(json.dumps(state))
    with pytest.raises(StoreError, match="version 9"):
        Account.from_json(json.dumps(state | {"version": 9}))
    for broken in ("", "{}", "[]", "null", json.dumps(state | {"micros": {}})):
        with pytest.raises(StoreError, match="snapshot"):
            Account.from_json(broken)


def test_taking_over_positions() -> None:
    account = Account.opening(D(500), [Position("AAA", D(10), D(100))], [trade("old", "10", "10")])
    account.check()
    assert account.apply(trade("old", "10", "10")) is None
    assert (account.cash, account.initial_cash) == (D(500), D(600))
    assert account.apply(trade("new", "-10", "11")) == 10


@pytest.mark.parametrize("cash", [1000.5, 1000, "1000", None])
def test_cash_that_is_no_decimal_is_refused(cash: object) -> None:
    with pytest.raises(OrderError, match="expected a Decimal, got"):
        Account(cash)  # type: ignore[arg-type]
