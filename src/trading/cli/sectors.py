"""The sectors of symbols: from a file, or as the lake knows them."""

import csv
from pathlib import Path

from trading.data.fundamentals import FundamentalsTable
from trading.errors import ConfigurationError, DataError
from trading.risk.settings import RiskSettings

SYMBOLS = ("symbol", "ticker")
SECTORS = ("sector", "gicssector")


def read_sectors(
    path: Path | None, risk: RiskSettings, known: FundamentalsTable | None = None
) -> dict[str, str]:
    """Return the sector by symbol: of the file, else as known; empty where neither tells any.

    Raises
    ------
    ConfigurationError
        A sector limit is set and nothing tells sectors: without them all symbols form one.
    DataError
        The file cannot be read, or lacks a column, or names a symbol twice.
    """
    if path is None:
        told = known.sectors() if known else {}
        if risk.max_sector is not None and not told:
            raise ConfigurationError(
                "risk.max_sector needs --sectors FILE (columns symbol, sector), or a lake that "
                "holds fundamentals: without sectors all symbols form one"
            )
        return told
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a list of sectors ({error})") from error
    header = ["".join(filter(str.isalnum, name.lower())) for name in (rows[0] if rows else [])]
    symbol, sector = (_place(header, names, path) for names in (SYMBOLS, SECTORS))
    found: dict[str, str] = {}
    for row in rows[1:]:
        name = row[symbol].strip() if len(row) > symbol else ""
        if not name:
            continue
        if name in found:
            raise DataError(f"{path} names the sector of {name} twice")
        found[name] = row[sector].strip() if len(row) > sector else ""
    return found


def _place(header: list[str], names: tuple[str, ...], path: Path) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise DataError(f"{path} has no column {names[0]}; it has {', '.join(header) or 'none'}")
