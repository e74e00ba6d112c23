"""Who is in an index of the largest companies, made from a listing snapshot.

The rules are those of the Russell 3000 (FTSE Russell, *Russell U.S. Equity Indexes: Construction
and Methodology*) as far as a listing snapshot tells what they ask for: US common shares of at least
1.00 USD and 30 million USD of market capitalisation, without preferred shares, depositary receipts,
warrants, rights, units, notes, funds, partnerships and blank-check companies; companies, not share
classes, are ranked by total market capitalisation, and the first `companies` of them are in. What
a snapshot does not tell (free float, voting rights) is not applied.

A company's country in a snapshot is one indicator of its home; the index also asks where it has its
assets, its headquarters and its most liquid listing. Two of its rules can be applied all the same:
a country of benefit-driven incorporation (Bermuda, Cayman Islands, ...) is nobody's home, so a
company from there whose own shares, not receipts, are listed here is American; and an assignment
that was published stays, so a company that the last published list holds is American wherever it is
incorporated (Accenture, Chubb, Eaton).

The index has no band at its lower end; `band` is there for those who want less turnover.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from trading.errors import ConfigurationError, DataError
from trading.universe.iwv import symbol_key
from trading.universe.listing import Listing, Listings

# In the order in which they are tried; the first that matches the name is the reason.
NOT_COMMON: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(pattern, re.IGNORECASE))
    for reason, pattern in (
        ("a warrant", r"\bwarrants?\b"),
        ("a right", r"\b(rights?|cvr)\b(?!.*\bcommon)"),
        ("a note or bond", r"\b(notes?|debentures?|bonds?)\b.*\b(due|20\d\d)\b|\bdue 20\d\d\b"),
        ("preferred", r"\b(preferred|preference|pfd)\b(?!.*\bcommon (stock|shares?)\b)"),
        ("a depositary receipt", r"\bdeposit[ao]ry\b|\b(adss?|adrs?)\b"),
        ("a partnership", r"\b(limited partner|l\.?p\.?$|partner interests?|partners l\.?p\.?)"),
        ("a unit", r"\bunits?\b(?!.*\bcommon (stock|shares?)\b)"),
        (
            "a fund",
            r"\b(funds?|etfs?|etns?|closed[- ]end|municipal|muni)\b"
            r"|\b(income|opportunit\w+|dividend|credit|allocation|term|enhanced)\b.*\btrust\b",
        ),
    )
)
BLANK_CHECK = re.compile(
    r"\bacquisition (corp|co|company|inc|ltd|limited|holdings)\b", re.IGNORECASE
)
CLASS_WORDS = re.compile(
    r"\b(class|cl|series) [a-z0-9]\b.*"
    r"|\b(common|ordinary|capital|voting|subordinate)( voting)? (stock|shares?)\b.*"
    r"|\([^)]*\)",
    re.IGNORECASE,
)
PREFERRED_SYMBOL = re.compile(r"\^")
# The index's countries of benefit-driven incorporation, as snapshots spell them.
BENEFIT_DRIVEN = (
    "Anguilla", "Antigua and Barbuda", "Aruba", "Bahamas", "Barbados", "Belize", "Bermuda",
    "Bonaire", "British Virgin Islands", "Cayman Islands", "Cook Islands", "Curacao",
    "Faroe Islands", "Gibraltar", "Guernsey", "Isle of Man", "Jersey", "Liberia",
    "Marshall Islands", "Panama", "Puerto Rico", "Saba", "Sint Eustatius", "Sint Maarten",
    "Turks and Caicos Islands",
)  # fmt: skip


@dataclass(frozen=True)
class ReconstitutionRules:
    """What makes a member.

    Attributes
    ----------
    companies : how many of the largest companies are in
    share_classes : `all` eligible classes of a company, or its `primary` one: that with the
        largest market capitalisation, of equal ones the most traded, then the first by symbol
    capitalisation : what the snapshot gives for each of several classes: that of the whole
        `company` (Nasdaq's screener does), or of the `class`, which are then added up
    countries : accepted, in the snapshot's spelling; empty accepts all. A security whose country
        the snapshot does not say is accepted: in Nasdaq's they are many US companies
    benefit_driven : countries that are nobody's home: accepted where `countries` restricts
    min_price_usd, min_market_cap_usd : smaller ones are not in
    band : an incumbent stays while its rank is within `companies * (1 + band)`; 0: no band
    """

    companies: int = 3000
    share_classes: Literal["all", "primary"] = "all"
    capitalisation: Literal["company", "class"] = "company"
    countries: tuple[str, ...] = ("United States",)
    benefit_driven: tuple[str, ...] = BENEFIT_DRIVEN
    min_price_usd: float = 1.0
    min_market_cap_usd: float = 30e6
    band: float = 0.0

    def __post_init__(self) -> None:
        if self.companies < 1 or not 0 <= self.band <= 1:
            raise ConfigurationError(
                f"expected companies >= 1 and band in 0..1, found {self.companies} and {self.band}"
            )


@dataclass(frozen=True)
class Company:
    """A company of the ranking: its eligible share classes, the primary one first."""

    name: str
    rank: int
    market_cap_usd: float
    classes: tuple[Listing, ...]


@dataclass(frozen=True)
class Reconstitution:
    """The outcome.

    Attributes
    ----------
    as_of : date of the snapshot
    members : unique symbols, the largest company first
    companies : the companies they belong to, by rank
    excluded : securities left out, by reason
    without_cap : symbols that would be eligible but whose market capitalisation is unknown
    kept_by_band : symbols of incumbents that only the band keeps
    assigned : members whose country is another, but which a published list holds
    """

    as_of: date
    members: tuple[str, ...]
    companies: tuple[Company, ...]
    excluded: Mapping[str, int]
    without_cap: tuple[str, ...]
    kept_by_band: tuple[str, ...]
    assigned: tuple[str, ...] = ()


def reconstitute(
    listings: Listings,
    rules: ReconstitutionRules,
    *,
    incumbents: Sequence[str] = (),
    published: Collection[str] = (),
    within: Collection[str] | None = None,
) -> Reconstitution:
    """Return the members by market capitalisation.

    Parameters
    ----------
    listings : the snapshot; only what it says is used
    incumbents : the members before, for the band; their country was decided then
    published : the members of an earlier published list, whose country the index has decided
    within : candidates (the S&P 500, for its top 100); they are members of another index already,
        so only their capitalisation is asked for, not their eligibility

    Raises
    ------
    DataError
        No security is eligible.
    """
    wanted = None if within is None else {symbol_key(symbol) for symbol in within}
    decided = {symbol_key(symbol) for symbol in (*published, *incumbents)}
    eligible, excluded = _sift(listings.lines, rules, wanted, decided)
    without_cap = {line.symbol for line in eligible if math.isnan(line.market_cap_usd)}
    ranked = _rank(_companies(eligible), rules)
    if wanted is None:
        small = [c for c in ranked if c.market_cap_usd < rules.min_market_cap_usd]
        excluded["market capitalisation too small"] += sum(len(c.classes) for c in small)
        ranked = ranked[: len(ranked) - len(small)]
    if not ranked:
        raise DataError(
            f"no security of the snapshot of {listings.as_of} is eligible; left out were "
            f"{dict(excluded)}"
        )
    chosen, banded = _choose(ranked, rules, incumbents)
    with_cap = {line.symbol for company in ranked for line in company.classes}
    return Reconstitution(
        as_of=listings.as_of,
        members=tuple(line.symbol for company in chosen for line in _members_of(company, rules)),
        companies=tuple(chosen),
        excluded=dict(sorted((reason, n) for reason, n in excluded.items() if n)),
        without_cap=tuple(sorted(without_cap - with_cap)),
        kept_by_band=tuple(line.symbol for company in banded for line in company.classes),
        assigned=tuple(
            line.symbol
            for company in chosen
            for line in _members_of(company, rules)
            if wanted is None and not _at_home(line, rules)
        ),
    )


def _sift(
    lines: Sequence[Listing],
    rules: ReconstitutionRules,
    wanted: Collection[str] | None,
    decided: Collection[str],
) -> tuple[list[Listing], Counter[str]]:
    """Return the eligible securities (of `wanted` the wanted ones), and by reason the others."""
    excluded: Counter[str] = Counter()
    eligible: list[Listing] = []
    for line in lines:
        if wanted is not None:
            reason = None if symbol_key(line.symbol) in wanted else "not a candidate"
        else:
            reason = _why_not(line, rules, decided)
        if reason:
            excluded[reason] += 1
        else:
            eligible.append(line)
    return eligible, excluded


def company_key(name: str) -> str:
    """Return what the securities of one company have in common: its name without share classes."""
    plain = CLASS_WORDS.sub("", name)
    return re.sub("[^a-z0-9]", "", plain.lower()) or re.sub("[^a-z0-9]", "", name.lower())


def _at_home(line: Listing, rules: ReconstitutionRules) -> bool:
    """Tell whether the snapshot's own word on a security's country accepts it."""
    accepted = (*rules.countries, *rules.benefit_driven)
    return not rules.countries or not line.country or line.country in accepted


def _why_not(line: Listing, rules: ReconstitutionRules, decided: Collection[str]) -> str | None:
    """Return why a security is not eligible whatever its size, None where it is."""
    if PREFERRED_SYMBOL.search(line.symbol):
        return "preferred"
    for reason, pattern in NOT_COMMON:
        if pattern.search(line.name):
            return reason
    if line.industry.lower() == "blank checks" or BLANK_CHECK.search(line.name):
        return "a blank-check company"
    if not _at_home(line, rules) and symbol_key(line.symbol) not in decided:
        return "another country"
    if line.price_usd < rules.min_price_usd:
        return "price too low"
    return None


def _companies(lines: Sequence[Listing]) -> list[list[Listing]]:
    """Group the classes of a company: the same name, or symbols such as `HEI` and `HEI/A`."""
    groups: dict[str, list[Listing]] = defaultdict(list)
    by_root: dict[str, str] = {}
    for line in lines:
        key = company_key(line.name)
        by_root.setdefault(line.symbol, key)
        groups[key].append(line)
    for line in lines:
        root, separator, _ = re.sub(r"[.\-/]", "|", line.symbol).partition("|")
        mine, other = company_key(line.name), by_root.get(root)
        if separator and other and other != mine and groups[mine] and groups[other]:
            groups[other] += groups.pop(mine)
    return [group for group in groups.values() if group]


def _rank(groups: Sequence[list[Listing]], rules: ReconstitutionRules) -> list[Company]:
    """Return the companies whose capitalisation is known, the largest first, ties by symbol."""
    sized: list[tuple[float, tuple[Listing, ...]]] = []
    for group in groups:
        known = [line.market_cap_usd for line in group if not math.isnan(line.market_cap_usd)]
        if known:
            total = sum(known) if rules.capitalisation == "class" else max(known)
            sized.append((total, tuple(sorted(group, key=_primary_first))))
    sized.sort(key=lambda entry: (-entry[0], entry[1][0].symbol))
    return [
        Company(classes[0].name, rank, total, classes)
        for rank, (total, classes) in enumerate(sized, start=1)
    ]


def _primary_first(line: Listing) -> tuple[float, float, str]:
    cap, traded = line.market_cap_usd, line.price_usd * line.volume
    return (
        -cap if not math.isnan(cap) else math.inf,
        -traded if not math.isnan(traded) else math.inf,
        line.symbol,
    )


def _choose(
    ranked: Sequence[Company], rules: ReconstitutionRules, incumbents: Sequence[str]
) -> tuple[list[Company], list[Company]]:
    """Return the companies that are in, by rank, and those of them that the band keeps."""
    held = {symbol_key(symbol) for symbol in incumbents}
    edge = math.floor(rules.companies * (1 + rules.band))
    staying = [
        company
        for company in ranked[:edge]
        if any(symbol_key(line.symbol) in held for line in company.classes)
    ][: rules.companies]
    stays = {company.rank for company in staying}
    entering = [company for company in ranked if company.rank not in stays]
    chosen = staying + entering[: rules.companies - len(staying)]
    chosen.sort(key=lambda company: company.rank)
    return chosen, [c for c in staying if c.rank > rules.companies]


def _members_of(company: Company, rules: ReconstitutionRules) -> Sequence[Listing]:
    return company.classes if rules.share_classes == "all" else company.classes[:1]
