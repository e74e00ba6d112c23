"""A history's faults are found, each under its kind; clean ones are left alone."""

import json

import numpy as np
import pandas as pd
import pytest
from faulty_bars import SPLIT, day_of, edit, history, rows_of, scaled, with_dividends

from trading.config import DataSettings
from trading.data.quality import FindingKind as Kind
from trading.data.quality import HistoryReport, Severity, check_bars
from trading.data.quality.page import quality_page
from trading.data.quality.series import BarSeries, group_median
from trading.errors import DataError
from trading.market.bars import CorporateAction, empty_bars


@pytest.fixture
def clean() -> pd.DataFrame:
    return history()


def kinds(report: HistoryReport) -> set[Kind]:
    return {finding.kind for finding in report.findings}


def test_a_clean_history_passes_without_a_finding(clean: pd.DataFrame) -> None:
    report = check_bars(clean)
    assert report.findings == ()
    assert (report.verdict, report.reasons) == ("pass", ())
    assert (report.symbols, report.rows) == (5, len(clean))


def test_the_order_of_rows_does_not_matter(clean: pd.DataFrame) -> None:
    dirty = scaled(clean, rows_of(clean, "S001")[100:110], 100.0)
    shuffled = dirty.sample(frac=1, random_state=1)
    assert check_bars(shuffled) == check_bars(dirty)


@pytest.mark.parametrize("factor", [100.0, 0.01])
@pytest.mark.parametrize("span", [slice(100, 101), slice(100, 130), slice(0, 60)])
def test_hundredfold_prices_are_found_row_by_row(
    clean: pd.DataFrame, factor: float, span: slice
) -> None:
    rows = rows_of(clean, "S002")[span]
    report = check_bars(scaled(clean, rows, factor))
    finding = next(f for f in report.findings if f.kind is Kind.HUNDREDFOLD_PRICE)
    assert (finding.count, finding.symbols) == (len(rows), ("S002",))
    assert finding.severity is Severity.ERROR
    assert report.verdict == "fail"


def test_a_split_that_was_not_applied_is_found(clean: pd.DataFrame) -> None:
    mine = rows_of(clean, "S003")
    dirty = scaled(clean, mine[:200], 4.0, 0.25)
    split = CorporateAction("S003", day_of(clean, mine[200]), SPLIT, 4.0)
    assert check_bars(dirty, [split]).count(Kind.SPLIT_NOT_APPLIED) == 200
    assert Kind.SPLIT_SHAPED_JUMP in kinds(check_bars(dirty))


def test_a_split_that_was_applied_is_no_fault(clean: pd.DataFrame) -> None:
    mine = rows_of(clean, "S003")
    split = CorporateAction("S003", day_of(clean, mine[200]), SPLIT, 4.0)
    assert check_bars(clean, [split]).findings == ()


@pytest.mark.parametrize(("field", "factor"), [("high", 100.0), ("low", 0.01)])
def test_one_price_of_another_unit(clean: pd.DataFrame, field: str, factor: float) -> None:
    dirty = edit(
        clean, lambda b: b.__setitem__(field, b[field].where(b.index != 7, b[field] * factor))
    )
    report = check_bars(dirty)
    assert report.count(Kind.HUNDREDFOLD_PRICE) == 1
    assert kinds(report) == {Kind.HUNDREDFOLD_PRICE}


def test_a_bad_print_is_a_spike(clean: pd.DataFrame) -> None:
    row = rows_of(clean, "S001")[50]
    report = check_bars(scaled(clean, np.array([row]), 3.0))
    spike = next(f for f in report.findings if f.kind is Kind.REVERTING_SPIKE)
    assert spike.examples[0][:2] == ("S001", str(day_of(clean, row)))


def test_an_unexplained_move_is_told(clean: pd.DataFrame) -> None:
    report = check_bars(scaled(clean, rows_of(clean, "S004")[250:], 9.0))
    assert report.count(Kind.IMPOSSIBLE_RETURN) == 1
    assert report.count(Kind.OUTLIER) == 1


@pytest.mark.parametrize(("volume", "severity"), [(500.0, Severity.WARNING), (0.0, Severity.INFO)])
def test_a_frozen_series_is_worse_with_trades_than_without(
    clean: pd.DataFrame, volume: float, severity: Severity
) -> None:
    rows = rows_of(clean, "S000")[100:125]

    def freeze(bars: pd.DataFrame) -> None:
        bars.loc[rows, ["open", "high", "low", "close", "adjusted_close"]] = 42.0
        bars.loc[rows, "volume"] = volume

    stale = [f for f in check_bars(edit(clean, freeze)).findings if f.kind is Kind.STALE_SERIES]
    assert [(f.severity, f.examples[0][2]) for f in stale] == [(severity, "24 sessions")]


