"""Cash, positions and corporate actions worked out by hand, for the reference and the engine."""

from datetime import date
from decimal import Decimal

import pytest

from tests.backtest.reference.reference_instructions import OrderRequest, Target
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
from trading.execution.settings import CommissionSettings, CommissionTier
from trading.market.bars import CorporateAction, CorporateActionType

SPLIT, DIVIDEND, DELISTING = (
    CorporateActionType.SPLIT,
    CorporateActionType.DIVIDEND,
    CorporateActionType.DELISTING,
)


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


def buy(row: int, shares: float, column: int = 0, **more: object) -> OrderRequest:
    return OrderRequest(row, column, Side.BUY, round(shares * SHARE), **more)  # type: ignore[arg-type]


def sell(row: int, shares: float, column: int = 0, **more: object) -> OrderRequest:
    return OrderRequest(row, column, Side.SELL, round(shares * SHARE), **more)  # type: ignore[arg-type]


def on(day: int, kind: CorporateActionType, value: float, symbol: str = "A") -> CorporateAction:
    return CorporateAction(symbol, date(2024, 1, day), kind, value)


def test_average_cost_realises_its_share_of_the_basis(engine: Engine) -> None:
    feed = market([flat(10), flat(10), flat(13), flat(20)])
    tables = engine(run(feed, buy(0, 100), buy(1, 200), sell(2, 150)))
    # 100 at 10 and 200 at 13 cost 3,600, 12 a share; 150 sold at 20 realise 150 * 8.
    assert tables["fills"][2][8] == 1_200_000_000
    assert tables["positions"] == [("A", 150 * SHARE, 1_800_000_000)]
    assert usd(tables, 0)[3] == 10_000 + 1_200 + 150 * 8


def test_one_order_turns_a_long_position_short(engine: Engine) -> None:
    feed = market([flat(10), flat(10), flat(12), flat(11)])
    tables = engine(run(feed, buy(0, 100), sell(1, 250), account="margin", borrow_rate=0.0))
    assert tables["fills"][1][8] == 200_000_000
    assert tables["positions"] == [("A", -150 * SHARE, -1_800_000_000)]
    assert [usd(tables, column)[3] for column in range(4)] == [
        10_350.0,
        12_000.0,
        1_650.0,
        -1_650.0,
    ]


def test_a_short_pays_borrow_for_calendar_days_and_the_dividend(engine: Engine) -> None:
    feed = market([flat(100)] * 4, days=[4, 5, 8, 9], actions=[on(8, DIVIDEND, 0.5)])
    tables = engine(run(feed, sell(0, 36), account="margin", borrow_rate=0.10))
    # 3,600 lent at 10 % over 360 days is 1 a day: 3 days over the weekend, then 1.
    assert usd(tables, 1) == [10_000.0, 13_600.0, 13_600 - 3 - 18.0, 13_600 - 4 - 18.0]
    assert tables["totals"] == [(-18_000_000, 4_000_000, 0, 0)]


