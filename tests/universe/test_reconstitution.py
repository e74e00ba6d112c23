"""Membership by market capitalisation: eligibility, companies and their classes, bands."""

import gzip
import math
import os
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import ConfigurationError, DataError
from trading.universe.iwv import read_iwv, symbol_key
from trading.universe.listing import Listing, Listings, read_listings
from trading.universe.reconstitution import ReconstitutionRules, company_key, reconstitute

DAY = date(2022, 5, 31)
HEAD = "symbol,name,lastsale,volume,marketCap,country,industry\n"


def listings(*lines: Listing) -> Listings:
    return Listings(DAY, lines, {})


def line(symbol: str, name: str, cap: float, **more: object) -> Listing:
    return Listing(symbol, name, cap, **{"price_usd": 10.0, "volume": 100.0, **more})  # type: ignore[arg-type]


def test_companies_are_ranked_and_their_classes_merged() -> None:
    snapshot = listings(
        line("GOOGL", "Alphabet Inc. Class A Common Stock", 1479e9),
        line("AAPL", "Apple Inc. Common Stock", 2400e9),
        line("GOOG", "Alphabet Inc. Class C Capital Stock", 1485e9),
        line("HEI", "Heico Corporation Common Stock", 19.6e9),
        line("HEI/A", "Heico Corporation", math.nan),
        line("SMLL", "Small Inc. Common Stock", 1e9),
    )
    made = reconstitute(snapshot, ReconstitutionRules(companies=3))
    assert made.members == ("AAPL", "GOOG", "GOOGL", "HEI", "HEI/A")
    assert [c.rank for c in made.companies] == [1, 2, 3]
    assert made.companies[1].market_cap_usd == 1485e9
    one_each = reconstitute(snapshot, ReconstitutionRules(companies=3, share_classes="primary"))
    assert one_each.members == ("AAPL", "GOOG", "HEI")
    added = reconstitute(snapshot, ReconstitutionRules(companies=1, capitalisation="class"))
    assert added.members == ("GOOG", "GOOGL")
    assert added.companies[0].market_cap_usd == 2964e9


@pytest.mark.parametrize(
    ("symbol", "name", "reason"),
    [
        ("JPM^C", "J P Morgan Chase & Co", "preferred"),
        ("XP", "X Inc. 6% Series A Preferred Stock", "preferred"),
        (
            "BABA",
            "Alibaba Group Holding Limited American Depositary Shares",
            "a depositary receipt",
        ),
        ("AACIW", "Armada Acquisition Corp. I Warrant", "a warrant"),
        ("AACIU", "Armada Acquisition Corp. I Unit", "a unit"),
        ("XR", "X Inc. Rights", "a right"),
        ("AACI", "Armada Acquisition Corp. I Common Stock", "a blank-check company"),
        ("EPD", "Enterprise Products Partners L.P. Common Stock", "a partnership"),
        ("XN", "X Inc. 5.50% Notes due 2026", "a note or bond"),
        ("XF", "X Income Fund Inc. Common Stock", "a fund"),
        ("XT", "X Municipal Income Opportunities Trust Common Stock", "a fund"),
        ("PNY", "Penny Inc. Common Stock", "price too low"),
        ("CA", "Canada Inc. Common Stock", "another country"),
        ("TINY", "Tiny Inc. Common Stock", "market capitalisation too small"),
    ],
)
def test_what_is_no_common_share_of_a_us_company_is_left_out_by_reason(
    symbol: str, name: str, reason: str
) -> None:
    more = {"country": "Canada" if symbol == "CA" else "United States"}
    price, cap = (0.99 if symbol == "PNY" else 10.0), (29e6 if symbol == "TINY" else 1e9)
    odd = line(symbol, name, cap, price_usd=price, **more)
    made = reconstitute(listings(odd, line("OK", "Ok Inc.", 1e9)), ReconstitutionRules())
    assert made.members == ("OK",)
    assert made.excluded == {reason: 1}


@pytest.mark.parametrize(
    "name",
    [
        "Preferred Bank Common Stock",
        "Unit Corporation Common Stock",
        "Investors Real Estate Trust Common Shares of Beneficial Interest",
        "Rush Enterprises Inc. Common Stock Cl A",
        "Realty Income Corporation Common Stock",
        "Brightcove Inc. Common Stock",
    ],
)
def test_names_that_only_sound_like_it_stay(name: str) -> None:
    made = reconstitute(listings(line("X", name, 1e9)), ReconstitutionRules())
    assert made.members == ("X",)


