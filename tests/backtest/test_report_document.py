"""The JSON report and the CSV tables."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jsonschema import Draft202012Validator

from tests.backtest.report_runs import (
    MADE_AT,
    RUN,
    ordinary_run,
    ruined_run,
    run_weights,
    walk_feed,
)
from trading.backtest.report.curves import BenchmarkReturns
from trading.backtest.report.document import make_document, schema
from trading.backtest.report.evidence import Evidence, Form
from trading.backtest.report.tables import write_tables
from trading.backtest.report.wording import cell, figure
from trading.backtest.result import BacktestResult

RUNS = {
    "ordinary": ordinary_run,
    "one session": lambda: ordinary_run(1),
    "ruined": ruined_run,
    "idle": lambda: run_weights(walk_feed(30), np.zeros((1, 4))),
}


@pytest.mark.parametrize("name", RUNS)
def test_the_json_obeys_its_schema_and_holds_no_nan(name: str) -> None:
    result = RUNS[name]()
    document = make_document(result, Evidence.of(result), RUN, MADE_AT)
    text = json.dumps(document.model_dump(mode="json"), allow_nan=False)
    Draft202012Validator.check_schema(schema())
    Draft202012Validator(schema()).validate(json.loads(text))


def test_the_json_says_what_the_result_says() -> None:
    result = ordinary_run()
    benchmark = BenchmarkReturns("B", np.full(300, 0.001))
    document = make_document(result, Evidence.of(result, benchmark), RUN, MADE_AT)
    assert document.run.simulated
    assert document.run.fill == "next_open"
    assert document.run.symbols == 4
    assert document.settings["risk"]["max_position"]["limit"] == 0.3
    assert document.account.final_equity == result.equity[-1]
    assert document.counts.fills == len(result.fills)
    assert sum(document.counts.orders.values()) == len(result.orders)
    assert document.counts.risk_events["max_position resized"] > 0
    assert document.series.equity == result.equity.tolist()
    assert document.series.dates[0].isoformat() == "2016-01-04"
    months = document.monthly_returns
    assert next(iter(months)) == "2016-01"
    total = document.figures.strategy["total_return"]
    assert np.prod([1 + value for value in months.values()]) - 1 == pytest.approx(total)
    assert document.figures.benchmark is not None
    assert document.figures.benchmark["total_return"] == pytest.approx(1.001**300 - 1)
    assert document.figures.relative is not None


def test_every_table_is_written_and_reads_back(tmp_path: Path) -> None:
    result = ordinary_run(symbols=("A,B", 'q"q', "Ü株", "=1+1"))
    files = write_tables(result, Evidence.of(result), tmp_path / "new" / "folder")
    names = {file.name for file in files}
    assert names == {
        *("trades.csv", "orders.csv", "fills.csv", "closings.csv", "risk_events.csv"),
        *("positions.csv", "events.csv", "equity.csv"),
    }
    _same(result, files[0].parent)


def _same(result: BacktestResult, folder: Path) -> None:
    fills = pd.read_csv(folder / "fills.csv")
    assert fills["symbol"].tolist() == result.fills["symbol"].tolist()
    np.testing.assert_array_equal(fills["price"], result.fills["price"])
    assert fills["timestamp"].iloc[0].endswith("Z")
    assert (pd.to_datetime(fills["timestamp"]) == result.fills["timestamp"]).all()
    equity = pd.read_csv(folder / "equity.csv")
    np.testing.assert_array_equal(equity["equity"], result.equity)
    trades = pd.read_csv(folder / "trades.csv")
    assert len(trades) == len(result.trades)


def test_tables_without_rows_keep_their_columns(tmp_path: Path) -> None:
    idle = run_weights(walk_feed(30), np.zeros((1, 4)))
    write_tables(idle, Evidence.of(idle), tmp_path)
    trades = pd.read_csv(tmp_path / "trades.csv")
    assert len(trades) == 0
    assert "pnl" in trades.columns


@pytest.mark.parametrize(
    ("value", "form", "told"),
    [
        (0.12345, "percent", "12.35%"),
        (-0.5, "number", "−0.50"),
        (-0.001, "number", "0.00"),
        (1234567.0, "usd", "1,234,567.00"),
        (float("nan"), "number", "no data"),
        (float("inf"), "percent", "no data"),
        (None, "count", "no data"),
        (3.0, "count", "3"),
        (-2.5e7, "number", "-2.50e+07"),
    ],
)
def test_figures_read_as_a_reader_expects(value: float | None, form: Form, told: str) -> None:
    assert figure(value, form) == told


@pytest.mark.parametrize(
    ("value", "column", "told"),
    [
        (pd.Timestamp("2016-01-04 23:59:59", tz="UTC"), "timestamp", "2016-01-04"),
        (pd.Timestamp("2016-01-04 15:30", tz="UTC"), "timestamp", "2016-01-04 15:30"),
        (pd.NaT, "timestamp", "no data"),
        (1500.0, "quantity", "1,500"),
        (-0.25, "quantity", "−0.25"),
        (0.1234, "return", "12.34%"),
        (0.05, "price", "0.0500"),
        ("stop_loss", "reason", "stop loss"),
        ("stop_loss", "symbol", "stop_loss"),
        (np.int64(12000), "bars", "12,000"),
        (float("nan"), "price", "no data"),
        (None, "price", "no data"),
    ],
)
def test_cells_read_by_their_column(value: object, column: str, told: str) -> None:
    assert cell(value, column) == told
