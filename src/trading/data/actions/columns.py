"""Corporate actions that come as columns beside the bars, as in Yahoo's downloads."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from trading.data.columns import FIELD_OF_SPELLING
from trading.data.parsing import parse_days, parse_numbers, parse_symbols
from trading.errors import DataError
from trading.market.bars import CorporateAction, CorporateActionType

BAR_LENGTH = re.compile(r"\d+(d|h|m|min)|daily|day|eod")
TYPE_OF_SPELLING = {
    "dividends": CorporateActionType.DIVIDEND,
    "dividend": CorporateActionType.DIVIDEND,
    "divcash": CorporateActionType.DIVIDEND,
    "stocksplits": CorporateActionType.SPLIT,
    "stocksplit": CorporateActionType.SPLIT,
    "splits": CorporateActionType.SPLIT,
    "split": CorporateActionType.SPLIT,
    "splitfactor": CorporateActionType.SPLIT,
}


def read_action_columns(file: Path) -> tuple[CorporateAction, ...]:
    """Return the splits and dividends of a file's own columns, by date; none without such columns.

    A dividend of 0, and a split of 0 or 1, is none. Without a symbol column the symbol is that of
    the file's name, see `symbol_of_file`. Raises `DataError` when the file
    cannot be read.
    """
    names = _names(file)
    kinds = {name: kind for name in names if (kind := TYPE_OF_SPELLING.get(_spelling(name)))}
    day = next((n for n in names if FIELD_OF_SPELLING.get(_spelling(n)) == "date"), None)
    if not kinds or day is None:
        return ()
    symbol = next((n for n in names if FIELD_OF_SPELLING.get(_spelling(n)) == "symbol"), None)
    frame = _read(file, [day, *kinds, *([symbol] if symbol else [])])
    days = parse_days(frame[day]).astype("datetime64[D]")
    owners = frame[symbol].astype(str).to_numpy() if symbol else None
    own = symbol_of_file(file)
    found = []
    for name, kind in kinds.items():
        value = np.asarray(parse_numbers(frame[name]), dtype=np.float64)
        moves = np.isfinite(value) & (value > 0) & ~np.isnat(days)
        moves &= (value != 1) | (kind is CorporateActionType.DIVIDEND)
        found += [
            CorporateAction(
                own if owners is None else str(owners[i]),
                days[i].astype(object),
                kind,
                float(value[i]),
            )
            for i in np.flatnonzero(moves)
        ]
    return tuple(sorted(found, key=lambda a: (a.ex_date, a.symbol, a.type)))


def symbol_of_file(file: Path) -> str:
    """Return the symbol that a file's name tells: its longest beginning that can be a symbol.

    What follows a bar's length is no symbol: `AAPL.csv`, `AAPL-1d.csv` and `aapl_daily_2024.csv`
    are all of AAPL. A name that begins with no symbol is taken as it is, for the checks to
    complain of.
    """
    stem = file.name.split(".")[0]
    parts = re.split(r"[-_ ]", stem)
    length = (i for i, part in enumerate(parts) if i and BAR_LENGTH.fullmatch(part.lower()))
    parts = parts[: next(length, len(parts))]
    for count in range(len(parts), 0, -1):
        candidate = "-".join(parts[:count])
        codes, names, _ = parse_symbols(pd.Series([candidate]))
        if codes[0] >= 0:
            return names[0]
    return stem


def _spelling(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _names(file: Path) -> list[str]:
    try:
        if file.name.lower().endswith((".parquet", ".pq")):
            return list(map(str, pq.read_schema(file).names))
        return list(map(str, pd.read_csv(file, nrows=0, encoding="utf-8-sig").columns))
    except (OSError, ValueError) as error:
        raise DataError(f"{file.name} cannot be read ({error}); download it again") from error


def _read(file: Path, columns: Iterable[str]) -> pd.DataFrame:
    wanted = list(columns)
    if file.name.lower().endswith((".parquet", ".pq")):
        return pd.read_parquet(file, columns=wanted)
    return pd.read_csv(file, usecols=wanted, dtype=str, encoding="utf-8-sig")
