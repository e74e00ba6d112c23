"""Fundamentals are completed field by field, each with its source."""

import asyncio
from collections.abc import Sequence
from datetime import date

from trading.data.providers.fundamentals import FUNDAMENTAL_FIELDS, complete_fundamentals
from trading.data.providers.vendor import FundamentalsResult
from trading.errors import ProviderStopped
from trading.market.bars import FundamentalData

DAY = date(2024, 6, 28)


class Told:
    def __init__(self, name: str, *data: FundamentalData, stops: bool = False) -> None:
        self.name, self.stops = name, stops
        self.data = {each.symbol: each for each in data}
        self.asked: list[list[str]] = []

    async def fundamentals(self, symbols: Sequence[str]) -> FundamentalsResult:
        self.asked.append(list(symbols))
        if self.stops:
            raise ProviderStopped(f"{self.name} has no key")
        failures = {s: f"{self.name} does not know {s}" for s in symbols if s not in self.data}
        return FundamentalsResult({s: self.data[s] for s in symbols if s in self.data}, failures)


def test_each_field_is_of_the_first_who_tells_it() -> None:
    whole = FundamentalData("B", DAY, 1.0, 2.0, 3.0, 0.04, "Energy", "Oil")
    first = Told("one", FundamentalData("A", DAY, market_cap=5.0, sector="Tech"), whole)
    stopped = Told("two", stops=True)
    last = Told(
        "three", FundamentalData("A", DAY, market_cap=9.0, pe_ratio=7.0, dividend_yield=0.0)
    )
    providers = [first, object(), stopped, last]
    found = asyncio.run(complete_fundamentals(providers, ["A", "B", "A", "C"]))
    assert last.asked == [["A", "C"]], "who is complete is not asked for again"
    assert found.data["B"] == whole
    assert found.data["A"] == FundamentalData("A", DAY, 5.0, 7.0, None, 0.0, "Tech", None)
    assert found.sources["A"] == {
        "market_cap": "one",
        "sector": "one",
        "pe_ratio": "three",
        "dividend_yield": "three",
    }
    assert found.missing == {"A": ("eps", "industry"), "C": FUNDAMENTAL_FIELDS}
    assert found.failures["C"] == (
        "one does not know C",
        "two has no key",
        "three does not know C",
    )


def test_nobody_and_nothing() -> None:
    assert not asyncio.run(complete_fundamentals([Told("one")], [])).data
    assert set(asyncio.run(complete_fundamentals([], ["A"])).missing) == {"A"}
