"""Which column of a source is which field of a bar."""

import re
from collections.abc import Collection, Iterable, Sequence

from trading.errors import DataError
from trading.market.bars import BAR_COLUMNS

# Spellings after lower-casing and dropping everything but letters and digits.
SPELLINGS: dict[str, tuple[str, ...]] = {
    "date": ("date", "datetime", "timestamp", "time", "day", "tradedate", "tradingday", "session"),
    "symbol": ("symbol", "ticker", "tic", "tickersymbol", "code", "instrument"),
    "open": ("open", "o", "openprice", "priceopen"),
    "high": ("high", "h", "highprice", "pricehigh"),
    "low": ("low", "l", "lowprice", "pricelow"),
    "close": ("close", "c", "closeprice", "priceclose", "last", "lastprice"),
    "volume": ("volume", "v", "vol", "sharevolume", "tradedvolume"),
    "adjusted_close": ("adjustedclose", "adjclose", "closeadj", "closeadjusted", "adjcloseprice"),
}
FIELD_OF_SPELLING = {word: field for field, words in SPELLINGS.items() for word in words}
OPTIONAL = frozenset({"adjusted_close"})


def match_columns(
    names: Iterable[object], source: str, *, optional: Collection[str] = OPTIONAL
) -> dict[str, object]:
    """Return, for each field that is there, the name of its column.

    Case, spaces and punctuation are ignored (`Adj Close`, `adj_close`, `ADJUSTED_CLOSE`). Raises
    `DataError` when a field that is not `optional` has no column, or any field has two.
    """
    names = list(names)
    found: dict[str, object] = {}
    for name in names:
        field = FIELD_OF_SPELLING.get(re.sub(r"[^a-z0-9]", "", str(name).lower()))
        if field is None:
            continue
        if field in found:
            raise DataError(
                f"{source} has two columns for {field} ({found[field]!r} and {name!r}); "
                "rename or remove one"
            )
        found[field] = name
    missing = [field for field in BAR_COLUMNS if field not in found and field not in optional]
    if missing:
        raise DataError(
            f"{source} lacks the column(s) {', '.join(missing)}; it has {_listed(names)}; expected "
            f"{', '.join(BAR_COLUMNS)} ({', '.join(sorted(optional))} may be absent)"
        )
    return found


def _listed(names: Sequence[object], most: int = 12) -> str:
    shown = ", ".join(str(name) for name in names[:most]) or "none"
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
