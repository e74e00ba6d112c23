"""The store against a DynamoDB server (moto), with runs that die and runs that race."""

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from tests.notifications.month_example import example_history, example_report, example_signals
from trading.errors import ConflictError, NotFoundError, StoreError
from trading.signals.items import from_item, to_item
from trading.signals.model import MonthlySignal
from trading.signals.store import SignalStore
from trading.strategy.signals import Action


class PowerCutError(Exception):
    """Stands for kill -9."""


@pytest.fixture(scope="module")
def dynamodb():
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield boto3.resource("dynamodb", region_name="us-east-1")


@pytest.fixture
def tables(dynamodb):
    made = _table(dynamodb, "signals", "month", "symbol"), _table(dynamodb, "perf", "month")
    yield made
    for table in dynamodb.tables.all():
        table.delete()


def _table(resource, name, *keys):
    return resource.create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": key, "KeyType": kind}
            for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.fixture
def store(tables):
    return SignalStore(*tables, sleep=lambda seconds: None)


SIGNALS = example_signals()[-30:]
PERFORMANCE = example_history()[-1]
CHANGED = (SIGNALS[0].model_copy(update={"score": 9.0}), *SIGNALS[2:])


def test_a_month_comes_back_as_it_was_stored(store):
    assert store.write_month(SIGNALS, PERFORMANCE)
    store.record_success("2026-11", example_report().success)

    stored = store.read_month("2026-11")

    assert stored.signals == tuple(sorted(SIGNALS, key=lambda s: s.symbol))
    assert stored.performance == PERFORMANCE
    assert stored.success == example_report().success
    assert stored.model_version == PERFORMANCE.model_version
    assert store.performance("2026-11") == PERFORMANCE


def test_the_same_month_again_changes_nothing(store):
    store.write_month(SIGNALS, PERFORMANCE)
    store.record_success("2026-11", example_report().success)

    assert not store.write_month(tuple(reversed(SIGNALS)), PERFORMANCE)
    assert store.read_month("2026-11").success == example_report().success


@pytest.mark.parametrize(
    "other",
    [
        (CHANGED, PERFORMANCE),
        (SIGNALS, PERFORMANCE.model_copy(update={"model_version": "2026-11-r2"})),
        ((), PERFORMANCE),
    ],
)
def test_another_content_of_a_complete_month_is_refused(store, other):
    store.write_month(SIGNALS, PERFORMANCE)

    with pytest.raises(ConflictError, match="2026-11 is stored already"):
        store.write_month(*other)

    assert len(store.read_month("2026-11").signals) == len(SIGNALS)


def crash_after(store, monkeypatch, writes):
    """Let `writes` writes through; the next one never happens."""
    from trading.signals import store as module

    real, left = module.call, [writes]

    def call(operation, **arguments):
        if operation.__name__ in {"put_item", "update_item", "batch_write_item"}:
            if left[0] == 0:
                raise PowerCutError
            left[0] -= 1
        return real(operation, **arguments)

    monkeypatch.setattr(module, "call", call)


