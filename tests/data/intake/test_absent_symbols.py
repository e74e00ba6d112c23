"""A symbol that is gone for good is told once and counted from then on, until it is back."""

import pytest
from intake_examples import Place

from trading.data.intake import Absent, absent
from trading.data.store.folder import FolderStore

AFTER = 4


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a market in which T0003 has no bar in rows 2 to 8, and NEVER none at all."""
    made = Place(FolderStore(tmp_path_factory.mktemp("absent") / "lake"), symbols=12)
    made.expected.append("NEVER")
    bars, gone = made.services._bars, made.market._column["T0003"]
    silent = set(made.days[2:9])
    made.services._bars = lambda n, rows, fault: [  # type: ignore[method-assign]
        each for each in bars(n, rows, fault) if n != gone or each[0] not in silent
    ]
    for day in made.days:
        made.run([day])
    return made


@pytest.mark.parametrize(
    ("row", "told"),
    [
        pytest.param(0, Absent(missing=("NEVER",)), id="first day"),
        pytest.param(2, Absent(missing=("NEVER", "T0003")), id="first missing day"),
        pytest.param(3, Absent(missing=("T0003",), presumed=("NEVER",)), id="never had a bar"),
        pytest.param(4, Absent(missing=("T0003",), counted=("NEVER",)), id="still a gap"),
        pytest.param(5, Absent(presumed=("T0003",), counted=("NEVER",)), id="presumed"),
        pytest.param(6, Absent(counted=("NEVER", "T0003")), id="counted"),
        pytest.param(8, Absent(counted=("NEVER", "T0003")), id="last missing day"),
        pytest.param(9, Absent(counted=("NEVER",), back=("T0003",)), id="back"),
        pytest.param(10, Absent(counted=("NEVER",)), id="as before"),
    ],
)
def test_who_is_missing_is_told_apart_by_for_how_long(place: Place, row: int, told: Absent) -> None:
    assert absent(place.store, place.days[row], AFTER) == told


def test_one_session_is_enough_where_the_configuration_says_so(place: Place) -> None:
    assert absent(place.store, place.days[0], 1) == Absent(presumed=("NEVER",))
    assert absent(place.store, place.days[1], 1) == Absent(counted=("NEVER",))


def test_a_session_without_a_record_misses_nobody(folder: FolderStore) -> None:
    place = Place(folder)
    assert absent(folder, place.days[3], 4) == Absent()
