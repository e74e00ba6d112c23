from datetime import date

import numpy as np
import pytest

from trading.execution.slippage import CostModel
from trading.market.bars import CorporateAction, CorporateActionType
from trading.market.panel import Panel
from trading.signals.success import PastSignal, success_rates
from trading.strategy.signals import Action

COSTS = CostModel(commission_bps=10.0, slippage_bps=40.0, impact_coefficient=0.1, capital_usd=1e7)
SYMBOLS = ("UP", "DOWN", "GONE", "FLAT", "BARELY", "")
DECISION = date(2024, 1, 31)  # the last session before February 2024
FILL, LEAVE = np.datetime64("2024-02-01"), np.datetime64("2024-03-01")


def panel(end: str = "2024-03-06") -> Panel:
    """Prices that move only between the February fill and the March fill, and wildly outside."""
    days = np.arange(np.datetime64("2024-01-02"), np.datetime64(end))
    days = days[np.is_busday(days)]
    price = np.full((len(days), len(SYMBOLS)), 100.0)
    inside = (days > FILL) & (days <= LEAVE)
    for j, total in enumerate((0.10, -0.10, 0.0, 0.0, 0.004)):
        price[inside, j] = 100.0 * (1 + total)
        price[days > LEAVE, j] = 1.0 if j == 0 else 900.0
        price[days < FILL, j] = 900.0 if j == 0 else 1.0
    price[days > FILL, 2] = np.nan
    price[:, 5] = np.nan
    return Panel(days, SYMBOLS, *([price] * 4), np.ones_like(price), price)


def signal(symbol: str, action: Action, month: str = "2024-02", decision: date = DECISION):
    return PastSignal(month, symbol, action, decision)


def rates(signals, bars=None, **named):
    found = success_rates(signals, bars if bars is not None else panel(), COSTS, **named)
    return {rate.label: rate for rate in found}


def test_a_name_that_left_counts_with_what_its_delisting_paid():
    def left(final):
        action = CorporateAction("GONE", date(2024, 2, 5), CorporateActionType.DELISTING, final)
        return rates([signal("GONE", Action.HOLD)], actions=[action])["HOLD"]

    assert (left(-0.3).successes, left(-0.3).signals, left(-0.3).missing) == (0, 1, 0)
    assert (left(0.3).successes, left(0.3).signals) == (1, 1)
    assert (left(None).signals, left(None).missing) == (0, 1)


def test_each_action_is_judged_by_its_own_rule():
    found = rates(
        [
            signal("UP", Action.BUY),
            signal("DOWN", Action.HOLD),
            signal("DOWN", Action.SELL),
            signal("UP", Action.SELL),
        ]
    )
    assert (found["BUY"].successes, found["BUY"].signals) == (1, 1)
    assert (found["HOLD"].successes, found["HOLD"].signals) == (0, 1)
    assert (found["SELL"].successes, found["SELL"].signals) == (1, 2)
    every = found["all signals"]
    assert (every.successes, every.signals, every.months, every.missing) == (2, 4, 1, 0)
    assert every.rate == 0.5
    assert every.low is not None
    assert every.high is not None
    assert every.low < 0.5 < every.high


def test_a_gain_smaller_than_the_cost_is_no_success_for_a_buy_but_is_for_a_hold():
    assert rates([signal("BARELY", Action.BUY)])["BUY"].successes == 0
    assert rates([signal("BARELY", Action.HOLD)])["HOLD"].successes == 1
    assert rates([signal("FLAT", Action.HOLD)])["HOLD"].successes == 0
    assert rates([signal("FLAT", Action.SELL)])["SELL"].successes == 0


def test_against_equal_weight_the_market_is_the_measure():
    # The mean of UP, DOWN, FLAT and BARELY is +0.1 %: FLAT lost nothing, but lagged.
    found = rates([signal("FLAT", Action.HOLD), signal("BARELY", Action.HOLD)])
    against = found["HOLD, against equal weight"]
    assert (against.successes, against.signals) == (1, 2)


def test_names_without_an_outcome_are_counted_apart():
    found = rates(
        [signal("GONE", Action.BUY), signal("NEVER", Action.BUY), signal("UP", Action.BUY)]
    )
    assert (found["BUY"].missing, found["BUY"].signals) == (2, 1)


def test_a_month_is_judged_only_when_its_last_fill_has_come():
    assert rates([signal("UP", Action.BUY)], panel("2024-03-01"))["BUY"].signals == 0
    assert rates([signal("UP", Action.BUY)], panel("2024-03-02"))["BUY"].signals == 1
    assert rates([signal("UP", Action.BUY)], panel("2024-03-01"))["BUY"].months == 0


def test_bars_after_the_last_fill_change_nothing():
    signals = [signal("UP", Action.BUY), signal("DOWN", Action.SELL)]
    assert rates(signals, panel("2024-03-02")) == rates(signals, panel("2024-04-20"))


def test_without_signals_there_is_no_rate():
    found = rates([])
    assert {rate.rate for rate in found.values()} == {None}
    assert {rate.low for rate in found.values()} == {None}


def test_only_the_latest_months_count():
    early = signal("UP", Action.BUY, "2024-01", date(2024, 1, 2))
    found = rates([early, signal("UP", Action.BUY)], months=1)
    assert (found["BUY"].months, found["BUY"].signals) == (1, 1)
    both = rates([early, signal("UP", Action.BUY)])
    assert (both["BUY"].months, both["BUY"].signals) == (2, 2)


def test_a_decision_before_the_panel_began_is_missing():
    found = rates([signal("UP", Action.BUY, "2023-12", date(2023, 11, 30))])
    assert (found["BUY"].missing, found["BUY"].signals) == (1, 0)


def test_the_order_of_signals_does_not_matter():
    signals = [signal("UP", Action.BUY), signal("DOWN", Action.SELL), signal("FLAT", Action.HOLD)]
    assert rates(signals) == rates(signals[::-1])


@pytest.mark.parametrize("count", [1, 7])
def test_success_agrees_with_a_count_by_hand(count):
    rng = np.random.default_rng(count)
    days = np.arange(np.datetime64("2024-01-02"), np.datetime64("2024-03-05"))
    days = days[np.is_busday(days)]
    names = tuple(f"N{i}" for i in range(30))
    price = 50 * np.cumprod(1 + rng.normal(0, 0.02, (len(days), 30)), axis=0)
    bars = Panel(days, names, *([price] * 4), np.ones_like(price), price)
    fill, leave = np.searchsorted(days, [FILL, LEAVE])
    gross = price[leave] / price[fill] - 1
    expected = sum((1 - 0.005) * (1 + r) - 1 > 0 for r in gross)
    found = rates([signal(name, Action.BUY) for name in names], bars)["BUY"]
    assert (found.successes, found.signals) == (expected, 30)
