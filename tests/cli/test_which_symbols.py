"""Which symbols a fetch asks for: options, files as people write them, the kept universe."""

from datetime import date
from pathlib import Path

import pytest

from trading.cli.home import Home
from trading.cli.which_symbols import WhichSymbols, which_symbols
from trading.config import Settings
from trading.data.store.folder import FolderStore
from trading.errors import ConfigurationError
from trading.universe.rebalance import rebalance
from trading.universe.versions import UniverseVersions

FIRST, LAST = date(2024, 1, 2), date(2024, 6, 28)


def chosen(tmp_path: Path, *named: str, **more: object) -> WhichSymbols:
    given = {"file": None, "whole_market": False, "first": FIRST, "last": LAST}
    return which_symbols(named, home=Home(tmp_path), **given | more)  # type: ignore[arg-type]


def test_named_symbols_are_split_cased_sorted_and_told_once(tmp_path: Path) -> None:
    found = chosen(tmp_path, "msft, aapl", "BRK.B;AAPL", "ｇｅ")
    assert found.symbols == ("AAPL", "BRK.B", "GE", "MSFT")
    assert "4 named" in found.words


def test_a_file_as_people_write_them(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes("\ufeffAAPL # the fruit\r\n\r\n# nobody\nMSFT,GE\nbrk-b\n".encode())
    assert chosen(tmp_path, file=file).symbols == ("AAPL", "BRK-B", "GE", "MSFT")


@pytest.mark.parametrize(
    ("named", "text", "told"),
    [
        (("",), None, "--symbols names no symbol"),
        (("../etc",), None, r"names '../ETC', which is no symbol"),
        (("A", "<b>", "$$"), None, r"names '<B>' and 1 more, which is no symbol"),
        (("株式",), None, "which is no symbol"),
        ((), b"# nobody\n", "list.txt names no symbol"),
        ((), b"\xff\xfe\x00", "cannot be read as text"),
        (("A",), b"B", "exclude each other"),
    ],
)
def test_what_is_no_symbol_is_misuse(
    tmp_path: Path, named: tuple[str, ...], text: bytes | None, told: str
) -> None:
    file = None
    if text is not None:
        file = tmp_path / "list.txt"
        file.write_bytes(text)
    with pytest.raises(ConfigurationError, match=told):
        chosen(tmp_path, *named, file=file)


def test_a_missing_file_and_two_choices_are_misuse(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no file"):
        chosen(tmp_path, file=tmp_path / "none.txt")
    with pytest.raises(ConfigurationError, match="exclude each other"):
        chosen(tmp_path, "A", whole_market=True)


def test_without_options_the_members_of_the_whole_span_are_asked(tmp_path: Path) -> None:
    assert chosen(tmp_path).symbols is None
    assert chosen(tmp_path, whole_market=True) == WhichSymbols(None, "the whole market", True)
    versions = UniverseVersions(FolderStore(tmp_path / "universes"), "russell-3000")
    settings, previous = Settings().universe, None
    for day, names in (
        (date(2023, 7, 1), ("AAA", "BBB")),
        (date(2024, 5, 1), ("BBB", "CCC")),
        (date(2025, 7, 1), ("CCC", "DDD")),
    ):
        done = rebalance(previous, names, day, settings, source="test")
        versions.keep(done)
        previous = done.slots
    found = chosen(tmp_path)
    assert found.symbols == ("AAA", "BBB", "CCC")
    assert "3 of the universe russell-3000" in found.words
    assert chosen(tmp_path, first=date(2025, 8, 1), last=date(2025, 8, 5)).symbols == ("CCC", "DDD")
    early = chosen(tmp_path, first=date(2020, 1, 2), last=date(2020, 2, 3))
    assert early.symbols == ("AAA", "BBB")
