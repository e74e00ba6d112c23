"""Fills worked out by hand; the reference and the engine must both agree with them."""

import pytest

from tests.backtest.reference.reference_instructions import Cancel, OrderRequest, Target
from tests.backtest.reference.small_markets import (
    ENGINES,
    GONE,
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
from trading.execution.settings import OrderPolicy, SlippageSettings

RISING = market([(99, 101, 98, 100), (102, 110, 101, 108), (109, 112, 104, 106)])
FALLING = market([flat(100), (98, 99, 90, 92), (88, 91, 85, 90), (91, 95, 89, 94)])
NOTHING_YET = ("ACCEPTED", 0.0, "")


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


def buy(row: int, shares: float, **more: object) -> OrderRequest:
    return OrderRequest(row, 0, Side.BUY, round(shares * SHARE), **more)  # type: ignore[arg-type]


def sell(row: int, shares: float, **more: object) -> OrderRequest:
    return OrderRequest(row, 0, Side.SELL, round(shares * SHARE), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("timing", "fill", "cash"),
    [
        # Half of 10,000 USD at the close of 100 are 50 shares, whatever they cost in the end.
        ("next_open", (1, "BUY", 50.0, 102.0, "open"), [10_000.0, 4_900.0, 4_900.0]),
        ("next_close", (1, "BUY", 50.0, 108.0, "close"), [10_000.0, 4_600.0, 4_600.0]),
        ("same_close", (0, "BUY", 50.0, 100.0, "close"), [5_000.0, 5_000.0, 5_000.0]),
    ],
)
def test_a_target_fills_when_the_timing_says(
    engine: Engine, timing: str, fill: tuple[object, ...], cash: list[float]
) -> None:
    tables = engine(run(RISING, Target(0, 0, 0.5), fill=timing))
    assert fills(tables) == [fill]
    assert usd(tables, 1) == cash
    # 50 shares are worth 5,400 at 108 and 5,300 at 106.
    assert usd(tables, 0)[1:] == [cash[1] + 5_400.0, cash[2] + 5_300.0]


def test_a_limit_fills_at_the_limit_or_at_a_better_open(engine: Engine) -> None:
    at_95 = buy(0, 10, type=OrderType.LIMIT, limit=95.0)
    at_89 = buy(1, 10, type=OrderType.LIMIT, limit=89.0)
    tables = engine(run(FALLING, at_95, at_89))
    # Row 1 opens at 98 and falls through 95; row 2 opens at 88, below 89.
    assert fills(tables) == [(1, "BUY", 10.0, 95.0, "range"), (2, "BUY", 10.0, 88.0, "open")]


def test_a_limit_exactly_at_the_low_fills_and_one_below_expires(engine: Engine) -> None:
    touched = buy(0, 1, type=OrderType.LIMIT, limit=90.0)
    missed = buy(0, 2, type=OrderType.LIMIT, limit=89.99)
    tables = engine(run(FALLING, touched, missed))
    assert ends(tables) == [("FILLED", 1.0, ""), ("EXPIRED", 0.0, "end_of_session")]


def test_a_stop_fills_at_the_stop_or_at_a_worse_open(engine: Engine) -> None:
    feed = market([flat(100), flat(100), (98, 99, 90, 92), (88, 91, 85, 90)])
    at_95 = sell(1, 10, type=OrderType.STOP, stop=95.0)
    at_89 = sell(2, 10, type=OrderType.STOP, stop=89.0)
    tables = engine(run(feed, buy(0, 20), at_95, at_89))
    assert fills(tables)[1:] == [
        (2, "SELL", 10.0, 95.0, "range"),
        (3, "SELL", 10.0, 88.0, "open"),
    ]


def test_a_stop_limit_waits_as_a_limit_once_it_has_triggered(engine: Engine) -> None:
    feed = market([flat(100), (101, 106, 100, 105), (104, 106, 101, 105), flat(105)])
    order = buy(0, 10, type=OrderType.STOP_LIMIT, time=TimeInForce.GTC, stop=104.0, limit=102.0)
    # Triggers in row 1 at 104, where 102 is not marketable; row 2 trades down to 101.
    assert fills(engine(run(feed, order))) == [(2, "BUY", 10.0, 102.0, "range")]


def test_a_stop_limit_that_is_marketable_at_the_stop_fills_there(engine: Engine) -> None:
    feed = market([flat(100), (101, 106, 100, 105)])
    order = buy(0, 10, type=OrderType.STOP_LIMIT, stop=104.0, limit=105.0)
    assert fills(engine(run(feed, order))) == [(1, "BUY", 10.0, 104.0, "range")]


def test_slippage_beyond_the_range_is_a_charge(engine: Engine) -> None:
    tables = engine(
        run(
            market([flat(100), (100, 101, 99, 100)]),
            buy(0, 10),
            slippage=SlippageSettings(model="fixed", bps=150.0),
        )
    )
    # 150 bps of 100 is 101.50: 101 is the bar's high, 0.50 on 10 shares is paid in cash.
    assert fills(tables) == [(1, "BUY", 10.0, 101.0, "open")]
    assert usd(tables, 1) == [10_000.0, 10_000.0 - 1_010.0 - 5.0]
    assert tables["totals"] == [(0, 0, 0, 5_000_000)]


def test_slippage_by_share_of_volume_goes_with_its_square(engine: Engine) -> None:
    tables = engine(
        run(
            market([flat(100), (100, 110, 90, 100, 200.0)]),
            buy(0, 50),
            slippage=SlippageSettings(model="volume_share", bps=10.0, coefficient=0.2),
        )
    )
    # 10 bps and 0.2 * (50 / 200)^2 = 0.0125: together 0.0135.
    assert fills(tables)[0][3] == pytest.approx(101.35, rel=1e-12)


def test_impact_without_history_assumes_the_worst(engine: Engine) -> None:
    tables = engine(
        run(
            market([flat(100), (100, 110, 90, 100)]),
            buy(0, 50),
            slippage=SlippageSettings(model="square_root", bps=0.0, coefficient=0.1),
        )
    )
    # 0.1 * 5 % * sqrt(4) = 1 %.
    assert fills(tables)[0][3] == pytest.approx(101.0, rel=1e-12)


def test_a_share_of_volume_spreads_a_fill_over_bars(engine: Engine) -> None:
    thin = market([flat(100), flat(100, 100.0), flat(100, 255.0), flat(100, 1000.0)])
    order = buy(0, 60, time=TimeInForce.GTC)
    tables = engine(run(thin, order, max_volume_share=0.1))
    assert fills(tables) == [
        (1, "BUY", 10.0, 100.0, "open"),
        (2, "BUY", 25.0, 100.0, "open"),
        (3, "BUY", 25.0, 100.0, "open"),
    ]
    assert ends(tables) == [("FILLED", 60.0, "")]


def test_sells_go_before_buys_and_share_the_volume_of_the_bar(engine: Engine) -> None:
    feed = market([flat(100), flat(100), flat(100, 100.0)])
    tables = engine(run(feed, buy(0, 50), buy(1, 30), sell(1, 40), max_volume_share=0.5))
    # Of 50 shares the sale takes 40, though its order came later; 10 are left to buy.
    assert [(row, side, shares) for row, side, shares, *_ in fills(tables)] == [
        (1, "BUY", 50.0),
        (2, "SELL", 40.0),
        (2, "BUY", 10.0),
    ]
    # A DAY order of a daily bar ends with that bar.
    assert ends(tables)[2] == ("EXPIRED", 10.0, "end_of_session")


@pytest.mark.parametrize(
    ("time", "end"),
    [
        (TimeInForce.DAY, ("EXPIRED", 10.0, "end_of_session")),
        (TimeInForce.GTC, ("PARTIALLY_FILLED", 10.0, "")),
        (TimeInForce.IOC, ("CANCELLED", 10.0, "immediate_or_cancel")),
        (TimeInForce.FOK, ("CANCELLED", 0.0, "fill_or_kill")),
    ],
)
def test_what_a_thin_bar_leaves_of_an_order(
    engine: Engine, time: TimeInForce, end: tuple[str, float, str]
) -> None:
    thin = market([flat(100), flat(100, 100.0)])
    assert ends(engine(run(thin, buy(0, 60, time=time), max_volume_share=0.1))) == [end]


def test_a_day_order_lasts_to_the_end_of_its_session(engine: Engine) -> None:
    intraday = market([flat(100)] * 6, days=[1, 1, 1, 2, 2, 3])
    far = {"type": OrderType.LIMIT, "limit": 50.0}
    tables = engine(run(intraday, buy(0, 1, **far), buy(2, 2, **far), buy(4, 3, **far)))
    assert [end[0] for end in ends(tables)] == ["EXPIRED"] * 3
    before = engine(run(intraday, buy(0, 1, **far), buy(2, 2, **far), buy(4, 3, **far)).until(5))
    # After row 4 the first two sessions are over: the last order belongs to the third.
    assert [end[0] for end in ends(before)] == ["EXPIRED", "EXPIRED", "ACCEPTED"]


def test_a_missing_bar_fills_nothing_and_refuses_orders(engine: Engine) -> None:
    feed = market([flat(100), GONE, flat(90)])
    waits = buy(0, 1, time=TimeInForce.GTC)
    tables = engine(run(feed, waits, buy(1, 5)))
    assert fills(tables) == [(2, "BUY", 1.0, 90.0, "open")]
    assert ends(tables)[1] == ("REJECTED", 0.0, "no_bar")


def test_a_target_without_a_bar_is_refused_and_supersedes_all_the_same(engine: Engine) -> None:
    feed = market([flat(100), GONE, flat(90)])
    tables = engine(run(feed, buy(0, 1, time=TimeInForce.GTC), Target(1, 0, 0.5)))
    assert ends(tables) == [("CANCELLED", 0.0, "superseded"), ("REJECTED", 0.0, "no_bar")]
    assert fills(tables) == []


def test_a_stop_that_ran_out_of_volume_is_a_market_order(engine: Engine) -> None:
    feed = market([flat(100), flat(100), (98, 99, 90, 97, 50.0), (99, 99, 98, 98, 500.0)])
    stop = sell(1, 20, type=OrderType.STOP, stop=95.0, time=TimeInForce.GTC)
    tables = engine(run(feed, buy(0, 20), stop, max_volume_share=0.1))
    # The open of row 3 lies above the stop again, and the rest is sold all the same.
    assert fills(tables)[1:] == [
        (2, "SELL", 5.0, 95.0, "range"),
        (3, "SELL", 15.0, 99.0, "open"),
    ]


def test_a_cancel_comes_before_the_orders_of_its_row(engine: Engine) -> None:
    far = {"type": OrderType.LIMIT, "limit": 50.0, "time": TimeInForce.GTC}
    tables = engine(run(FALLING, buy(0, 1, **far), buy(1, 2, **far), Cancel(1, 0)))
    assert ends(tables) == [("CANCELLED", 0.0, "cancelled"), NOTHING_YET]


def test_the_policy_prices_orders_from_the_close(engine: Engine) -> None:
    policy = OrderPolicy(type="limit", limit_offset_bps=300.0, time_in_force="GTC")
    tables = engine(run(FALLING, Target(0, 0, 0.5), order=policy))
    assert tables["orders"][0][7] == 97.0
    assert fills(tables) == [(1, "BUY", 50.0, 97.0, "range")]
