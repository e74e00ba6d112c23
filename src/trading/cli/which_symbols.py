"""Which symbols a fetch asks for: named by hand, of a file, or the members of the universe."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from unicodedata import normalize

from trading.cli.home import Home
from trading.data.parsing import SYMBOL
from trading.data.store import open_store
from trading.errors import ConfigurationError
from trading.universe.versions import UniverseVersions

BETWEEN = re.compile(r"[\s,;]+")
UNIVERSE = "russell-3000"


@dataclass(frozen=True)
class WhichSymbols:
    """The symbols to ask for, and which they are in words.

    Attributes
    ----------
    symbols : sorted and unique; None where the provider or the lake tells them
    words : which they are, for the plan
    market : whether every symbol of the market is meant, whatever the lake has
    """

    symbols: tuple[str, ...] | None
    words: str
    market: bool = False


def which_symbols(
    named: Sequence[str],
    file: Path | None,
    *,
    whole_market: bool,
    home: Home,
    first: date,
    last: date,
) -> WhichSymbols:
    """Return the symbols that the options ask for.

    Without options they are those that were in the kept universe (`trading universe build`) at any
    time from `first` to `last`; where none is kept, the lake's own.

    Raises `ConfigurationError` for options that exclude each other, a file without symbols, or what
    is no symbol.
    """
    given = [bool(named), file is not None, whole_market]
    if sum(given) > 1:
        raise ConfigurationError(
            "--symbols, --symbols-file and --whole-market exclude each other; give one of them"
        )
    if whole_market:
        return WhichSymbols(None, "the whole market", market=True)
    if named:
        found = _checked(_split(" ".join(named)), "--symbols")
        return WhichSymbols(found, f"{len(found):,} named by --symbols")
    if file is not None:
        found = _checked(_of_file(file), str(file))
        return WhichSymbols(found, f"{len(found):,} of {file.name}")
    members = _members(home, first, last)
    if members:
        return WhichSymbols(members, f"{len(members):,} of the universe {UNIVERSE}")
    return WhichSymbols(None, "whoever the lake has")


def _members(home: Home, first: date, last: date) -> tuple[str, ...]:
    """Return the active members of the versions in force at any time of the span."""
    versions = UniverseVersions(open_store(str(home.path / "universes")), UNIVERSE)
    held = versions.dates()
    begin = max((day for day in held if day <= first), default=held[0] if held else first)
    of_span = [day for day in held if begin <= day <= last] or list(held[:1])
    return tuple(sorted({s for day in of_span for s in versions.slots(day).active}))


def _of_file(file: Path) -> list[str]:
    """Return the words of a text file, between spaces, commas and lines; `#` begins a note."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigurationError(f"there is no file {file}; expected a list of symbols") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{file} cannot be read as text ({error}); expected one symbol a line"
        ) from error
    lines = [line.partition("#")[0] for line in text.splitlines()]
    return _split(" ".join(lines))


def _split(text: str) -> list[str]:
    return [normalize("NFKC", word).upper() for word in BETWEEN.split(text) if word]


def _checked(symbols: Sequence[str], where: str) -> tuple[str, ...]:
    if not symbols:
        raise ConfigurationError(f"{where} names no symbol; expected some such as AAPL, BRK.B")
    if wrong := [word for word in symbols if not SYMBOL.fullmatch(word)]:
        more = f" and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
        raise ConfigurationError(
            f"{where} names {wrong[0][:40]!r}{more}, which is no symbol; expected ticker text such "
            "as AAPL or BRK.B"
        )
    return tuple(sorted(set(symbols)))
