"""Membership: point in time from bars, yearly from the published list, never from the future."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.config import UniverseSettings
from trading.errors import DataError
from trading.market.bars import FIELDS
from trading.market.calendar import sessions_between
from trading.market.panel import Panel
from trading.universe.constituents import members_for, members_from_bars, reconstitution_due
from trading.universe.iwv import Constituent, Constituents
from trading.universe.slots import SlotMap, allocate

SESSIONS = sessions_between(date(2024, 1, 2), date(2024, 12, 31))
SMALL = UniverseSettings(active=4, archive=2, padding=2, batch=4)


def traded(**dollars: float) -> Panel:
    """Return a panel of one-dollar shares that trade so many dollars on every session."""
    shape = (len(SESSIONS), len(dollars))
    fields = {field: np.ones(shape) for field in FIELDS}
    fields["volume"] = np.tile(np.array([*dollars.values()], dtype=float), (len(SESSIONS), 1))
    return Panel(SESSIONS, tuple(dollars), **fields)


def stop(panel: Panel, symbol: str, day: date) -> Panel:
    """Return the panel without the bars of a name from `day` on."""
    fields = {field: getattr(panel, field).copy() for field in FIELDS}
    for array in fields.values():
        array[np.searchsorted(SESSIONS, np.datetime64(day)) :, panel.symbols.index(symbol)] = np.nan
    return Panel(SESSIONS, panel.symbols, **fields)


def slots(members: str, as_of: date) -> SlotMap:
    return allocate(None, list(members), as_of, SMALL)[0]


def published(*symbols: str, as_of: date = date(2024, 3, 1)) -> Constituents:
    lines = tuple(Constituent(s, s, "", "NYSE", float(-i)) for i, s in enumerate(symbols))
    return Constituents(as_of, lines, {})


def test_names_are_ranked_by_what_they_trade_ties_by_symbol() -> None:
    panel = traded(C=5.0, B=9.0, A=5.0, D=1.0)
    assert members_from_bars(panel, 10) == ("B", "A", "C", "D")
    assert members_from_bars(panel, 2) == ("B", "A")
    assert members_from_bars(panel.rows(slice(0, 0)), 2) == ()


def test_one_wild_session_makes_no_member() -> None:
    panel = traded(A=5.0, B=9.0)
    panel.volume[-3:, 0] = 1e9
    assert members_from_bars(panel, 1) == ("B",)


def test_a_name_that_stopped_is_gone_after_five_sessions() -> None:
    panel = traded(A=5.0, B=9.0)
    still = stop(panel, "B", SESSIONS[-5].astype(object))
    assert members_from_bars(still, 9) == ("B", "A")
    assert members_from_bars(stop(panel, "B", SESSIONS[-6].astype(object)), 9) == ("A",)


def test_a_young_name_ranks_behind_those_with_a_median() -> None:
    panel = traded(A=5.0, B=9.0)
    for field in FIELDS:
        getattr(panel, field)[:-10, 1] = np.nan
    assert members_from_bars(panel, 9) == ("A", "B")


def test_without_a_map_the_most_traded_are_members() -> None:
    panel = traded(A=1, B=2, C=3, D=4, E=5, F=6)
    assert members_for(panel, None, date(2024, 5, 1), SMALL) == ("F", "E", "D", "C")


def test_between_reconstitutions_members_only_leave() -> None:
    panel = stop(traded(A=1, B=2, C=3, D=4, E=5, F=6), "C", date(2024, 4, 10))
    before = slots("ABCD", date(2024, 4, 1))
    assert members_for(panel, before, date(2024, 5, 1), SMALL) == ("D", "B", "A")


@pytest.mark.parametrize(
    ("previous", "as_of", "due"),
    [
        (date(2024, 6, 3), date(2024, 7, 1), True),
        (date(2024, 7, 1), date(2024, 7, 15), True),
        (date(2024, 7, 1), date(2024, 8, 1), False),
        (date(2024, 7, 1), date(2025, 6, 2), False),
        (date(2024, 7, 1), date(2025, 7, 1), True),
        (date(2024, 6, 3), date(2024, 8, 1), True),
        (date(2023, 12, 1), date(2024, 2, 1), False),
        (date(2023, 5, 1), date(2024, 2, 1), True),
    ],
)
def test_membership_is_rebuilt_in_july_and_after_a_july_that_was_missed(
    previous: date, as_of: date, due: bool
) -> None:
    assert reconstitution_due(slots("A", previous), as_of, SMALL) is due


def test_a_reconstitution_takes_the_most_traded_of_then() -> None:
    panel = traded(A=1, B=2, C=3, D=4, E=5, F=6)
    assert members_for(panel, slots("ABCD", date(2024, 6, 3)), date(2024, 7, 1), SMALL) == (
        "F", "E", "D", "C",
    )  # fmt: skip


def test_a_published_list_decides_and_is_matched_over_share_classes() -> None:
    panel = traded(**{"BRK-B": 1.0, "A": 2.0, "RUSHA": 3.0, "GONE": 4.0, "OTHER": 5.0})
    panel = stop(panel, "GONE", date(2024, 2, 1))
    listed = published("BRKB", "GONE", "NEVER", "RUSHA", "A")
    assert members_for(panel, None, date(2024, 5, 1), SMALL, listed) == ("BRK-B", "RUSHA", "A")


def test_a_list_published_since_the_map_rebuilds_membership() -> None:
    panel = traded(A=1, B=2, C=3)
    before = slots("AB", date(2024, 3, 1))
    listed = published("C", "A", as_of=date(2024, 3, 28))
    assert members_for(panel, before, date(2024, 4, 1), SMALL, listed) == ("C", "A")
    known_then = published("C", "A", as_of=date(2024, 2, 28))
    assert members_for(panel, before, date(2024, 4, 1), SMALL, known_then) == ("B", "A")


def test_a_list_from_the_future_is_refused() -> None:
    with pytest.raises(DataError, match="only earlier lists were known"):
        members_for(traded(A=1), None, date(2024, 3, 1), SMALL, published("A"))


def test_a_market_without_bars_is_refused() -> None:
    with pytest.raises(DataError, match="in the 6 sessions before 2024-05-01; fetch"):
        members_for(stop(traded(A=1), "A", date(2024, 4, 1)), None, date(2024, 5, 1), SMALL)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), day=st.dates(date(2024, 2, 1), date(2024, 12, 31)))
def test_later_bars_change_no_membership(seed: int, day: date) -> None:
    panel = traded(A=1, B=2, C=3, D=4, E=5, F=6)
    random = np.random.default_rng(seed)
    panel.volume[:] *= np.exp(random.normal(0, 2, panel.shape))
    later = np.searchsorted(SESSIONS, np.datetime64(day))
    changed = {field: getattr(panel, field).copy() for field in FIELDS}
    changed["volume"][later:] = random.permuted(changed["volume"][later:], axis=1) * 50.0
    changed["close"][later:, 0] = np.nan
    expected = members_for(panel.before(day), None, day, SMALL)
    assert members_for(Panel(SESSIONS, panel.symbols, **changed), None, day, SMALL) == expected
