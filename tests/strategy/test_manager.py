import asyncio

import pytest
from scripted_strategies import Scripted, buy, raises, spins
from strategy_markets import market_of, random_closes, table_of

from trading.errors import StrategyError
from trading.strategy.manager import StrategyManager
from trading.strategy.runner import StrategyRunner
from trading.strategy.signals import Action

DATA = market_of(random_closes(1, 30, 4, holes=0))


def one(strategy_id, script=lambda d: []):
    return Scripted(script, strategy_id)


def buyer(strategy_id):
    return one(strategy_id, lambda d: [buy(d, strategy_id=strategy_id)])


def run(coroutine):
    return asyncio.run(coroutine)


def test_shares_of_the_capital_never_exceed_it():
    manager = StrategyManager()
    manager.add(one("a"), 0.7)
    manager.add(one("b"), 0.2)
    with pytest.raises(StrategyError, match=r"c: 0\.2 of the capital was asked for, .* 0\.1 is"):
        manager.add(one("c"), 0.2)
    manager.add(one("c"), 0.1)
    manager.remove("a")
    manager.add(one("d"), 0.7)

    assert [(x.strategy.strategy_id, x.fraction) for x in manager.allocations] == [
        ("b", 0.2),
        ("c", 0.1),
        ("d", 0.7),
    ]


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1, float("nan"), float("inf")])
def test_a_share_of_the_capital_is_a_fraction(fraction):
    with pytest.raises(StrategyError, match="above 0 and up to 1"):
        StrategyManager().add(one("a"), fraction)


def test_a_doubled_or_unknown_id_is_refused():
    manager = StrategyManager()
    manager.add(one("a"), 0.1)
    with pytest.raises(StrategyError, match="two strategies have the strategy_id a"):
        manager.add(one("a"), 0.1)
    for act in (manager.remove, manager.resume, manager.suspend, manager.status, manager.wishes):
        with pytest.raises(StrategyError, match=r"no strategy 'x' .* there are a"):
            act("x")
    with pytest.raises(StrategyError, match="max_failures"):
        StrategyManager(max_failures=0)


def test_a_failing_strategy_is_suspended_keeps_its_wishes_and_harms_nobody():
    alerts = []

    def worsens(data):
        if len(bad.seen) > 1:
            raise ValueError("broken")
        return [
            buy(data, "S001", 0.8, "bad"),
            buy(data, "S002", 0.3, "bad"),
        ]

    bad = one("bad", worsens)
    manager = StrategyManager(alert=lambda failure, suspended: alerts.append((failure, suspended)))
    manager.add(bad, 0.5)
    manager.add(buyer("good"), 0.5)

    async def bars():
        return [await manager.analyze(DATA.upto(row)) for row in range(20, 26)]

    answers = run(bars())

    assert [len(answer["good"]) for answer in answers] == [1] * 6
    assert [len(answer["bad"]) for answer in answers] == [2, 0, 0, 0, 0, 0]
    assert len(bad.seen) == 4
    assert manager.wishes("bad") == {"S001": 0.8, "S002": 0.3}
    status = manager.status("bad")
    assert (status.suspended, status.on_end, status.failures, status.fraction) == (True, 3, 3, 0.5)
    assert status.last is manager.failures("bad")[-1]
    assert [suspended for _, suspended in alerts] == [False, False, True]
    assert "broken" in alerts[0][0].sentence()
    assert manager.status("good").failures == 0

    manager.resume("bad")
    bad.seen.clear()
    assert len(run(manager.analyze(DATA))["bad"]) == 2
    assert not manager.status("bad").suspended


def test_one_good_answer_clears_the_count():
    def every_other(data):
        if len(strategy.seen) % 2:
            raise ValueError("odd")
        return []

    strategy = one("a", every_other)
    manager = StrategyManager(max_failures=2)
    manager.add(strategy, 1.0)
    for _ in range(6):
        run(manager.analyze(DATA))

    assert not manager.status("a").suspended
    assert manager.status("a").failures == 3


@pytest.mark.slow
def test_a_strategy_that_hangs_is_suspended_at_once():
    manager = StrategyManager(runner=StrategyRunner(timeout_seconds=2.0))
    manager.add(one("stuck", spins), 0.5)
    manager.add(buyer("good"), 0.5)

    answers = run(manager.analyze(DATA))

    assert (len(answers["stuck"]), len(answers["good"])) == (0, 1)
    assert manager.status("stuck").suspended
    assert manager.failures("stuck")[0].kind == "StrategyHangs"


def test_an_alert_that_fails_stops_nothing():
    def broken_alert(failure, suspended):
        raise RuntimeError("no mail today")

    manager = StrategyManager(alert=broken_alert)
    manager.add(one("bad", raises(ValueError("x"))), 0.5)
    manager.add(buyer("good"), 0.5)

    assert len(run(manager.analyze(DATA))["good"]) == 1
    assert manager.status("bad").failures == 1


def test_wishes_follow_buy_hold_and_sell():
    def script(data):
        bar = len(strategy.seen)
        action = {1: Action.BUY, 2: Action.HOLD, 3: Action.SELL}[bar]
        return [buy(data, strategy_id="a", action=action, strength=0.5)]

    for long_only, after_sale in ((True, {}), (False, {"S000": -0.5})):
        sided = type("Sided", (Scripted,), {"long_only": long_only})
        strategy = sided(script, "a")
        manager = StrategyManager()
        manager.add(strategy, 1.0)
        seen = []
        for _ in range(3):
            run(manager.analyze(DATA))
            seen.append(manager.wishes("a"))
        assert seen == [{"S000": 0.5}, {"S000": 0.5}, after_sale]


def test_a_whole_history_is_traced_for_each():
    manager = StrategyManager()
    manager.add(buyer("good"), 0.5)
    manager.add(one("bad", raises(ValueError("x"))), 0.5)

    traces = run(manager.trace(DATA))

    assert len(table_of(traces["good"].signals)) == 28
    assert traces["bad"].suspended
    assert manager.status("bad").failures == 3
    assert manager.status("bad").suspended
    assert run(manager.trace(DATA))["bad"].failures == ()
    assert manager.wishes("good") == {"S000": 0.5}


def test_no_strategies_answer_nothing():
    assert run(StrategyManager().analyze(DATA)) == {}
