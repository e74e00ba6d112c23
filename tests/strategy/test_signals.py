from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from trading.errors import SignalError
from trading.strategy.signals import Action, Signal, Signals

NOW = datetime(2020, 1, 2, tzinfo=UTC)
STAMPS = np.array(["2020-01-01", "2020-01-02"], "datetime64[s]")


def signal(**changes):
    fields = {
        "timestamp": NOW,
        "symbol": "A",
        "action": Action.BUY,
        "strength": 0.5,
        "strategy_id": "s",
    }
    return Signal(**fields | changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"symbol": ""}, "needs a symbol"),
        ({"symbol": None}, "needs a symbol"),
        ({"timestamp": datetime(2020, 1, 2)}, "no time zone"),
        ({"timestamp": "2020-01-02"}, "no time zone"),
        ({"action": "LONG"}, "must be Action.BUY"),
        ({"action": "BUY"}, "must be Action.BUY"),
        ({"strength": float("nan")}, "within 0..1"),
        ({"strength": float("inf")}, "within 0..1"),
        ({"strength": 1.0000001}, "within 0..1"),
        ({"strength": -0.1}, "within 0..1"),
        ({"strength": True}, "must be a number"),
        ({"strength": "1"}, "must be a number"),
        ({"strength": None}, "must be a number"),
    ],
)
def test_a_signal_that_breaks_the_contract_cannot_be_made(changes, words):
    with pytest.raises(SignalError, match=words):
        signal(**changes)


def test_a_signal_takes_whole_and_numpy_numbers_and_any_symbol():
    assert signal(strength=1).strength == 1
    assert signal(strength=np.float32(0.5)).strength == 0.5
    assert signal(symbol="Ünïcode 株").symbol == "Ünïcode 株"


def test_a_list_becomes_columns_sorted_by_bar_and_symbol():
    given = [
        signal(symbol="B", strength=0.25),
        signal(symbol="A", action=Action.SELL),
        signal(timestamp=NOW - timedelta(days=1), symbol="B", action=Action.HOLD),
    ]

    signals = Signals.from_list("s", given, STAMPS, ("A", "B"))

    assert signals.rows.tolist() == [0, 1, 1]
    assert signals.columns.tolist() == [1, 0, 1]
    assert signals.actions.tolist() == [0, -1, 1]
    assert list(signals) == [given[2], given[1], given[0]]
    assert list(signals.at(1)) == [given[1], given[0]]
    assert signals[-1] == given[0]
    assert len(signals.at(0)) == 1


def test_a_stamp_of_another_zone_is_the_same_moment():
    zone = timezone(timedelta(hours=-5))

    signals = Signals.from_list("s", [signal(timestamp=NOW.astimezone(zone))], STAMPS, ("A",))

    assert signals.rows.tolist() == [1]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([signal(symbol="C")], "not in the universe"),
        ([signal(timestamp=NOW + timedelta(seconds=1))], "not the close of a bar"),
        ([signal(timestamp=NOW + timedelta(days=9))], "not the close of a bar"),
        ([signal(), signal(action=Action.SELL)], "given once"),
        (["BUY A"], "expected Signal"),
        ([None], "expected Signal"),
    ],
)
def test_a_list_that_breaks_the_contract_is_refused(given, words):
    with pytest.raises(SignalError, match=words):
        Signals.from_list("s", given, STAMPS, ("A", "B"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": [0, 2]}, "row lies outside"),
        ({"rows": [-1, 0]}, "row lies outside"),
        ({"columns": [0, 5]}, "column lies outside"),
        ({"rows": [1, 0]}, "sorted by row and column"),
        ({"columns": [0]}, "differ in length"),
        ({"strengths": [0.5, np.nan]}, "strengths must lie within"),
        ({"strengths": [0.5, 1.5]}, "strengths must lie within"),
        ({"actions": [1, 2]}, "actions must be"),
    ],
)
def test_columns_that_break_the_contract_are_refused(changes, words):
    fields = {"rows": [0, 1], "columns": [0, 0], "actions": [1, -1], "strengths": [1.0, 0.5]}
    kinds = {"actions": np.int8, "strengths": np.float64}
    arrays = {
        name: np.array(value, kinds.get(name, np.int64))
        for name, value in (fields | changes).items()
    }

    with pytest.raises(SignalError, match=words):
        Signals("s", STAMPS, ("A", "B"), **arrays)


def test_no_signals_are_an_empty_sequence():
    none = Signals.none("s", STAMPS, ["A"])

    assert len(none) == 0
    assert list(none) == []
    assert len(none.at(1)) == 0
