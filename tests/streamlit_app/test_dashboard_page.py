"""The page, run by Streamlit's own test runner against DynamoDB and S3 servers (moto)."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import boto3
import pytest
import streamlit as st
from moto import mock_aws
from streamlit.testing.v1 import AppTest

from tests.notifications.month_example import example_history, example_report, example_signals
from trading.cli.watch import ExecutionWatch, StateRun
from trading.data.store import open_store
from trading.month.ledger import ChampionRef, Ledger, RunRecord
from trading.signals.report import write_report
from trading.signals.store import SignalStore

APP = Path(__file__).parents[2] / "streamlit_app" / "app.py"
TABLES = {"ledger": ("pk", "sk"), "signals": ("month", "symbol"), "performance": ("month",)}


NAMES = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "TRADING_LEDGER_TABLE": "ledger",
    "TRADING_SIGNALS_TABLE": "signals",
    "TRADING_PERFORMANCE_TABLE": "performance",
    "TRADING_RUNS_STORE": "s3://runs",
}


@pytest.fixture(scope="module")
def servers():
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in NAMES.items():
            patch.setenv(name, value)
        yield boto3.resource("dynamodb"), boto3.resource("s3")


@pytest.fixture
def cloud(servers):
    dynamodb, s3 = servers
    s3.create_bucket(Bucket="runs")
    for name, keys in TABLES.items():
        dynamodb.create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
        )
    yield dynamodb
    for table in dynamodb.tables.all():
        table.delete()
    s3.Bucket("runs").objects.delete()
    s3.Bucket("runs").delete()
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def months(cloud):
    store = SignalStore(cloud.Table("signals"), cloud.Table("performance"))
    for point in example_history()[-2:]:
        store.write_month(example_signals(point.month), point)
    return store


@pytest.fixture
def report(months):
    write_report(open_store("s3://runs"), example_report())


def page():
    run = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not run.exception, run.exception
    return run


def told(run):
    parts = (run.title, run.info, run.warning, run.error, run.markdown, run.caption, run.subheader)
    return "\n".join(str(element.value) for part in parts for element in part)


def test_before_the_first_month_the_page_says_so(cloud):
    run = page()

    assert "no month is complete yet" in told(run)
    assert "no month has run yet" in told(run)
    assert not run.error


def test_the_latest_month_is_shown_with_its_figures(report):
    run = page()

    assert run.title[0].value == "Trading signals, November 2026"
    metrics = {metric.label: metric.value for metric in run.metric}
    assert (metrics["BUY"], metrics["SELL"], metrics["HOLD"]) == ("9", "8", "59")
    current = example_report().portfolio.current
    assert metrics["Level"] == f"{100 * current.nav:.2f}"
    assert "SIMULATED MARKET" in run.warning[0].value
    assert "Challenger rejected: champion kept." in run.info[0].value
    frames = [frame.value for frame in run.dataframe]
    assert len(frames[0]) == 76
    assert list(frames[0]["action"].unique()) == ["BUY", "SELL", "HOLD"]


def test_signals_are_filtered_and_searched(report):
    run = page()

    run.text_input(key="search").set_value(example_signals()[3].symbol.lower()).run()
    assert list(run.dataframe[0].value["symbol"]) == [example_signals()[3].symbol]

    run.text_input(key="search").set_value("delisted").run()
    assert list(run.dataframe[0].value["action"]) == ["SELL"]

    run.text_input(key="search").set_value("no such name").run()
    assert "no signal of 2026-11 matches" in told(run)


def test_an_earlier_month_without_report_shows_its_signals_and_no_more(report):
    run = page()

    run.selectbox(key="month").set_value("2026-10").run()

    assert not run.exception
    assert run.title[0].value == "Trading signals, October 2026"
    assert len(run.dataframe[0].value) == 76
    assert "not yet its report" in told(run)
    assert not run.warning
    assert "no challenger was judged" in told(run)


def test_champion_and_last_execution_come_from_the_ledger(report):
    ledger = Ledger("ledger")
    ledger.promote(
        ChampionRef(version="2026-08-r1", kind="ensemble", prefix="p/", month="2026-08"), "e-8"
    )
    ledger.claim_run(
        RunRecord(
            month="2026-12",
            as_of=date(2026, 12, 1),
            run=2,
            status="FAILED",
            reason="the data is not complete",
            execution_arn="arn:aws:states:us-east-1:123456789012:execution:m:monthly-2026-12-r2",
        )
    )

    run = page()

    assert "2026-08-r1" in told(run)
    assert "deployed in August 2026" in told(run)
    assert "**FAILED**: run 2 of December 2026" in told(run)
    assert "The data is not complete." in told(run)
    assert "history of this execution is not kept" in told(run)


def test_a_missing_table_is_told_in_a_sentence(cloud):
    cloud.Table("performance").delete()

    run = page()

    assert "ResourceNotFoundException" in run.error[0].value
    assert "Traceback" not in told(run)


def test_a_missing_name_is_told_in_a_sentence(cloud, monkeypatch):
    monkeypatch.delenv("TRADING_SIGNALS_TABLE")

    assert "TRADING_SIGNALS_TABLE is not set" in page().error[0].value


def test_the_states_of_a_running_execution_are_listed(report, monkeypatch):
    entered = datetime(2026, 12, 1, 12, tzinfo=UTC)

    def poll(watch):
        watch.states = {
            "Resolve": StateRun("Resolve", entered, entered + timedelta(seconds=1.5)),
            "Train": StateRun("Train", entered + timedelta(seconds=2)),
        }

    monkeypatch.setattr(ExecutionWatch, "poll", poll)
    arn = "arn:aws:states:us-east-1:123456789012:execution:m:monthly-2026-12-r1"
    Ledger("ledger").claim_run(
        RunRecord(
            month="2026-12", as_of=date(2026, 12, 1), run=1, status="RUNNING", execution_arn=arn
        )
    )

    frames = [frame.value for frame in page().dataframe]

    states = next(frame for frame in frames if "State" in frame)
    assert list(states["State"]) == ["Resolve", "Train"]
    assert states["Seconds"][0] == 1.5
    assert list(states["Status"]) == ["done", "running"]
