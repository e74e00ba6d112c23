"""Fundamentals are asked in turns: what is unknown and what is old, each about once a month."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from trading.config import Settings
from trading.data.intake import Intake, refresh_fundamentals
from trading.data.intake.fundamentals import FRESH_DAYS
from trading.data.lake import Lake
from trading.data.providers.vendor import FundamentalsResult
from trading.data.store.folder import FolderStore
from trading.errors import ProviderStopped
from trading.market.bars import FundamentalData

TODAY = date(2024, 6, 28)
SYMBOLS = [f"S{i:02d}" for i in range(10)]


class Teller:
    """Tells sectors of some symbols, and notes what it is asked."""

    name, simulated = "teller", False

    def __init__(self, *, silent: Sequence[str] = (), broken: bool = False) -> None:
        self.silent, self.broken, self.today = set(silent), broken, TODAY
        self.asked: list[list[str]] = []

    async def fundamentals(self, symbols: Sequence[str]) -> FundamentalsResult:
        self.asked.append(list(symbols))
        if self.broken:
            raise ProviderStopped("teller answered 402: the account has to be paid for")
        data = {
            s: FundamentalData(s, self.today, 1e9, 10.0, 1.0, 0.01, "Energy", "Oil")
            for s in symbols
            if s not in self.silent
        }
        return FundamentalsResult(data, dict.fromkeys(self.silent & set(symbols), "has nothing"))


@pytest.fixture
def lake(folder: FolderStore) -> Lake:
    return Lake(folder)


def intake_of(folder: FolderStore, teller: Teller) -> Intake:
    return Intake(folder, Settings(), [teller], expected=SYMBOLS)  # type: ignore[list-item]


def test_every_symbol_is_told_in_turn_and_then_left_alone(folder: FolderStore, lake: Lake) -> None:
    teller = Teller()
    intake = intake_of(folder, teller)
    for _ in range(3):
        refresh_fundamentals(intake, lake, today=TODAY, limit=4)
    assert sorted(s for asked in teller.asked for s in asked) == SYMBOLS
    assert refresh_fundamentals(intake, lake, today=TODAY, limit=4).asked == 0
    assert lake.fundamentals(before=TODAY + timedelta(days=1)).sectors() == dict.fromkeys(
        SYMBOLS, "Energy"
    )
    teller.today = later = TODAY + timedelta(days=FRESH_DAYS + 1)
    assert refresh_fundamentals(intake, lake, today=later, limit=4).new == 4


def test_symbols_that_are_never_told_do_not_starve_the_others(
    folder: FolderStore, lake: Lake
) -> None:
    teller = Teller(silent=SYMBOLS[:6])
    intake = intake_of(folder, teller)
    for day in range(40):
        teller.today = TODAY + timedelta(days=day)
        refresh_fundamentals(intake, lake, today=teller.today, limit=2)
    table = lake.fundamentals(before=TODAY + timedelta(days=60))
    told = [table.known(symbol, date.max) for symbol in SYMBOLS[6:]]
    assert all(record and record.as_of > TODAY + timedelta(days=FRESH_DAYS) for record in told)


def test_a_provider_that_fails_is_told_and_nothing_more(folder: FolderStore, lake: Lake) -> None:
    refreshed = refresh_fundamentals(
        intake_of(folder, Teller(broken=True)), lake, today=TODAY, limit=4
    )
    assert (refreshed.asked, refreshed.told) == (4, 0)
    assert "has to be paid" in str(refreshed.failure)


def test_nothing_is_asked_without_a_limit_or_a_universe(folder: FolderStore, lake: Lake) -> None:
    teller = Teller()
    refresh_fundamentals(intake_of(folder, teller), lake, today=TODAY, limit=0)
    nobody = Intake(folder, Settings(), [teller])  # type: ignore[list-item]
    refresh_fundamentals(nobody, lake, today=TODAY, limit=9)
    assert teller.asked == []
