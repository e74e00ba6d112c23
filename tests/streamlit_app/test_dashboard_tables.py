import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlit_app.tables import (
    evidence_frame,
    history_frame,
    levels_frame,
    signals_frame,
    to_csv,
)
from tests.notifications.month_example import example_history, example_signals, example_verdict
from trading.strategy.signals import Action

SIGNALS = example_signals()


def test_signals_come_by_action_then_rank_and_unranked_last():
    frame = signals_frame(tuple(reversed(SIGNALS)))

    assert list(frame["action"]) == ["BUY"] * 9 + ["SELL"] * 8 + ["HOLD"] * 59
    sells = frame[frame["action"] == "SELL"]["rank"]
    assert sells.iloc[:-1].is_monotonic_increasing
    assert sells.isna().tolist() == [False] * 7 + [True]


@given(st.sets(st.sampled_from(Action)), st.text(max_size=3))
def test_a_filter_keeps_what_matches_and_nothing_else(actions, search):
    frame = signals_frame(SIGNALS, tuple(actions), search)

    wanted = search.strip().casefold()
    expected = {
        s.symbol
        for s in SIGNALS
        if s.action in actions
        and wanted in f"{s.symbol} {s.reason}".casefold()
        and (wanted in s.symbol.casefold() or wanted in s.reason.casefold())
    }
    assert set(frame["symbol"]) == expected


@pytest.mark.parametrize("symbol", ["=1+1", "+A", "-A", "@A"])
def test_a_download_runs_nothing_in_a_spreadsheet(symbol):
    hostile = SIGNALS[0].model_copy(update={"symbol": symbol, "reason": '=HYPERLINK("x"),"a"'})

    rows = list(csv.DictReader(io.StringIO(to_csv(signals_frame([hostile])).decode())))

    assert rows[0]["symbol"] == f"'{symbol}"
    assert rows[0]["reason"] == '\'=HYPERLINK("x"),"a"'
    assert float(rows[0]["weight"]) == SIGNALS[0].weight


def test_a_download_keeps_negative_numbers_and_gaps():
    frame = signals_frame([SIGNALS[-1], SIGNALS[0].model_copy(update={"score": -1.5})])

    rows = list(csv.DictReader(io.StringIO(to_csv(frame).decode())))

    assert rows[0]["score"] == "-1.5"
    assert (rows[1]["rank"], rows[1]["score"], rows[1]["price"]) == ("", "", "")


def test_levels_start_at_a_hundred_and_unknown_columns_are_left_out():
    history = example_history()
    bare = [point.model_copy(update={"benchmark": None}) for point in history]

    assert list(levels_frame(history).iloc[0]) == [100.0, 100.0, 100.0]
    assert list(levels_frame(bare).columns) == ["Portfolio", "Equal weight"]
    assert list(history_frame(history)["month"]) == [p.month for p in reversed(history)]


def test_the_evidence_has_every_contender_and_figure():
    verdict = example_verdict()

    frame = evidence_frame(verdict)

    assert frame.shape == (6, len(verdict.figures["candidate"]) - 1)
    assert frame.loc["Challenger", "Sharpe"] == "0.79"
    assert evidence_frame(verdict.model_copy(update={"figures": {}})).empty
