"""The universe of a backtest: all symbols, the most traded, a list, or a file of symbols."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from trading.data.columns import FIELD_OF_SPELLING
from trading.errors import ConfigurationError, DataError
from trading.market.panel import Panel
from trading.universe.constituents import members_from_bars

TOP = re.compile(r"top(\d+)")
CHOSEN = (
    "Hindsight: the symbols were chosen by hand; if that was done knowing how they fared, no "
    "figure here counts."
)


@dataclass(frozen=True)
class Universe:
    """Which symbols may be traded.

    Attributes
    ----------
    named : as it was asked for
    symbols : the list; None where the bars decide
    top : how many of the most traded names, None for another kind of universe
    """

    named: str
    symbols: tuple[str, ...] | None = None
    top: int | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful about the choice."""
        return (CHOSEN,) if self.symbols is not None else ()

    def words(self, count: int) -> str:
        """Return the universe of `count` symbols in words."""
        if self.top is not None:
            return f"the {count:,} most traded names before the start (of {self.top:,} asked for)"
        if self.symbols is None:
            return f"all {count:,} symbols of the bars" if count > 1 else "the symbol of the bars"
        if count <= 12:
            return ", ".join(self.symbols)
        return f"{count:,} symbols of {self.named}"

    def members(self, panel: Panel, start: int) -> tuple[str, ...]:
        """Return the symbols; of a top, by what was traded strictly before row `start`.

        Raises `DataError` for symbols without bars and for a top without history.
        """
        if self.top is not None:
            found = members_from_bars(panel.rows(slice(0, start)), self.top)
            if not found:
                raise DataError(
                    f"--universe {self.named} ranks by what was traded before the start, and there "
                    "are no bars before it; choose a later --from"
                )
            return tuple(sorted(found))
        if self.symbols is None:
            return panel.symbols
        unknown = [symbol for symbol in self.symbols if symbol not in set(panel.symbols)]
        if unknown:
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            raise DataError(
                f"the bars have no {', '.join(unknown[:5])}{more}; mend --universe {self.named}"
            )
        return self.symbols


def read_universe(text: str) -> Universe:
    """Read `all`, `top100`, `A,B,C` or the name of a file with a symbol a line or a column of them.

    Raises `ConfigurationError` for an empty universe and `DataError` for an unreadable file.
    """
    text = text.strip()
    if text.lower() == "all":
        return Universe("all")
    if match := TOP.fullmatch(text.lower()):
        if int(match[1]) < 1:
            raise ConfigurationError("--universe top0 holds nobody; ask for top1 or more")
        return Universe(text, top=int(match[1]))
    path = Path(text)
    if path.is_file():
        symbols = _read_file(path)
    elif path.suffix.lower() in (".csv", ".txt"):
        raise DataError(f"there is no file {path}")
    else:
        symbols = [part.strip() for part in text.split(",") if part.strip()]
    if not symbols:
        raise ConfigurationError(f"--universe {text!r} names no symbol")
    return Universe(path.name if path.is_file() else text, tuple(dict.fromkeys(symbols)))


def _read_file(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row and not row[0].startswith("#")]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a list of symbols ({error})") from error
    header = rows[0] if rows else []
    fields = [FIELD_OF_SPELLING.get("".join(filter(str.isalnum, n.lower()))) for n in header]
    if "symbol" in fields:
        place = fields.index("symbol")
        return [row[place].strip() for row in rows[1:] if len(row) > place and row[place].strip()]
    return [row[0].strip() for row in rows if row[0].strip()]
