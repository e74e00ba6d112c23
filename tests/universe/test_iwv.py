"""The published holdings file, as shipped and as found in the wild."""

import os
from datetime import date
from pathlib import Path

import pytest

from trading.errors import DataError
from trading.universe.iwv import read_iwv, symbol_key

PUBLISHED = Path(
    os.environ.get("TRADING_REAL_DATA", Path(__file__).parents[3] / "shared" / "data")
) / "universe" / "ishares_iwv"  # fmt: skip
HEADER = "Ticker,Name,Sector,Asset Class,Market Value,Weight (%),Price,Exchange,Currency"
PREAMBLE = (
    'iShares Russell 3000 ETF\nFund Holdings as of,"May 21, 2025"\n'
    'Shares Outstanding,"44,600,000.00"\nCash,"-"\n\xa0\n'
)
DISCLAIMER = '\xa0\n"The content contained herein is owned, or licensed, by others. So there."\n'


def line(ticker: str, name: str = "A CORP", kind: str = "Equity", value: str = "1,000.50",
         exchange: str = "NASDAQ") -> str:  # fmt: skip
    return f'"{ticker}","{name}","Energy","{kind}","{value}","0.01","9.00","{exchange}","USD"'


def holdings(*lines: str, preamble: str = PREAMBLE, mark: bool = True) -> bytes:
    text = preamble + HEADER + "\n" + "\n".join(lines) + "\n" + DISCLAIMER
    return text.encode("utf-8-sig" if mark else "utf-8")


def test_a_file_as_shipped() -> None:
    found = read_iwv(
        holdings(
            line("SMAL", value="12.00"),
            line("BRKB", "BERKSHIRE HATHAWAY INC CLASS B", value="246,730,431.57", exchange="NYSE"),
            line("XTSLA", "BLK CSH FND", kind="Money Market"),
            line("ESM5", "S&P500 EMINI JUN 25", kind="Futures"),
            line("-", "EMPIRE RESORT ESCROW"),
            line("P5N994", "Petrocorp Inc Escrow", exchange="Non-Nms Quotation Service (Nnqs)"),
            line("ADRO", "CHINOOK", exchange="NO MARKET (E.G. UNLISTED)"),
            line("GTXI", "GTXI INC - CVR"),
            line("CVI", "CVR ENERGY INC", value="15.00"),
            line("CLSKW", "CLEANSPARK INC"),
            line("WLLB", "CHORD ENERGY EQUITY WARRANTS SERIE"),
        )
    )
    assert found.as_of == date(2025, 5, 21)
    assert found.symbols == ("BRKB", "CVI", "SMAL")
    assert found.members[0].market_value_usd == 246_730_431.57
    assert found.excluded == {
        "a right, not a share": 1,
        "a warrant": 2,
        "no exchange ticker": 2,
        "not an equity": 2,
        "not listed on an exchange": 1,
    }


@pytest.mark.parametrize("mark", [True, False])
def test_a_stripped_preamble_needs_the_date(mark: bool) -> None:
    content = holdings(line("AAA"), preamble="", mark=mark)
    with pytest.raises(DataError, match="give the date of the holdings"):
        read_iwv(content)
    assert read_iwv(content, date(2024, 8, 15)).as_of == date(2024, 8, 15)


def test_a_symbol_listed_twice_is_one_member_the_larger_line() -> None:
    found = read_iwv(holdings(line("AAA", value="5"), line("AAA", value="7"), line("BBB")))
    assert [(m.symbol, m.market_value_usd) for m in found.members] == [("BBB", 1000.5), ("AAA", 7)]
    assert found.excluded == {"symbol listed twice, the larger line kept": 1}


def test_a_cut_off_line_is_counted() -> None:
    found = read_iwv(holdings(line("AAA"), '"BBB","B CORP","Ener'))
    assert found.symbols == ("AAA",)
    assert found.excluded == {"malformed line": 1}


@pytest.mark.parametrize(
    ("content", "as_of", "match"),
    [
        (b"", None, "no header line"),
        (b"Ticker,Name\nAAA,A CORP\n", None, "no header line with the columns Ticker"),
        (b"PK\x03\x04\xff\xfe", None, "cannot be read as UTF-8"),
        (holdings(), None, "lists no shares"),
        (holdings(line("AAA")), date(2025, 5, 22), "holds 2025-05-21, not 2025-05-22"),
        (holdings(line("AAA", value="lots")), None, "market value 'lots' for AAA"),
        (holdings(line("AAA"), preamble="Fund Holdings as of,soon\n"), None, "such as May 21"),
    ],
)
def test_what_is_no_holdings_file_is_refused(
    content: bytes, as_of: date | None, match: str
) -> None:
    with pytest.raises(DataError, match=match):
        read_iwv(content, as_of)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_iwv(tmp_path / "absent.csv")


@pytest.mark.parametrize("symbol", ["BRKB", "BRK.B", "BRK-B", "brk/b", "BRK B"])
def test_share_classes_have_one_key(symbol: str) -> None:
    assert symbol_key(symbol) == "BRKB"


@pytest.mark.real_data
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"no published holdings at {PUBLISHED}")
@pytest.mark.parametrize(
    ("name", "as_of", "members", "left_out"),
    [
        ("IWV_holdings_2021-01-26.csv", date(2021, 1, 26), 2583, 2),
        ("IWV_holdings_2024-08-15.csv", date(2024, 8, 15), 2660, 17),
        ("IWV_holdings_2025-05-21.csv", None, 2641, 17),
    ],
)
def test_the_published_files(name: str, as_of: date | None, members: int, left_out: int) -> None:
    found = read_iwv(PUBLISHED / name, as_of)
    assert str(found.as_of) in name
    assert (len(found.members), sum(found.excluded.values())) == (members, left_out)
    assert {"AAPL", "MSFT"} <= set(found.symbols[:3])
    assert all(symbol.isascii() and symbol.isalpha() for symbol in found.symbols)
    values = [member.market_value_usd for member in found.members]
    assert values == sorted(values, reverse=True)
    assert "malformed line" not in found.excluded
