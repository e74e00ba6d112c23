"""Real dirty series: each known fault is found, repairs give what the fixed files hold."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trading.config import QualitySettings
from trading.data.actions.columns import read_action_columns
from trading.data.providers.files import read_bars_file
from trading.data.quality import FindingKind as Kind
from trading.data.quality import Severity, check_bars
from trading.data.repairs import repair_bars, revert
from trading.market.bars import FIELDS, CorporateAction

pytestmark = pytest.mark.real_data
Series = tuple[pd.DataFrame, list[CorporateAction]]
# The one fault that each series is known for, and whether the repair makes it the fixed file.
KNOWN = {
    "3988-HK-1d-bad-div": (Kind.ADJUSTMENT_MISSING, True),
    "4063-T-1d-bad-stock-split": (Kind.SPLIT_NOT_APPLIED, True),
    "ABDP-L-1d-bad-div": (Kind.DIVIDEND_HUNDREDFOLD, True),
    "AET-L-1d-100x-error": (Kind.HUNDREDFOLD_PRICE, True),
    "CNE-L-1d-bad-stock-split": (Kind.SPLIT_NOT_APPLIED, True),
    "DODFX-1d-cg-double-count": (Kind.ADJUSTMENT_MISMATCH, True),
    "KAP-IL-1d-bad-div": (Kind.DUPLICATE_DIVIDEND, False),
    "KME-MI-1d-bad-div": (Kind.DIVIDEND_HUNDREDFOLD, True),
    "LA-V-1d-bad-stock-split": (Kind.SPLIT_NOT_APPLIED, True),
    "MOB-ST-1d-bad-stock-split": (Kind.SPLIT_NOT_APPLIED, True),
    "PSH-L-1d-bad-div": (Kind.DIVIDEND_HUNDREDFOLD, True),
    "RGL-L-1d-bad-div": (Kind.ADJUSTMENT_MISMATCH, False),
    "SCR-TO-1d-bad-div": (Kind.DIVIDEND_HUNDREDFOLD, False),
    "SPM-MI-1d-bad-stock-split": (Kind.SPLIT_NOT_APPLIED, True),
    "SSW-JO-1d-100x-error": (Kind.HUNDREDFOLD_PRICE, True),
    "TENT-L-1d-bad-div": (Kind.DIVIDEND_HUNDREDTH, True),
}


@pytest.fixture
def folder(real_prices: Path) -> Path:
    return real_prices.parent / "dirty_samples_yahoo"


def read(file: Path) -> Series:
    bars = read_bars_file(file).assign(symbol="S").astype({"symbol": "str"})
    actions = [CorporateAction("S", a.ex_date, a.type, a.value) for a in read_action_columns(file)]
    return bars.sort_values("date", ignore_index=True), actions


def errors(bars: pd.DataFrame, actions: list[CorporateAction]) -> Iterator[Kind]:
    for finding in check_bars(bars, actions).findings:
        if finding.severity is Severity.ERROR and finding.kind is not Kind.MISSING_SESSION:
            yield finding.kind


@pytest.mark.parametrize("name", KNOWN)
def test_the_known_fault_is_found(folder: Path, name: str) -> None:
    assert KNOWN[name][0] in set(errors(*read(folder / f"{name}.csv")))


@pytest.mark.parametrize("name", [n for n, (_, whole) in KNOWN.items() if whole])
def test_the_repair_makes_the_fixed_file(folder: Path, name: str) -> None:
    bars, actions = read(folder / f"{name}.csv")
    fixed, right = read(folder / f"{name}-fixed.csv")
    result = repair_bars(bars, actions, QualitySettings())
    days = result.bars["date"].isin(fixed["date"]).to_numpy()
    for field in FIELDS:
        made, wanted = result.bars[field].to_numpy()[days], fixed[field].to_numpy()
        np.testing.assert_allclose(made, wanted, rtol=1e-4)
    assert [a.ex_date for a in result.actions] == [a.ex_date for a in right]
    made_amounts = [a.value for a in result.actions]
    np.testing.assert_allclose(made_amounts, [a.value for a in right], rtol=1e-4)  # type: ignore[arg-type]
    back, before = revert(result)
    pd.testing.assert_frame_equal(back, bars, check_exact=True, check_dtype=False)
    assert list(before) == actions


@pytest.mark.parametrize("name", [n for n, (_, whole) in KNOWN.items() if not whole])
def test_what_is_not_proved_is_left_and_nothing_right_is_broken(folder: Path, name: str) -> None:
    bars, actions = read(folder / f"{name}.csv")
    fixed, _ = read(folder / f"{name}-fixed.csv")
    result = repair_bars(bars, actions, QualitySettings())
    was, now, right = (
        f.set_index("date").loc[fixed["date"], list(FIELDS)].to_numpy()
        for f in (bars, result.bars, fixed)
    )
    unchanged = np.isclose(was, right, rtol=1e-4, equal_nan=True)
    assert np.isclose(now, right, rtol=1e-4, equal_nan=True)[unchanged].all()


def test_clean_series_raise_no_alarm(folder: Path) -> None:
    files = sorted(folder.glob("*-no-bad-divs.csv"))
    assert len(files) == 4
    for file in files:
        bars, actions = read(file)
        assert list(errors(bars, actions)) == [], file.name
        assert repair_bars(bars, actions, QualitySettings()).repairs == ()


def test_fixed_series_raise_no_alarm(folder: Path) -> None:
    for file in sorted(folder.glob("*-fixed.csv")):
        bars, actions = read(file)
        assert list(errors(bars, actions)) == [], file.name


@pytest.mark.slow
def test_the_known_dirt_of_the_real_files(real_prices: Path) -> None:
    bars = read_bars_file(real_prices / "r3000_2016_2019.parquet")
    report = check_bars(bars)
    assert report.count(Kind.ZERO_VOLUME) == 14_285
    jumps = next(f for f in report.findings if f.kind is Kind.IMPOSSIBLE_RETURN)
    assert "AMPY" in {symbol for symbol, _, _ in jumps.examples}
    assert report.count(Kind.STALE_SERIES) > 20
    assert repair_bars(bars, (), QualitySettings()).repairs == ()
    assert report.verdict == "warn"
