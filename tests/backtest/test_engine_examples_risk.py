"""Every limit trips here, with figures worked out by hand, for the reference and the engine."""

import pytest

from tests.backtest.reference.random_runs import Run
from tests.backtest.reference.reference_instructions import OrderRequest, Target
from tests.backtest.reference.small_markets import (
    ENGINES,
    SHARE,
    Engine,
    ends,
    fills,
    flat,
    market,
    run,
    usd,
)
from trading.execution.orders import OrderType, Side, TimeInForce
from trading.risk.settings import LimitAction, LimitSettings, RiskSettings

# A and B move as one between 100 and 110; every order below is decided and filled at 100.
SWINGS = [flat(100.0 if row % 2 == 0 else 110.0) for row in range(31)]
SECTORS = {"A": "Tech", "B": "Tech"}
HELD, DECISION = 20, 26


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


def buy(row: int, shares: float, column: int = 0, **more: object) -> OrderRequest:
    return OrderRequest(row, column, Side.BUY, round(shares * SHARE), **more)  # type: ignore[arg-type]


def sell(row: int, shares: float, column: int = 0, **more: object) -> OrderRequest:
    return OrderRequest(row, column, Side.SELL, round(shares * SHARE), **more)  # type: ignore[arg-type]


def second_purchase(name: str, limit: float, action: LimitAction) -> Run:
    """20 A are held (2,000 of 10,000 USD) when 40 B (4,000) are ordered; later 1 B more."""
    risk = RiskSettings(
        **{"max_leverage": None, name: LimitSettings(limit=limit, action=action)}, window=60
    )
    return run(
        market(SWINGS, SWINGS, sectors=SECTORS),
        buy(24, HELD),
        sell(DECISION, 1),
        buy(DECISION, 40, 1),
        buy(DECISION + 2, 1, 1),
        risk=risk,
        fill="same_close",
    )


LIMITS = [
    # 3,000 USD are 30 shares.
    ("max_position", 0.3, 0.4, 30),
    # 19 A stay once the sale is counted: 1,900 of 5,000 are taken, 3,100 left.
    ("max_sector", 0.5, 0.59, 31),
    ("max_leverage", 0.45, 0.59, 26),
    # 0.19^2 + 0.4^2 = 0.1961; with half of it 0.19^2 + 0.2^2 = 0.0761.
    ("max_concentration", 0.1, 0.1961, 20),
    # One moves as the other.
    ("max_correlation", 0.5, 1.0, 0),
    # Half of the days lose 1/11: 0.59 / 11 = 0.0536; with half of it 0.39 / 11 = 0.0355.
    ("max_var", 0.05, 0.59 / 11, 20),
    # The sale was the first order of the session.
    ("max_daily_trades", 1.0, 2.0, 0),
]


@pytest.mark.parametrize(("name", "limit", "found", "allowed"), LIMITS)
def test_a_limit_resizes_to_the_largest_order_that_keeps_it(
    engine: Engine, name: str, limit: float, found: float, allowed: int
) -> None:
    tables = engine(second_purchase(name, limit, "resize"))
    row, symbol, tripped, outcome, value, limit_value, before, after = tables["risk_events"][0]
    assert (row, symbol, tripped, limit_value) == (DECISION, "B", name, limit)
    assert value == pytest.approx(found, rel=1e-9)
    assert (before, after) == (40 * SHARE, allowed * SHARE)
    assert outcome == ("resized" if allowed else "rejected")
    assert ends(tables)[2] == ("FILLED" if allowed else "REJECTED", float(allowed), name)


@pytest.mark.parametrize(("name", "limit", "found", "allowed"), LIMITS)
def test_a_limit_rejects(
    engine: Engine, name: str, limit: float, found: float, allowed: int
) -> None:
    tables = engine(second_purchase(name, limit, "reject"))
    assert tables["risk_events"][0][2:4] == (name, "rejected")
    assert ends(tables)[2] == ("REJECTED", 0.0, name)
    # Nothing is halted: a small order passes later, unless it is just as correlated.
    assert ends(tables)[3][0] == ("REJECTED" if name == "max_correlation" else "FILLED")


@pytest.mark.parametrize(("name", "limit", "found", "allowed"), LIMITS)
def test_a_limit_halts(engine: Engine, name: str, limit: float, found: float, allowed: int) -> None:
    tables = engine(second_purchase(name, limit, "halt"))
    assert [event[2:4] for event in tables["risk_events"]] == [
        (name, "halted"),
        ("halted", "rejected"),
    ]
    assert [end[::2] for end in ends(tables)[2:]] == [("REJECTED", name), ("REJECTED", "halted")]


