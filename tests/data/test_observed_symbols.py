"""The symbol map learnt from lists: renames, reuse, classes, and lists that prove nothing."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from trading.data.actions.observed import ListedShare, SymbolChange, observe
from trading.data.actions.symbols import Listing, SymbolMap

FIRST, NEXT, THEN = date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)


def line(symbol: str, own: str | None = None, country: str | None = None) -> ListedShare:
    return ListedShare(symbol, own, country)


def after(
    *lists: Sequence[ListedShare],
) -> tuple[SymbolMap, tuple[SymbolChange, ...]]:
    """Return the map after lists of consecutive days, and what the last one changed."""
    held, changes = SymbolMap(), ()
    for n, listed in enumerate(lists):
        held, changes = observe(held, listed, FIRST + timedelta(days=n))
    return held, changes


def test_a_share_seen_under_another_symbol_was_renamed() -> None:
    made, changes = after(
        [line("FB", "F1"), line("A", "F2")], [line("META", "F1"), line("A", "F2")]
    )
    assert made.renames() == ((NEXT, "FB", "META"),)
    assert [c.sentence for c in changes] == ["FB is META since 2024-01-03: one history"]
    assert made.symbol("F1", FIRST) == "FB"
    assert made.reused() == ()


def test_a_symbol_seen_with_another_share_passed_on() -> None:
    made, changes = after([line("DELL", "F1")], [], [line("DELL", "F9")])
    assert made.share("DELL", NEXT) == "F1"
    assert made.share("DELL", THEN) == "F9"
    assert made.reused() == ("DELL",)
    assert "is another share since 2024-01-04 (F9)" in changes[0].sentence
    assert "served as DELL.2024-01-03" in changes[0].sentence


def test_symbols_that_change_places_on_one_day() -> None:
    made, changes = after(
        [line("A", "F1"), line("B", "F2"), line("C", "F3")],
        [line("B", "F1"), line("C", "F2"), line("A", "F3")],
    )
    assert {made.symbol(f"F{n}", NEXT) for n in (1, 2, 3)} == {"A", "B", "C"}
    assert made.renames() == ((NEXT, "A", "B"), (NEXT, "B", "C"), (NEXT, "C", "A"))
    assert "which another share bore before" in changes[0].sentence


def test_two_classes_of_one_company_are_two_shares() -> None:
    listed = [line("GOOG", "F1", "C1"), line("GOOGL", "F2", "C2")]
    made, changes = after(listed, list(reversed(listed)))
    assert not changes
    assert [made.share(s, NEXT) for s in ("GOOG", "GOOGL")] == ["F1", "F2"]


@pytest.mark.parametrize(
    "second",
    [
        pytest.param([], id="empty"),
        pytest.param([line("OTHER", "F2")], id="absent"),
        pytest.param([line("FB")], id="no id"),
        pytest.param([line("FB", None, "C1")], id="the other kind of id"),
        pytest.param([line("FB", "F1"), line("FB", "F7")], id="two lines contradict"),
        pytest.param([line("FB", "F1"), line("META", "F1")], id="one share twice"),
        pytest.param([line("META", "F1"), line("MVRS", "F1")], id="one new share twice"),
        pytest.param([line("FB", "F1"), line("FB", "F1")], id="one line twice"),
    ],
)
def test_a_list_that_proves_nothing_changes_nothing(second: list[ListedShare]) -> None:
    made, _ = after([line("FB", "F1")], second)
    assert made.share("FB", NEXT) == "F1"
    assert made.share("META", NEXT) is None


def test_a_composite_id_stands_in_where_that_of_the_class_is_unknown() -> None:
    made, changes = after([line("FB", None, "C1")], [line("META", "F1", "C1")])
    assert made.renames() == ((NEXT, "FB", "META"),)
    assert changes[0].before == "FB"


def test_a_line_without_an_id_does_not_keep_a_share_that_is_seen_elsewhere() -> None:
    made, _ = after([line("FB", "F1")], [line("FB"), line("META", "F1")])
    assert made.symbol("F1", NEXT) == "META"
    assert made.share("FB", NEXT) is None


def test_a_list_of_an_earlier_day_and_one_seen_again_change_nothing() -> None:
    made, _ = after([line("FB", "F1")], [line("META", "F1")])
    assert observe(made, [line("FB", "F1")], FIRST) == (made, ())
    assert observe(made, [line("META", "F1")], NEXT) == (made, ())


def test_a_list_corrected_on_its_day_leaves_nothing_of_the_first_one() -> None:
    made, _ = after([line("FB", "F1")], [line("META", "F1")])
    mended, _ = observe(made, [line("FB", "F1"), line("META", "F5")], NEXT)
    assert mended.listings == (
        Listing("FB", FIRST, None, "F1"),
        Listing("META", NEXT, None, "F5"),
    )


def test_days_that_bars_tell_are_used_unless_they_contradict_each_other() -> None:
    held, _ = after([line("A", "F1"), line("B", "F2")])
    listed, day = [line("B", "F1"), line("C", "F2")], date(2024, 1, 10)
    made, changes = observe(held, listed, day, {"B": THEN, "C": NEXT})
    assert made.renames() == ((NEXT, "B", "C"), (THEN, "A", "B"))
    assert [c.first for c in changes] == [THEN, NEXT]
    # A day from before what is known says nothing.
    made, _ = observe(held, listed, day, {"B": FIRST - timedelta(days=9)})
    assert made.renames() == ((day, "A", "B"), (day, "B", "C"))


lists = st.lists(
    st.lists(
        st.builds(
            ListedShare,
            st.sampled_from(["A", "B", "C", "D", "Ü"]),
            st.sampled_from([None, "F1", "F2", "F3"]),
            st.sampled_from([None, None, "C1", "C2"]),
        ),
        max_size=6,
    ),
    max_size=8,
)


@hypothesis_settings(max_examples=150, deadline=None)
@given(told=lists, cut=st.integers(0, 8))
def test_any_lists_make_a_map_and_later_ones_do_not_change_what_was_known(
    told: list[list[ListedShare]], cut: int
) -> None:
    whole, _ = after(*told)
    early, _ = after(*told[:cut])
    before = FIRST + timedelta(days=cut)
    assert whole.known(before) == early.known(before)
    again, _ = after(*[listed[::-1] for listed in told])
    assert again == whole
    if told and not any(x.composite_figi for listed in told for x in listed):
        assert observe(whole, told[-1], FIRST + timedelta(days=len(told) - 1)) == (whole, ())