def test_an_unknown_capitalisation_is_told_and_never_guessed() -> None:
    snapshot = listings(
        line("BRK/A", "Berkshire Hathaway Inc.", math.nan),
        line("BRK/B", "Berkshire Hathaway Inc.", math.nan),
        line("A", "A Inc.", 1e9),
    )
    made = reconstitute(snapshot, ReconstitutionRules())
    assert made.members == ("A",)
    assert made.without_cap == ("BRK/A", "BRK/B")
    with pytest.raises(DataError, match="no security"):
        reconstitute(listings(*snapshot.lines[:2]), ReconstitutionRules())


def test_a_band_keeps_an_incumbent_near_the_edge() -> None:
    lines = [line(f"S{i:02d}", f"Company {i:02d}x Inc.", 1e12 - i) for i in range(30)]
    rules = ReconstitutionRules(companies=10, band=0.2)
    made = reconstitute(listings(*lines), rules, incumbents=["S11", "S12"])
    assert made.members == tuple(f"S{i:02d}" for i in [*range(9), 11])
    assert made.kept_by_band == ("S11",)
    none = reconstitute(listings(*lines), ReconstitutionRules(companies=10), incumbents=["S11"])
    assert none.members == tuple(f"S{i:02d}" for i in range(10))


def test_candidates_are_asked_for_their_size_only() -> None:
    snapshot = listings(
        line("ACN", "Accenture plc Class A", 190e9, country="Ireland"),
        line("BF/B", "Brown Forman Corporation", 30e9),
        line("AAPL", "Apple Inc. Common Stock", 2400e9),
        line("X", "X Inc.", 900e9),
    )
    made = reconstitute(snapshot, ReconstitutionRules(companies=2), within=["AAPL", "ACN", "BF.B"])
    assert made.members == ("AAPL", "ACN")
    assert made.excluded == {"not a candidate": 1}


