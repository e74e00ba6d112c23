"""The tear sheet: whole, self-contained, honest about its assumptions, safe with hostile names."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tests.backtest.report_runs import (
    MADE_AT,
    NAMES,
    RUN,
    ordinary_run,
    price_feed,
    ruined_run,
    run_weights,
    walk_feed,
)
from trading.backtest.report.curves import BenchmarkReturns
from trading.backtest.report.description import RunDescription
from trading.backtest.report.evidence import Evidence
from trading.backtest.report.page import render_page
from trading.backtest.result import BacktestResult
from trading.execution.settings import ExecutionSettings

HEADINGS = (
    *("Equity, USD (log scale)", "Drawdown", "Performance", "Against the benchmark"),
    *("Trading and costs", "Returns by month", "Exposure at session's end"),
    *("Turnover by month, one way", "Rolling Sharpe ratio", "Returns of round trips"),
    *("Round trips", "Positions at the end", "Risk events", "Closings", "Orders", "How it was run"),
)


def page(result: BacktestResult, run: RunDescription = RUN, benchmark: bool = True) -> str:
    sessions = len(result.session_dates)
    moves = np.random.default_rng(2).normal(0.0003, 0.01, sessions)
    against = BenchmarkReturns("B", moves) if benchmark else None
    return render_page(result, Evidence.of(result, against), run, MADE_AT)


class Reader(HTMLParser):
    """Collects tags, attributes that load something, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "srcset", "href")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


def test_it_has_every_part_and_needs_nothing_from_outside() -> None:
    reader = read(page(ordinary_run()))
    text = " ".join(reader.text)
    for heading in HEADINGS:
        assert heading in text
    assert not reader.tags & {"script", "link", "iframe", "object", "form", "base"}
    assert reader.loads
    assert all(value.startswith("data:image/svg+xml;base64,") for value in reader.loads)


def test_it_says_first_what_a_reader_must_know() -> None:
    html = page(ordinary_run())
    text = " ".join(read(html).text)
    assert "SIMULATED MARKET" in text
    assert "<title>SIMULATED" in html
    assert "next_open: market orders fill at the open of the next bar" in text
    assert "commission 5 bps; slippage 5 bps" in text
    assert "max position 0.3 (resize)" in text
    assert "max position · resized" in text
    real = page(ordinary_run(), replace(RUN, simulated=False, warnings=("Mind the gap.",)))
    assert "SIMULATED" not in real
    assert "Mind the gap." in real


def test_the_same_result_makes_the_same_bytes() -> None:
    assert page(ordinary_run()) == page(ordinary_run())


HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "Ünïcødé 株式",
    '"><img src=x onerror=y>',
)


def test_hostile_names_are_text() -> None:
    run = RunDescription(
        "<b>u</b>", "<i>s</i>", False, "B", ("<u>w</u>",), command="trading backtest '<x>'"
    )
    reader = read(page(ordinary_run(symbols=HOSTILE), run))
    text = "".join(reader.text)
    for name in (*HOSTILE, "<b>u</b>", "<i>s</i>", "<u>w</u>", "'<x>'"):
        assert name in text
    assert not reader.tags & {"script", "i", "u"}


def test_a_name_of_a_thousand_letters_is_shown_whole() -> None:
    name = "W" * 1000
    assert name in page(ordinary_run(symbols=(name, "BBB", "CCC", "DDD")))


@pytest.mark.parametrize("sessions", [1, 2, 20])
def test_a_short_run_says_that_it_is_short(sessions: int) -> None:
    text = " ".join(read(page(ordinary_run(sessions))).text)
    assert "too few: annualised figures mean little" in text
    assert "nan" not in text.lower().replace("finance", "")


def test_no_trade_says_so_and_shows_no_invented_figure() -> None:
    idle = run_weights(walk_feed(100), np.zeros((1, 4)))
    text = " ".join(read(page(idle)).text)
    assert "Nothing was traded: every figure is that of cash." in text
    assert "No round trip ended in this period." in text
    assert "Everything is in cash." in text
    assert re.search(r"Sharpe ratio\s+no data", text)


def test_a_lost_account_is_named() -> None:
    text = " ".join(read(page(ruined_run())).text)
    assert "The account was lost on 2016-01-19; figures end there." in text


def test_without_a_benchmark_there_is_no_such_column() -> None:
    html = page(ordinary_run(), replace(RUN, benchmark=""), benchmark=False)
    assert "Against the benchmark" not in html
    assert ">Benchmark</th>" not in html


def test_orders_without_money_are_named() -> None:
    close = np.full((20, 4), 10.0)
    greedy = run_weights(price_feed(close), np.full((1, 4), 0.9))
    assert "orders found none left (leverage or cash)" in page(greedy)
    assert "found none left" not in page(ordinary_run())


@pytest.mark.parametrize(
    ("execution", "told"),
    [
        ({"fill": "same_close"}, "which nobody can do"),
        ({"commission": {"model": "none"}, "slippage": {"model": "none"}}, "neither commission"),
        ({"max_volume_share": None}, "may take more shares than the market traded"),
    ],
)
def test_kind_assumptions_are_named(execution: dict[str, object], told: str) -> None:
    settings = ExecutionSettings.model_validate(execution)
    result = run_weights(walk_feed(80), np.full((1, 4), 0.2), execution=settings)
    assert told in page(result)
    assert told not in page(ordinary_run())


def test_thousands_of_trades_stay_a_small_page() -> None:
    names = tuple(f"N{i:03d}" for i in range(60))
    weights = np.zeros((2, 60))
    weights[0, :30], weights[1, 30:] = 0.03, 0.03
    result = run_weights(walk_feed(1000, names), weights)
    assert len(result.trades) > 5_000
    assert len(page(result)) < 900_000


def test_gaps_in_the_bars_are_no_data_not_nan() -> None:
    close = np.array(walk_feed(120).data.close)
    close[40:60, 0] = np.nan
    close[100:, 1] = np.nan
    result = run_weights(price_feed(close, NAMES), np.full((1, 4), 0.2), every=3)
    reader = read(page(result))
    assert "nan" not in [word.strip().lower() for word in reader.text]
    assert "Closings" in " ".join(reader.text)
    assert "stale" in " ".join(reader.text)
