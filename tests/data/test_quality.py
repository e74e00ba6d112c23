"""A session is judged by its own bars and those before it."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest
from bar_examples import fetched, make_bars

from trading.config import Settings
from trading.data.lake import Lake
from trading.data.quality import QualityVerdict, check_session
from trading.market.panel import Panel

LAST = date(2024, 1, 12)


@pytest.fixture
def many() -> pd.DataFrame:
    return make_bars(100)


def on_last(bars: pd.DataFrame, count: int) -> pd.Series:
    """Mark the bars of the last session of the first `count` symbols."""
    return (bars["date"] == pd.Timestamp(LAST)) & (bars["symbol"] < f"S{count:03d}")


def test_an_ordinary_session_passes_in_a_panel_as_in_a_lake(
    many: pd.DataFrame, lake: Lake, settings: Settings
) -> None:
    lake.ingest(fetched(many), simulated=False)
    report = check_session(Panel.from_bars(many), LAST, settings)
    assert report == check_session(lake, LAST, settings)
    assert report.verdict is QualityVerdict.PASS
    assert (report.reasons, report.coverage, report.present, report.expected) == ((), 1.0, 100, 100)
    assert json.loads(json.dumps(report.to_dict()))["verdict"] == "pass"


@pytest.mark.parametrize(
    ("gone", "verdict"), [(2, "pass"), (3, "warn"), (20, "warn"), (21, "fail")]
)
def test_coverage_decides(many: pd.DataFrame, settings: Settings, gone: int, verdict: str) -> None:
    report = check_session(Panel.from_bars(many[~on_last(many, gone)]), LAST, settings)
    assert (report.verdict, report.missing) == (verdict, gone)
    assert report.coverage == pytest.approx(1 - gone / 100)
    assert bool(report.reasons) == (verdict != "pass")


def test_suspicious_values_warn(many: pd.DataFrame, settings: Settings) -> None:
    moved = many.copy()
    moved.loc[on_last(many, 6), ["close", "adjusted_close", "high"]] *= 3
    report = check_session(Panel.from_bars(moved), LAST, settings)
    assert (report.verdict, report.outliers) == ("warn", 6)
    assert len(report.largest_moves) == 5
    assert report.largest_moves[0][1] > 1.5
    still = many.copy()
    still.loc[on_last(many, 6), "volume"] = 0.0
    report = check_session(Panel.from_bars(still), LAST, settings)
    assert (report.verdict, report.zero_volume) == ("warn", 6)
    stale = many.copy()
    day_before = (many["date"] == pd.Timestamp("2024-01-11")) & (many["symbol"] < "S006")
    prices = ["open", "high", "low", "close"]
    close = many.loc[day_before, "close"].to_numpy()
    stale.loc[on_last(many, 6), prices] = np.repeat(close[:, None], 4, axis=1)
    report = check_session(Panel.from_bars(stale), LAST, settings)
    assert (report.verdict, report.unchanged) == ("warn", 6)


def test_a_session_without_bars_fails(many: pd.DataFrame, lake: Lake, settings: Settings) -> None:
    panel = Panel.from_bars(many)
    report = check_session(panel, date(2024, 1, 16), settings)
    assert (report.verdict, report.present, report.missing) == ("fail", 0, 100)
    assert "last session held is 2024-01-12" in report.reasons[0]
    assert check_session(lake, LAST, settings).verdict == "fail"


def test_too_few_symbols_fail(many: pd.DataFrame) -> None:
    strict = Settings.model_validate({"data": {"min_symbols": 101}})
    report = check_session(Panel.from_bars(many), LAST, strict)
    assert report.verdict == "fail"
    assert "at least 101" in report.reasons[0]


def test_nothing_later_is_looked_at(many: pd.DataFrame, settings: Settings) -> None:
    early = date(2024, 1, 8)
    whole = check_session(Panel.from_bars(many), early, settings)
    assert whole == check_session(Panel.from_bars(many).before(date(2024, 1, 9)), early, settings)


def test_the_first_session_has_nothing_to_be_compared_with(
    many: pd.DataFrame, settings: Settings
) -> None:
    report = check_session(Panel.from_bars(many), date(2023, 12, 20), settings)
    assert (report.verdict, report.coverage, report.expected, report.new) == ("pass", None, 0, 100)