@given(
    st.lists(st.floats(3e7, 1e13), min_size=1, max_size=40, unique=True),
    st.integers(1, 50),
    st.randoms(),
)
def test_the_order_of_the_snapshot_does_not_matter(
    caps: list[float], count: int, random: object
) -> None:
    lines = [line(f"S{i}", f"Company n{i} Inc.", cap) for i, cap in enumerate(caps)]
    shuffled = list(lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    rules = ReconstitutionRules(companies=count)
    made = reconstitute(listings(*lines), rules)
    assert made.members == reconstitute(listings(*shuffled), rules).members
    expected = sorted(range(len(caps)), key=lambda i: -caps[i])[:count]
    assert made.members == tuple(f"S{i}" for i in expected)


def test_rules_must_make_sense() -> None:
    with pytest.raises(ConfigurationError, match="companies >= 1"):
        ReconstitutionRules(companies=0)


def test_the_name_of_a_company_is_what_its_classes_share() -> None:
    assert company_key("Alphabet Inc. Class C Capital Stock") == company_key(
        "Alphabet Inc. Class A"
    )
    assert company_key("BlackRock Capital Allocation Trust") != company_key("BlackRock Inc.")
    assert company_key("Class A") == "classa"


def test_a_snapshot_is_read_as_it_comes() -> None:
    text = (
        "\ufeff" + HEAD + 'AAPL,Apple Inc.,"$1,234.5",7,2.4T,United States,Tech\n'
        "msft,Microsoft,n/a,,1000.5,,\n"
        "ZERO,Zero Inc.,$1,1,0.00,,\nBRK/B,Berkshire,1,1,,,\n"
        "BRK.B,Berkshire,1,1,5,,\n,None,1,1,1,,\n"
    )
    found = read_listings(gzip.compress(text.encode()), DAY)
    apple, microsoft, zero, berkshire = found.lines
    assert (apple.price_usd, apple.market_cap_usd, apple.industry) == (1234.5, 2.4e12, "Tech")
    assert (microsoft.symbol, microsoft.market_cap_usd) == ("MSFT", 1000.5)
    assert math.isnan(microsoft.price_usd)
    assert math.isnan(zero.market_cap_usd)
    assert berkshire.symbol == "BRK/B"
    assert found.dropped == {
        "no symbol or no name": 1,
        "symbol listed twice, the first line kept": 1,
    }


@pytest.mark.parametrize(
    ("text", "day", "sentence"),
    [
        ("a,b\n1,2\n", DAY, "no column for symbol, name, market_cap"),
        (HEAD, DAY, "lists no security"),
        (HEAD + "A,A,1,1,1,,\n", None, "does not say its date"),
        ("as_of," + HEAD + "2020-01-01,A,A,1,1,1,,\n", DAY, "is of 2020-01-01, not 2022-05-31"),
        ("as_of," + HEAD + "x,A,A,1,1,1,,\n", None, "expected YYYY-MM-DD"),
        (
            "as_of," + HEAD + "2020-01-01,A,A,1,1,1,,\n2020-01-02,B,B,1,1,1,,\n",
            None,
            "mixes the dates",
        ),
    ],
)
def test_what_is_no_snapshot_is_refused(text: str, day: date | None, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_listings(text.encode(), day)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(DataError, match="UTF-8"):
        read_listings(b"\xff\xfe\x00", DAY)


def test_whose_home_is_here() -> None:
    snapshot = listings(
        line("ACN", "Accenture plc Class A Ordinary Shares", 178e9, country="Ireland"),
        line("UL", "Unilever PLC Common Stock", 156e9, country="United Kingdom"),
        line("NCLH", "Norwegian Cruise Line Holdings Ltd. Ordinary Shares", 11e9,
             country="Bermuda"),
        line("BABA", "Alibaba Group American Depositary Shares", 577e9, country="Cayman Islands"),
        line("LIN", "Linde plc Ordinary Share", 156e9),
        line("X", "X Corp. Common Stock", 1e9, country="United States"),
    )  # fmt: skip
    alone = reconstitute(snapshot, ReconstitutionRules())
    assert alone.members == ("LIN", "NCLH", "X")
    assert alone.excluded == {"a depositary receipt": 1, "another country": 2}
    known = reconstitute(snapshot, ReconstitutionRules(), published=["ACN", "BABA", "ZZZ"])
    assert known.members == ("ACN", "LIN", "NCLH", "X")
    assert known.assigned == ("ACN",)
    # A version that was made with a published list hands the assignment on.
    kept = reconstitute(snapshot, ReconstitutionRules(), incumbents=known.members)
    assert kept.members == known.members
    strict = reconstitute(snapshot, ReconstitutionRules(benefit_driven=()))
    assert strict.members == ("LIN", "X")
    everybody = reconstitute(snapshot, ReconstitutionRules(countries=()))
    assert everybody.assigned == ()
    assert len(everybody.members) == 5


@pytest.fixture
def real_data() -> Path:
    default = Path(__file__).parents[2] / "../shared/data"
    folder = Path(os.environ.get("TRADING_REAL_DATA", default))
    if not (folder / "fundamentals").is_dir():
        pytest.skip(f"no real listing snapshots at {folder}; set TRADING_REAL_DATA")
    return folder


@pytest.mark.real_data
def test_the_reconstitution_of_2021_is_mostly_what_the_fund_held(real_data: Path) -> None:
    snapshot = read_listings(real_data / "fundamentals/us_listed_snapshot_2021-05-28.csv.gz")
    made = reconstitute(snapshot, ReconstitutionRules())
    assert len(made.companies) == 3000
    keys = [symbol_key(symbol) for symbol in made.members]
    assert len(set(keys)) == len(keys)
    file = real_data / "universe/ishares_iwv/IWV_holdings_2021-01-26.csv"
    held = {symbol_key(symbol) for symbol in read_iwv(file, date(2021, 1, 26)).symbols}
    # Four months and a reconstitution lie between, and several large US companies have a foreign
    # country in the snapshot: the published list knows them.
    assert len(held & set(keys)) / len(held) > 0.89
    assert {"BRK/A", "BRK/B"} <= set(made.without_cap)
    known = reconstitute(snapshot, ReconstitutionRules(), published=held)
    assert {"ACN", "CB", "ETN"} <= set(known.assigned)
    assert len(held & {symbol_key(symbol) for symbol in known.members}) / len(held) > 0.91
