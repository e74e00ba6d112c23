"""The published holdings file of the Russell 3000 ETF (iShares IWV).

The file is read as shipped: a byte-order mark, a preamble with the date, quoted numbers with
thousands separators, a disclaimer behind the holdings. Files whose preamble was stripped are read
too; their date then has to be given. Lines that are not listed shares are left out and counted:
cash, futures, placeholders (`-`), contra and escrow lines, contingent value rights, warrants.

**Symbols.** The file writes class shares without a separator (`BRKB`, `BFB`), market data with one
(`BRK.B`, `BRK-B`, `BF/B`), and Nasdaq's own symbols have none to begin with (`RUSHA`). The
separator cannot be put back without guessing, but it can always be taken away: `symbol_key` is the
canonical form, and two symbols name the same share class when their keys are equal.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from trading.errors import DataError

DATE_LABEL = "Fund Holdings as of"
REQUIRED = ("Ticker", "Name", "Asset Class", "Market Value", "Exchange")
UNLISTED = ("NO MARKET", "NON-NMS")
TICKER = re.compile(r"[A-Z]{1,5}([.\-/ ][A-Z]{1,2})?")
RIGHT = re.compile(r"\b(CVR|ESCROW|CONTRA)$")
WARRANT_SUFFIX = re.compile(r"[A-Z]{4}W")


@dataclass(frozen=True, slots=True)
class Constituent:
    """One share class of the index; `market_value_usd` is what the fund holds of it."""

    symbol: str
    name: str
    sector: str
    exchange: str
    market_value_usd: float


@dataclass(frozen=True)
class Constituents:
    """The members of an index as published.

    Attributes
    ----------
    as_of : the date of the holdings
    members : unique symbols, the largest first, ties by symbol
    excluded : lines left out, by reason
    """

    as_of: date
    members: tuple[Constituent, ...]
    excluded: Mapping[str, int]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols as published, the largest first."""
        return tuple(member.symbol for member in self.members)


def symbol_key(symbol: str) -> str:
    """Return the canonical form: upper case, separators of share classes removed.

    `BRK.B`, `BRK-B`, `brk/b` and `BRKB` are all `BRKB`.
    """
    return re.sub(r"[.\-/\s]", "", symbol.upper())


def read_iwv(source: Path | bytes, as_of: date | None = None) -> Constituents:
    """Read a holdings file as published.

    Parameters
    ----------
    source : the file or its content
    as_of : the date of the holdings; needed where the preamble with the date was stripped, and
        checked against it where it was not

    Raises
    ------
    DataError
        The file is not a holdings file, has no date and none is given, has another date than the
        one given, or lists no shares.
    """
    label = str(source) if isinstance(source, Path) else "the holdings file"
    try:
        content = source.read_bytes() if isinstance(source, Path) else source
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{label} cannot be read as UTF-8 text: {error}") from error
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]
    head = next((i for i, row in enumerate(rows) if set(REQUIRED) <= set(row)), None)
    if head is None:
        raise DataError(
            f"{label} has no header line with the columns {', '.join(REQUIRED)}; "
            "give the holdings CSV as iShares publishes it"
        )
    published = _published_date(rows[:head], label)
    if published and as_of and published != as_of:
        raise DataError(f"{label} holds {published}, not {as_of} as was given; leave the date out")
    day = published or as_of
    if day is None:
        raise DataError(f"{label} has no '{DATE_LABEL}' line; give the date of the holdings")
    members, excluded = _members(rows[head], rows[head + 1 :], label)
    if not members:
        raise DataError(f"{label} lists no shares; left out were {dict(excluded)}")
    return Constituents(day, members, excluded)


def _published_date(preamble: Iterable[Sequence[str]], label: str) -> date | None:
    for row in preamble:
        if len(row) >= 2 and row[0] == DATE_LABEL:
            try:
                return datetime.strptime(row[1], "%b %d, %Y").date()  # noqa: DTZ007
            except ValueError as error:
                raise DataError(
                    f"{label} says '{DATE_LABEL}, {row[1]}', expected a date such as May 21, 2025"
                ) from error
    return None


def _members(
    header: Sequence[str], rows: Iterable[Sequence[str]], label: str
) -> tuple[tuple[Constituent, ...], dict[str, int]]:
    largest: dict[str, Constituent] = {}
    excluded: Counter[str] = Counter()
    for row in rows:
        if len(row) != len(header):
            if len(row) > 1:
                excluded["malformed line"] += 1
            continue
        line = dict(zip(header, row, strict=True))
        reason = _why_not(line)
        if reason:
            excluded[reason] += 1
            continue
        member = Constituent(
            line["Ticker"],
            line["Name"],
            line.get("Sector", ""),
            line["Exchange"],
            _number(line["Market Value"], line["Ticker"], label),
        )
        key = symbol_key(member.symbol)
        twin = largest.get(key)
        if twin:
            excluded["symbol listed twice, the larger line kept"] += 1
        if twin is None or member.market_value_usd > twin.market_value_usd:
            largest[key] = member
    ranked = sorted(largest.values(), key=lambda m: (-m.market_value_usd, m.symbol))
    return tuple(ranked), dict(sorted(excluded.items()))


def _why_not(line: Mapping[str, str]) -> str | None:
    """Return why a line is not a listed share, or None where it is one."""
    ticker, exchange = line["Ticker"], line["Exchange"].upper()
    if line["Asset Class"] != "Equity":
        return "not an equity"
    if not TICKER.fullmatch(ticker):
        return "no exchange ticker"
    if exchange.startswith(UNLISTED):
        return "not listed on an exchange"
    if RIGHT.search(line["Name"].upper()):
        return "a right, not a share"
    # Nasdaq's fifth letter W marks a warrant; the name does not always say so.
    if "WARRANT" in line["Name"].upper() or WARRANT_SUFFIX.fullmatch(ticker):
        return "a warrant"
    return None


def _number(text: str, ticker: str, label: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError as error:
        raise DataError(
            f"{label} has the market value {text!r} for {ticker}, expected a number"
        ) from error