def test_a_limit_that_is_kept_is_silent(engine: Engine) -> None:
    tables = engine(second_purchase("max_position", 0.41, "halt"))
    assert tables["risk_events"] == []
    assert [end[0] for end in ends(tables)] == ["FILLED"] * 4


CRASH = market([flat(100), flat(100), flat(80), flat(80), flat(80), flat(80)], [flat(10)] * 6)


def test_after_a_drawdown_nothing_is_bought_until_the_reset(engine: Engine) -> None:
    waits = buy(1, 10, 1, type=OrderType.LIMIT, limit=5.0, time=TimeInForce.GTC)
    tables = engine(
        run(
            CRASH,
            buy(0, 50),
            waits,
            Target(2, 1, 0.1),
            sell(2, 10),
            buy(3, 10, 1),
            buy(4, 10, 1),
            risk=RiskSettings(max_leverage=None, max_drawdown=0.1),
            resets=[4],
        )
    )
    # 50 shares lose 20 each: equity is 9,000, the drawdown exactly 10 %.
    assert tables["risk_events"][0][:4] == (2, "", "drawdown_halt", "halted")
    assert [end[::2] for end in ends(tables)] == [
        ("FILLED", ""),
        ("CANCELLED", "drawdown_halt"),
        ("FILLED", ""),  # the sale reduces
        ("REJECTED", "halted"),  # the target
        ("REJECTED", "halted"),
        ("FILLED", ""),
    ]
    assert [fill[:3] for fill in fills(tables)] == [
        (1, "BUY", 50.0),
        (3, "SELL", 10.0),
        (5, "BUY", 10.0),
    ]


def test_a_halted_account_closes_but_does_not_turn_around(engine: Engine) -> None:
    tables = engine(
        run(
            CRASH,
            buy(0, 50),
            sell(2, 80),
            account="margin",
            risk=RiskSettings(max_leverage=None, max_drawdown=0.1),
        )
    )
    # 30 of the 80 would open a short position; the 50 that close the long one pass.
    assert ends(tables)[1] == ("FILLED", 50.0, "halted")
    assert tables["positions"] == []


@pytest.mark.parametrize(
    ("side", "prices", "reason"),
    [
        (Side.BUY, [100, 100, 89, 88], "stop_loss"),
        (Side.BUY, [100, 100, 126, 127], "take_profit"),
        (Side.SELL, [100, 100, 111, 112], "stop_loss"),
        (Side.SELL, [100, 100, 74, 73], "take_profit"),
    ],
)
def test_a_stop_loss_or_take_profit_closes_the_position(
    engine: Engine, side: Side, prices: list[float], reason: str
) -> None:
    tables = engine(
        run(
            market([flat(price) for price in prices]),
            OrderRequest(0, 0, side, 10 * SHARE),
            Target(2, 0, 0.9),
            account="margin",
            borrow_rate=0.0,
            risk=RiskSettings(max_leverage=None, stop_loss=0.1, take_profit=0.25),
        )
    )
    assert tables["risk_events"][0][:4] == (2, "A", reason, "exit")
    assert ends(tables) == [("FILLED", 10.0, ""), ("FILLED", 10.0, reason)]
    assert fills(tables)[1][:4] == (
        3,
        "SELL" if side is Side.BUY else "BUY",
        10.0,
        float(prices[3]),
    )
    assert tables["positions"] == []


def test_orders_on_a_cash_account_are_cut_to_the_cash_that_is_not_promised(
    engine: Engine,
) -> None:
    feed = market([flat(100)] * 3, [flat(10)] * 3)
    far = buy(0, 60, type=OrderType.LIMIT, limit=50.0, time=TimeInForce.GTC)
    tables = engine(run(feed, far, buy(1, 500, 1)))
    # 6,000 of 10,000 wait for the limit of the first order.
    assert tables["risk_events"] == [
        (1, "B", "insufficient_cash", "resized", 5000.0, 4000.0, 500 * SHARE, 400 * SHARE)
    ]
    assert usd(tables, 1)[2] == 6_000.0


def test_an_account_without_equity_buys_nothing(engine: Engine) -> None:
    feed = market([flat(100), flat(100), flat(250), flat(250)])
    tables = engine(
        run(feed, sell(0, 80), sell(2, 1), buy(2, 10), account="margin", borrow_rate=0.0)
    )
    assert usd(tables, 0)[2] == -2_000.0
    assert [end[::2] for end in ends(tables)[1:]] == [("REJECTED", "no_equity"), ("FILLED", "")]