def test_a_split_pays_the_fraction_in_cash_and_restates_orders(engine: Engine) -> None:
    feed = market([flat(90), flat(90), flat(60), flat(59)], actions=[on(3, SPLIT, 1.5)])
    limit = sell(1, 5, type=OrderType.LIMIT, time=TimeInForce.GTC, limit=88.5 * 1.5)
    tables = engine(run(feed, buy(0, 5), limit))
    # 5 shares become 7.5: 0.5 is paid at 60. Of the basis of 450 a fifteenth, 30, goes with it.
    assert tables["closings"] == [(2, "A", SHARE // 2, 60.0, 0, "split")]
    assert tables["positions"] == [("A", 7 * SHARE, 420_000_000)]
    assert usd(tables, 0) == [10_000.0, 10_000.0, 10_000.0, 9_993.0]
    assert tables["orders"][1][4] == 7 * SHARE
    assert tables["orders"][1][7] == 88.5


def test_a_reverse_split_can_leave_an_order_without_shares(engine: Engine) -> None:
    feed = market([flat(1), flat(1), flat(10)], actions=[on(3, SPLIT, 0.1)])
    far = sell(1, 5, type=OrderType.LIMIT, time=TimeInForce.GTC, limit=5.0)
    tables = engine(run(feed, buy(0, 25), far))
    assert tables["closings"] == [(2, "A", SHARE // 2, 10.0, 0, "split")]
    assert ends(tables)[1] == ("CANCELLED", 0.0, "split")


def test_a_delisting_closes_at_its_final_return(engine: Engine) -> None:
    feed = market([flat(50), flat(50), GONE, GONE], actions=[on(3, DELISTING, -0.3)])
    waits = sell(1, 5, type=OrderType.LIMIT, time=TimeInForce.GTC, limit=80.0)
    tables = engine(run(feed, buy(0, 10), waits, Target(3, 0, 0.5)))
    assert tables["closings"] == [(2, "A", 10 * SHARE, 35.0, -150_000_000, "delisted")]
    assert [end[::2] for end in ends(tables)[1:]] == [
        ("CANCELLED", "delisted"),
        ("REJECTED", "delisted"),
    ]
    assert usd(tables, 1) == [10_000.0, 9_500.0, 9_850.0, 9_850.0]


def test_a_name_without_bars_goes_stale_and_may_come_back(engine: Engine) -> None:
    feed = market([flat(50), flat(50), GONE, GONE, GONE, flat(40), flat(40)])
    tables = engine(run(feed, buy(0, 10), buy(5, 1), max_stale_sessions=2, delisting_return=-1.0))
    # The third session without a bar is one more than two.
    assert tables["closings"] == [(4, "A", 10 * SHARE, 0.0, -500_000_000, "stale")]
    assert usd(tables, 0) == [10_000.0, 10_000.0, 10_000.0, 10_000.0, 9_500.0, 9_500.0, 9_500.0]
    assert fills(tables)[1:] == [(6, "BUY", 1.0, 40.0, "open")]


def test_a_cash_account_buys_what_it_can_pay(engine: Engine) -> None:
    feed = market([flat(100), (120, 125, 110, 120)])
    commission = CommissionSettings(model="per_trade", rate=5.0)
    tables = engine(run(feed, buy(0, 90), commission=commission))
    # 90 at 120 are 10,800; (10,000 - 5) / 120 is 83.29.
    assert ends(tables) == [("CANCELLED", 83.0, "insufficient_cash")]
    assert usd(tables, 1)[1] == 10_000 - 83 * 120 - 5


def test_the_last_cent_buys_the_last_share(engine: Engine) -> None:
    feed = market([flat(0.06), flat(0.0651)])
    tables = engine(run(feed, buy(0, 61), initial_cash=Decimal("3.906")))
    # 60 shares at 0.0651 cost exactly 3.906, though 3.906 / 0.0651 is 59.99999999999999 in floats.
    assert ends(tables) == [("CANCELLED", 60.0, "insufficient_cash")]
    assert usd(tables, 1)[1] == 0.0


def test_a_cash_account_sells_no_more_than_it_holds(engine: Engine) -> None:
    feed = market([flat(10)] * 4)
    tables = engine(run(feed, buy(0, 10), sell(1, 15), sell(2, 1)))
    assert ends(tables)[1:] == [
        ("CANCELLED", 10.0, "no_position"),
        ("CANCELLED", 0.0, "no_position"),
    ]


def test_a_margin_account_may_owe_cash(engine: Engine) -> None:
    tables = engine(run(market([flat(100)] * 2), buy(0, 150), account="margin"))
    assert [usd(tables, column)[1] for column in range(3)] == [10_000.0, -5_000.0, 15_000.0]


@pytest.mark.parametrize(
    ("settings", "charged"),
    [
        (CommissionSettings(model="none"), 0.0),
        (CommissionSettings(model="per_trade", rate=4.95), 4.95),
        # 20 at 100 are 2,000 USD.
        (CommissionSettings(model="bps", rate=10.0), 2.0),
        (CommissionSettings(model="bps", rate=10.0, minimum=3.0), 3.0),
        (CommissionSettings(model="per_share", rate=0.02), 0.4),
        (CommissionSettings(model="per_share", rate=0.02, minimum=1.0), 1.0),
        (CommissionSettings(model="per_share", rate=2.0, maximum_share=0.01), 20.0),
    ],
)
def test_commissions(engine: Engine, settings: CommissionSettings, charged: float) -> None:
    tables = engine(run(market([flat(100)] * 2), buy(0, 20), commission=settings))
    assert tables["fills"][0][6] == round(charged * 1e6)
    assert usd(tables, 1)[1] == 8_000 - charged


def test_a_tier_counts_the_shares_of_the_calendar_month(engine: Engine) -> None:
    tiers = tuple(
        CommissionTier(from_shares=start, per_share=rate) for start, rate in ((0, 0.5), (30, 0.1))
    )
    commission = CommissionSettings(model="tiered", tiers=tiers)
    feed = market([flat(1)] * 4, [flat(1)] * 4, days=[29, 30, 31, 32])
    orders = [buy(0, 20), buy(0, 10, 1), sell(1, 5), buy(2, 20)]
    tables = engine(run(feed, *orders, commission=commission))
    # 20 and 10 shares at 0.5; with 30 traded the next 5 cost 0.1; February begins at 0.5 again.
    assert [fill[6] / 1e6 for fill in tables["fills"]] == [10.0, 5.0, 0.5, 10.0]


def test_fractional_shares_reach_a_target_to_a_millionth(engine: Engine) -> None:
    tables = engine(run(market([flat(30)] * 2), Target(0, 0, 1.0), fractional=True))
    assert fills(tables) == [(1, "BUY", 333.333333, 30.0, "open")]
    # A millionth of a share at 30 is 30 micro-dollars.
    assert usd(tables, 1)[1] == pytest.approx(10_000 - 333.333333 * 30, abs=1e-9)
