"""Fundamentals as they were known; nothing is invented."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from trading.data.fundamentals import FundamentalsTable, read_fundamentals
from trading.data.fundamentals.table import derived, trailing_yield, with_price
from trading.errors import DataError
from trading.market.bars import CorporateAction, CorporateActionType, FundamentalData


def test_nothing_is_known_before_its_day() -> None:
    table = FundamentalsTable(
        (
            FundamentalData("A", date(2024, 1, 2), 1e9),
            FundamentalData("A", date(2024, 3, 1), 2e9, sector="Energy"),
        )
    )
    assert table.known("A", date(2024, 1, 1)) is None
    assert [table.known("A", date(2024, m, 28)).market_cap for m in (1, 2, 3)] == [1e9, 1e9, 2e9]  # type: ignore[union-attr]
    section = table.cross_section(["B", "A"], date(2024, 2, 1))
    assert list(section["symbol"]) == ["B", "A"]
    assert np.isnan(section["market_cap"][0])
    assert section["market_cap"][1] == 1e9


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((None, 5.0), (20.0, 5.0)),
        ((20.0, None), (20.0, 5.0)),
        ((None, -5.0), (None, -5.0)),
        ((-20.0, None), (None, None)),
        ((None, None), (None, None)),
        ((None, 0.0), (None, 0.0)),
    ],
)
def test_ratio_and_earnings_from_each_other(
    given: tuple[float | None, float | None], expected: tuple[float | None, float | None]
) -> None:
    record = derived(FundamentalData("A", date(2024, 1, 2), pe_ratio=given[0], eps=given[1]), 100.0)
    assert (record.pe_ratio, record.eps) == expected


def test_a_price_of_nothing_moves_nothing() -> None:
    record = FundamentalData("A", date(2024, 1, 2), 1e9, 20.0, 5.0, 0.02)
    assert with_price(record, float("nan"), 10.0) is record
    moved = with_price(record, 20.0, 10.0)
    assert (moved.market_cap, moved.pe_ratio, moved.eps, moved.dividend_yield) == (2e9, 40, 5, 0.01)


def test_the_yield_of_the_last_year() -> None:
    paid = [
        CorporateAction("A", date(2023, 1, 2), CorporateActionType.DIVIDEND, 9.0),
        CorporateAction("A", date(2023, 6, 1), CorporateActionType.DIVIDEND, 1.0),
        CorporateAction("A", date(2024, 6, 1), CorporateActionType.DIVIDEND, 9.0),
        CorporateAction("B", date(2023, 6, 1), CorporateActionType.DIVIDEND, 9.0),
    ]
    assert trailing_yield(paid, "A", date(2024, 1, 2), 50.0) == 0.02
    assert trailing_yield([], "A", date(2024, 2, 29), 50.0) == 0.0
    assert trailing_yield(paid, "A", date(2024, 1, 2), float("nan")) is None


def test_a_file_is_read_by_its_spellings(tmp_path: Path) -> None:
    file = tmp_path / "list_2024-01-02.csv"
    file.write_text(
        "Ticker,Last Sale,Market Cap,Price/Earnings,Dividend Yield,Sector\n"
        'A,"$1,234.50","2,000,000",10,2.5,Energy\nNONE,$1.00,0.00,,,\n'
    )
    table = read_fundamentals(file)
    record = table.known("A", date(2024, 1, 2))
    assert record is not None
    assert (record.market_cap, record.eps, record.dividend_yield) == (2e6, 123.45, 0.025)
    assert record.industry is None
    assert table.records[1] == FundamentalData("NONE", date(2024, 1, 2))


def test_a_file_without_a_day_or_a_symbol_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("Symbol,Sector\nA,Energy\n")
    with pytest.raises(DataError, match="does not tell its day"):
        read_fundamentals(file)
    file.write_text("Name,Sector\nA,Energy\n")
    with pytest.raises(DataError, match="no column symbol"):
        read_fundamentals(file, as_of=date(2024, 1, 2))


@pytest.mark.real_data
def test_real_files(real_prices: Path) -> None:
    folder = real_prices.parent / "fundamentals"
    table = read_fundamentals(folder / "sp500_constituents_financials_2018-02-08.csv")
    found = table.known("MMM", date(2018, 2, 8))
    assert found is not None
    assert (found.pe_ratio, found.eps, found.sector) == (24.31, 7.92, "Industrials")
    assert found.dividend_yield == pytest.approx(0.0233, abs=1e-4)
    listed = read_fundamentals(folder / "us_listed_snapshot_2021-05-28.csv.gz")
    apple = listed.known("AAPL", date(2021, 6, 1))
    assert apple is not None
    assert apple.market_cap == 2172021955200.0
    assert all(r.market_cap is None or r.market_cap > 0 for r in listed.records)