def test_missing_bars_sessions_and_ends(clean: pd.DataFrame) -> None:
    mine = rows_of(clean, "S001")
    days = np.sort(clean["date"].unique())
    gone = clean.drop(index=[*mine[50:53], *mine[-30:]])
    report = check_bars(gone[gone["date"] != days[300]])
    assert report.count(Kind.MISSING_SESSION) == 1
    assert report.count(Kind.MISSING_BARS) == 1
    assert report.count(Kind.ENDED_SERIES) == 1
    assert report.verdict == "fail"
    half = clean[(clean["date"] != days[9]) | (clean["symbol"] < "S002")]
    assert check_bars(half).count(Kind.LOW_COVERAGE) == 1


def test_a_symbol_that_comes_back_as_another(clean: pd.DataFrame) -> None:
    mine = rows_of(clean, "S001")
    reused = scaled(clean, mine[300:], 5.0).drop(index=mine[200:300])
    assert check_bars(reused).count(Kind.SUSPECTED_REUSE) == 1


def test_one_company_under_two_symbols(clean: pd.DataFrame) -> None:
    twin = clean[clean["symbol"] == "S001"].assign(symbol="TWIN").astype({"symbol": "str"})
    report = check_bars(pd.concat([clean, twin], ignore_index=True))
    found = next(f for f in report.findings if f.kind is Kind.DUPLICATE_SERIES)
    assert set(found.symbols) == {"S001", "TWIN"}


def test_adjusted_closes_that_imply_a_negative_dividend(clean: pd.DataFrame) -> None:
    mine = rows_of(clean, "S001")
    dirty = edit(
        clean,
        lambda b: b.__setitem__(
            "adjusted_close",
            b["adjusted_close"].where(~b.index.isin(mine[:100]), b["adjusted_close"] * 1.2),
        ),
    )
    assert check_bars(dirty).count(Kind.NEGATIVE_IMPLIED_DIVIDEND) == 1


def test_dividends_that_prices_confirm_are_no_fault(clean: pd.DataFrame) -> None:
    bars, actions = with_dividends(clean, "S001", [60, 120, 180, 240], 0.03)
    assert check_bars(bars, actions).findings == ()


def test_nothing_one_row_one_symbol_and_unknown_values() -> None:
    nothing = check_bars(empty_bars())
    assert (nothing.verdict, nothing.rows, nothing.first) == ("fail", 0, None)
    one = history(1)
    assert check_bars(one.iloc[:1]).rows == 1
    assert check_bars(one).verdict == "pass"
    holes = edit(one, lambda b: b.__setitem__("close", b["close"].mask(b.index == 9)))
    assert check_bars(holes).rows == len(one) - 1
    assert check_bars(one.assign(volume=np.nan)).findings == ()
    flat = one.assign(open=1.0, high=1.0, low=1.0, close=1.0, adjusted_close=1.0)
    assert kinds(check_bars(flat)) == {Kind.STALE_SERIES}


def test_doubled_rows_are_refused(clean: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="S000 on 2022-01-03 more than once"):
        check_bars(pd.concat([clean, clean.iloc[:1]]))


def test_the_report_is_json_and_a_page(clean: pd.DataFrame) -> None:
    named = scaled(clean, rows_of(clean, "S001")[5:9], 100.0)
    report = check_bars(named, source="<b>été</b>", settings=DataSettings())
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["verdict"] == "fail"
    page = quality_page(report)
    assert "&lt;b&gt;été" in page
    assert "hundredfold price" in page


def test_group_medians_are_those_of_numpy() -> None:
    random = np.random.default_rng(0)
    values = random.standard_normal(5000) * random.choice([1e-6, 1.0, 1e6], 5000)
    values[::17], values[::19] = np.nan, np.inf
    group = random.integers(0, 90, 5000)
    found = group_median(values, group, 91)
    for i in range(91):
        mine = values[(group == i) & np.isfinite(values)]
        expected = np.median(mine) if len(mine) else np.nan
        np.testing.assert_allclose(found[i], expected, rtol=1e-6)


def test_steps_do_not_cross_from_one_symbol_to_the_next() -> None:
    series = BarSeries.from_bars(history(3))
    steps = series.log_steps(series["close"])
    assert np.isnan(steps[series.starts[:-1]]).all()
    assert np.isfinite(np.delete(steps, series.starts[:-1])).all()
