"""Shares keep their history through renames, and symbols that pass on do not mix companies."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from faulty_bars import history

from trading.data.actions.columns import read_action_columns, symbol_of_file
from trading.data.actions.symbols import Listing, SymbolMap
from trading.errors import DataError
from trading.market.bars import CorporateActionType

# Old Time Warner left TWX in 2001; AOL, which had bought it, took the symbol in 2003.
MAP = SymbolMap(
    (
        Listing("TWX", date(1998, 1, 2), date(2001, 1, 11), "TWX.1"),
        Listing("AOL", date(1998, 1, 2), date(2003, 10, 15), "TWX"),
        Listing("TWX", date(2003, 10, 16), date(2018, 6, 15), "TWX"),
    )
)


def test_a_symbol_is_another_share_at_another_time() -> None:
    assert MAP.share("TWX", date(2000, 1, 3)) == "TWX.1"
    assert MAP.share("TWX", date(2002, 1, 3)) is None
    assert MAP.share("TWX", date(2005, 1, 3)) == "TWX"
    assert MAP.symbol("TWX", date(2000, 1, 3)) == "AOL"
    assert MAP.reused() == ("TWX",)
    assert MAP.renames() == ((date(2003, 10, 16), "AOL", "TWX"),)


def test_bars_follow_the_share() -> None:
    days = ["2000-01-03", "2000-01-03", "2003-10-15", "2003-10-16"]
    frame = history(1).head(4).assign(date=pd.to_datetime(days).astype("datetime64[s]"))
    frame["symbol"] = pd.Series(["TWX", "AOL", "AOL", "TWX"], dtype="str")
    followed = MAP.follow(frame, date(2004, 1, 2))
    told = [(row.symbol, f"{row.date:%Y-%m-%d}") for row in followed.itertuples()]
    assert told == [
        ("TWX", "2000-01-03"),
        ("TWX", "2003-10-15"),
        ("TWX", "2003-10-16"),
        ("TWX.2001-01-11", "2000-01-03"),
    ]
    early = MAP.follow(frame, date(2000, 1, 3))
    assert set(early["symbol"]) == {"TWX", "AOL"}


@pytest.mark.parametrize(
    "second",
    [
        Listing("A", date(2001, 1, 1), None, "two"),
        Listing("B", date(2001, 1, 1), None, "one"),
    ],
)
def test_overlaps_are_refused(second: Listing) -> None:
    with pytest.raises(DataError, match="listed twice"):
        SymbolMap((Listing("A", date(2000, 1, 1), None, "one"), second))


def test_a_listing_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(DataError, match="before it begins"):
        Listing("A", date(2001, 1, 1), date(2000, 1, 1), "one")


@pytest.mark.real_data
def test_real_map_files(real_prices: Path) -> None:
    held = SymbolMap.from_lean(real_prices.parent / "fundamentals" / "lean_map_files")
    assert held.symbol("GOOGL", date(2014, 4, 2)) == "GOOG"
    assert held.symbol("GOOGL", date(2014, 4, 3)) == "GOOGL"
    assert held.share("TWX", date(2000, 6, 1)) == "TWX.1"
    assert held.share("TWX", date(2010, 6, 1)) == "TWX"
    assert (date(2014, 4, 3), "GOOG", "GOOGL") in held.renames()


def test_a_broken_map_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("yesterday,a\n")
    with pytest.raises(DataError, match=r"a\.csv, line 1"):
        SymbolMap.from_lean(tmp_path)


def test_actions_in_the_columns_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "AAPL-1d.csv"
    file.write_text(
        "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n"
        "2024-01-02,1,1,1,1,1,0.0,0.0\n2024-01-03,1,1,1,1,1,0.25,0\n2024-01-04,1,1,1,1,1,,4\n"
    )
    found = [(a.ex_date, a.type, a.value) for a in read_action_columns(file)]
    assert found == [
        (date(2024, 1, 3), CorporateActionType.DIVIDEND, 0.25),
        (date(2024, 1, 4), CorporateActionType.SPLIT, 4.0),
    ]
    assert {a.symbol for a in read_action_columns(file)} == {"AAPL"}


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("AAPL.csv", "AAPL"),
        ("aapl_daily_2024.csv.gz", "AAPL"),
        ("BRK-B.csv", "BRK-B"),
        ("4063-T-1d-bad-split.csv", "4063-T"),
        ("été.csv", "été"),
    ],
)
def test_the_symbol_in_a_name(name: str, symbol: str) -> None:
    assert symbol_of_file(Path(name)) == symbol
