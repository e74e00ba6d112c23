"""Corporate actions as they were told: every version is kept, the latest is in force.

A source that is asked later tells an old dividend in newer shares, and corrects what it had wrong.
Each row therefore carries the day through which its source had adjusted its figures; a row is never
rewritten, so that the table says what was told when.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trading.errors import DataError
from trading.market.bars import CorporateAction, CorporateActionType

ACTIONS_KEY = "corporate_actions/actions.parquet"
SCHEMA = pa.schema(
    [
        ("ex_date", pa.date32()),
        ("symbol", pa.string()),
        ("type", pa.string()),
        ("value", pa.float64()),
        ("told", pa.date32()),
    ]
)
Key = tuple[date, str, CorporateActionType]


@dataclass(frozen=True, slots=True)
class ToldAction:
    """A corporate action, and the day through which its source had adjusted its figures.

    A dividend is on the share basis of the later of `told` and its ex-date. A dividend of 0 and a
    split of 1 say that there is none: they take back what was told before.
    """

    action: CorporateAction
    told: date

    @property
    def key(self) -> Key:
        """What it corrects when told again: ex-date, symbol, type."""
        return self.action.ex_date, self.action.symbol, self.action.type

    @property
    def basis(self) -> date:
        """The day whose shares a dividend's amount is for."""
        return max(self.told, self.action.ex_date)


def tell(actions: Iterable[CorporateAction], told: date) -> tuple[ToldAction, ...]:
    """Return actions as told by a source that had adjusted its figures through `told`."""
    return tuple(ToldAction(action, told) for action in actions)


def in_force(rows: Iterable[ToldAction]) -> tuple[ToldAction, ...]:
    """Return the latest version of each action, by date, symbol and type.

    Of two told on one day the one that came later counts.
    """
    latest: dict[Key, ToldAction] = {}
    for row in rows:
        held = latest.get(row.key)
        if held is None or row.told >= held.told:
            latest[row.key] = row
    return tuple(latest[key] for key in sorted(latest))


def add_told(
    held: tuple[ToldAction, ...], new: Iterable[ToldAction]
) -> tuple[tuple[ToldAction, ...], int]:
    """Return the rows with the new ones behind, and how many those are.

    What only repeats the version in force is left out; so is what an earlier day told of an action
    that a later day has told already in the same way.
    """
    latest = {row.key: row for row in in_force(held)}
    added: list[ToldAction] = []
    for row in new:
        known = latest.get(row.key)
        if known is not None and _same(known, row):
            continue
        added.append(row)
        if known is None or row.told >= known.told:
            latest[row.key] = row
    fresh = [row for row in dict.fromkeys(added) if row not in set(held)]
    return (*held, *fresh), len(fresh)


def _same(one: ToldAction, other: ToldAction) -> bool:
    a, b = one.action.value, other.action.value
    return a == b or (a is not None and b is not None and a != a and b != b)


def encode_told(rows: Iterable[ToldAction]) -> bytes:
    """Return the Parquet bytes of told actions in their order; the same rows, the same bytes."""
    rows = tuple(rows)
    columns = [
        pa.array([row.action.ex_date for row in rows], type=pa.date32()),
        pa.array([row.action.symbol for row in rows], type=pa.string()),
        pa.array([row.action.type.value for row in rows], type=pa.string()),
        pa.array([row.action.value for row in rows], type=pa.float64()),
        pa.array([row.told for row in rows], type=pa.date32()),
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), sink, compression="zstd")
    return sink.getvalue()


def decode_told(
    body: bytes,
    key: str = ACTIONS_KEY,
    *,
    count: int | None = None,
    only: CorporateActionType | None = None,
) -> tuple[ToldAction, ...]:
    """Read Parquet bytes of told actions; `key` names them in the `DataError` raised else.

    With `count` only the first rows, with `only` those of one type.
    """
    try:
        table = pq.read_table(pa.BufferReader(body)).select(SCHEMA.names)
        table = table if count is None else table.slice(0, min(count, len(table)))
        if only is not None:
            table = table.filter(pc.equal(table["type"], only.value))
        kinds = {kind.value: kind for kind in CorporateActionType}
        return tuple(
            ToldAction(CorporateAction(symbol, ex_date, kinds[kind], value), told)
            for ex_date, symbol, kind, value, told in zip(
                *(table[name].to_pylist() for name in SCHEMA.names), strict=True
            )
        )
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise DataError(
            f"{key} of the lake is no table of corporate actions ({error}); delete it and run "
            "`trading data rebuild`"
        ) from error
