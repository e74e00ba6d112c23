"""Corporate actions in PostgreSQL: every version in the order told."""

from typing import Any

import psycopg

from trading.data.actions.told import ToldAction, add_told
from trading.market.bars import CorporateAction, CorporateActionType


def read_actions(
    connection: psycopg.Connection[Any], symbols: list[str] | None
) -> tuple[ToldAction, ...]:
    """Return the told actions of some symbols (None: all), in the order they were told."""
    rows = connection.execute(
        "SELECT symbol, ex_date, type, value, told FROM corporate_actions "
        "WHERE %(symbols)s::text[] IS NULL OR symbol = ANY(%(symbols)s) ORDER BY number",
        {"symbols": symbols},
    ).fetchall()
    return tuple(
        ToldAction(CorporateAction(symbol, ex_date, CorporateActionType(kind), value), told)
        for symbol, ex_date, kind, value, told in rows
    )


def add_actions(connection: psycopg.Connection[Any], new: tuple[ToldAction, ...]) -> int:
    """Add actions behind those held; returns how many tell something new. All of them or none."""
    with connection.transaction():
        # Two writers at once: the second sees what the first told.
        connection.execute("LOCK TABLE corporate_actions IN SHARE ROW EXCLUSIVE MODE")
        held = read_actions(connection, sorted({row.action.symbol for row in new}))
        rows, added = add_told(held, new)
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO corporate_actions (symbol, ex_date, type, value, told) "
                "VALUES (%s, %s, %s, %s, %s)",
                [
                    (r.action.symbol, r.action.ex_date, r.action.type.value, r.action.value, r.told)
                    for r in rows[len(held) :]
                ],
            )
    return added