WRITES = 2 + -(-len(SIGNALS) // 25)


@pytest.mark.parametrize("writes", range(WRITES))
def test_a_run_that_died_anywhere_is_unseen_and_finished_by_the_next(store, monkeypatch, writes):
    with monkeypatch.context() as patch:
        crash_after(store, patch, writes)
        with pytest.raises(PowerCutError):
            store.write_month(SIGNALS, PERFORMANCE)
    assert store.months() == ()
    assert store.latest() is None
    with pytest.raises(NotFoundError, match="no complete signals of 2026-11"):
        store.read_month("2026-11")
    with pytest.raises(NotFoundError):
        store.record_success("2026-11", ())

    assert store.write_month(SIGNALS, PERFORMANCE)

    assert len(store.read_month("2026-11").signals) == len(SIGNALS)


@pytest.mark.parametrize("writes", range(1, WRITES))
def test_a_month_that_was_never_complete_may_be_written_with_other_content(
    store, monkeypatch, writes
):
    with monkeypatch.context() as patch:
        crash_after(store, patch, writes)
        with pytest.raises(PowerCutError):
            store.write_month(SIGNALS, PERFORMANCE)

    assert store.write_month(CHANGED, PERFORMANCE)

    assert store.read_month("2026-11").signals == tuple(sorted(CHANGED, key=lambda s: s.symbol))


def test_of_two_runs_at_once_one_completes_and_the_other_is_told(store, tables, monkeypatch):
    other = SignalStore(*tables)
    real = store._batch

    def interrupted(requests):
        real(requests)
        other.write_month(CHANGED, PERFORMANCE)

    monkeypatch.setattr(store, "_batch", interrupted)

    with pytest.raises(ConflictError, match="another run is writing 2026-11"):
        store.write_month(SIGNALS, PERFORMANCE)

    assert store.read_month("2026-11").signals == tuple(sorted(CHANGED, key=lambda s: s.symbol))


def test_an_item_changed_by_hand_is_noticed(store, tables):
    store.write_month(SIGNALS, PERFORMANCE)
    tables[0].delete_item(Key={"month": "2026-11", "symbol": SIGNALS[0].symbol})

    with pytest.raises(StoreError, match="do not match their seal"):
        store.read_month("2026-11")


def test_months_are_listed_in_order_and_cut_before_a_month(store):
    history = example_history()
    for point in (history[-1], history[-3], history[-2]):
        store.write_month(example_signals(point.month), point)

    assert store.months() == ("2026-09", "2026-10", "2026-11")
    assert store.history() == history[-3:]
    assert store.history(before="2026-11") == history[-3:-1]
    assert store.latest().month == "2026-11"
    assert store.latest(before="2026-11").month == "2026-10"
    assert store.latest(before="2026-09") is None


def test_what_dynamodb_leaves_undone_is_tried_again(store, tables, monkeypatch):
    client, waits = tables[0].meta.client, []
    real, refusals = client.batch_write_item, [3]
    store._sleep = waits.append

    def throttled(RequestItems):
        ((table, requests),) = RequestItems.items()
        if refusals[0] and len(requests) > 1:
            refusals[0] -= 1
            real(RequestItems={table: requests[:1]})
            return {"UnprocessedItems": {table: requests[1:]}}
        return real(RequestItems=RequestItems)

    throttled.__name__ = "batch_write_item"
    monkeypatch.setattr(client, "batch_write_item", throttled)

    assert store.write_month(SIGNALS, PERFORMANCE)
    assert waits == sorted(waits)
    assert len(waits) == 3
    assert len(store.read_month("2026-11").signals) == len(SIGNALS)

    monkeypatch.setattr(
        client, "batch_write_item", lambda **request: {"UnprocessedItems": request["RequestItems"]}
    )
    with pytest.raises(StoreError, match="unwritten after 8 tries"):
        store.write_month(example_signals("2026-12"), example_history("2026-12")[-1])


def test_a_missing_table_is_told_plainly(tables):
    tables[0].delete()

    with pytest.raises(StoreError, match="DynamoDB refused query: ResourceNotFoundException"):
        SignalStore(*tables).write_month(SIGNALS, PERFORMANCE)


def test_signals_of_two_months_are_refused(store):
    with pytest.raises(StoreError, match="stored alone"):
        store.write_month(example_signals("2026-10"), PERFORMANCE)
    with pytest.raises(StoreError, match="two signals of one symbol"):
        store.write_month(SIGNALS[:1] * 2, PERFORMANCE)


numbers = st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda x: x == 0 or 1e-130 <= abs(x) <= 9.9e125
)
fractions = st.floats(1e-12, 1.0)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40)
symbols = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@st.composite
def monthly_signals(draw):
    action = draw(st.sampled_from(Action))
    return MonthlySignal(
        month="2026-11",
        symbol=draw(symbols),
        slot=draw(st.integers(0, 3599)),
        action=action,
        rank=draw(st.none() | st.integers(1, 3600)),
        score=draw(st.none() | numbers),
        confidence=draw(st.none() | fractions),
        weight=0.0 if action is Action.SELL else draw(fractions),
        previous_weight=0.0 if action is Action.BUY else draw(fractions),
        price=draw(st.none() | st.floats(1e-4, 1e7)),
        reason=draw(texts),
    )


@given(
    signals=st.lists(monthly_signals(), max_size=27, unique_by=lambda s: s.symbol),
    nav=st.floats(1e-6, 1e6),
)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_month_survives_the_store(tables, signals, nav):
    store = SignalStore(*tables)
    for table in tables:
        for item in table.scan()["Items"]:
            key = {name["AttributeName"]: item[name["AttributeName"]] for name in table.key_schema}
            table.delete_item(Key=key)
    performance = PERFORMANCE.model_copy(update={"nav": nav})

    assert store.write_month(signals, performance)
    stored = store.read_month("2026-11")

    assert stored.signals == tuple(sorted(signals, key=lambda s: s.symbol))
    assert stored.performance == performance
    assert not store.write_month(signals, performance)


@given(numbers)
def test_a_number_reads_back_as_the_same_float(number):
    assert float(from_item(to_item({"x": number}))["x"]) == number


@pytest.mark.parametrize("number", [1e-131, -1e126, float("nan"), float("inf")])
def test_a_number_that_dynamodb_cannot_hold_is_refused(number):
    with pytest.raises(StoreError, match="cannot hold"):
        to_item({"x": number})
