"""Members as known on a day: spells, lists, and no look-ahead."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import DataError
from trading.universe.membership import (
    Membership,
    Spell,
    list_in_force,
    membership_of_lists,
    read_candidates,
    read_spells,
)


def day(n: int) -> date:
    return date.fromordinal(date(2020, 1, 1).toordinal() + n)


def test_a_member_is_in_from_its_start_to_the_day_before_its_end() -> None:
    held = Membership.of([Spell("A", day(0), day(5)), Spell("B", day(3)), Spell("A", day(8))])
    assert [held.on(day(n)) for n in (0, 4, 5, 8)] == [("A",), ("A", "B"), ("B",), ("A", "B")]
    with pytest.raises(DataError, match="known from 2020-01-01 to now, not on 2019-12-31"):
        held.on(day(-1))


def test_the_matrix_says_what_on_says_whatever_the_spelling() -> None:
    held = Membership.of([Spell("BRK.B", day(1), day(3)), Spell("A", day(0))])
    sessions = np.array([day(n) for n in range(5)], dtype="datetime64[D]")
    found = held.matrix(sessions, ("BRKB", "", "A", "NONE"))
    assert found[:, 0].tolist() == [False, True, True, False, False]
    assert found[:, 2].all()
    assert not found[:, [1, 3]].any()
    assert held.matrix(sessions[:0], ("A",)).shape == (0, 1)
    with pytest.raises(DataError, match="not on"):
        held.matrix(sessions - 10, ("A",))


@pytest.mark.parametrize(
    ("spells", "sentence"),
    [
        ([], "no spell"),
        ([Spell("A", day(3), day(3))], "which is no day"),
        ([Spell("A", day(0)), Spell("A", day(5))], "overlap"),
        ([Spell("BRK.B", day(0), day(6)), Spell("BRK-B", day(5))], "overlap"),
    ],
)
def test_spells_that_contradict_are_refused(spells: list[Spell], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        Membership.of(spells)


members = st.sets(st.sampled_from("ABCDEF"), min_size=1)


@given(st.dictionaries(st.integers(0, 30), members, min_size=1), st.integers(0, 40))
def test_lists_are_answered_back_and_later_ones_change_nothing(
    lists: dict[int, set[str]], asked: int
) -> None:
    dated = {day(n): sorted(names) for n, names in lists.items()}
    held = membership_of_lists(dated)
    if day(asked) < min(dated):
        with pytest.raises(DataError):
            held.on(day(asked))
        return
    force = list_in_force(list(dated), day(asked))
    assert held.on(day(asked)) == tuple(dated[force])
    known = {d: names for d, names in dated.items() if d <= day(asked)}
    assert membership_of_lists(known).on(day(asked)) == held.on(day(asked))


def test_files_of_spells_and_of_symbols(tmp_path: Path) -> None:
    spells = tmp_path / "spells.csv"
    spells.write_text(
        "ticker,start_date,end_date\nA,2020-01-01,2020-02-01\nA,2020-02-01,\nB,2020-01-15,\n"
    )
    assert read_spells(spells).on(date(2020, 2, 1)) == ("A", "B")
    assert read_candidates(spells, date(2020, 1, 2)) == ("A",)
    plain = tmp_path / "list.csv"
    plain.write_text("\ufeffName,Symbol\nx,B\ny,A\nz,\nx,B\n", encoding="utf-8")
    assert read_candidates(plain, date(2020, 1, 2)) == ("A", "B")
    with pytest.raises(DataError, match="columns ticker"):
        read_spells(plain)
    with pytest.raises(DataError, match="no column Symbol"):
        read_candidates(_written(tmp_path, "a,b\n1,2\n"), day(0))
    with pytest.raises(DataError, match="line 2 .* no date"):
        read_spells(_written(tmp_path, "ticker,start_date,end_date\nA,soon,\n"))
    with pytest.raises(DataError, match="cannot be read"):
        read_spells(tmp_path / "none.csv")
    with pytest.raises(DataError, match="at least one list"):
        membership_of_lists({})


def _written(folder: Path, text: str) -> Path:
    file = folder / "other.csv"
    file.write_text(text)
    return file


@pytest.mark.real_data
def test_the_sp500_through_time() -> None:
    default = Path(__file__).parents[2] / "../shared/data"
    folder = Path(os.environ.get("TRADING_REAL_DATA", default)) / "universe"
    if not folder.is_dir():
        pytest.skip(f"no real universe files at {folder}; set TRADING_REAL_DATA")
    held = read_spells(folder / "sp500_ticker_start_end.csv")
    for year in range(1997, 2026):
        assert 480 <= len(held.on(date(year, 1, 2))) <= 510, year
    assert "AABA" not in held.on(date(2017, 6, 19))
    assert "AABA" in held.on(date(2017, 6, 18))
    assert "TSLA" not in held.on(date(2020, 12, 18))
    assert "TSLA" in held.on(date(2020, 12, 21))
