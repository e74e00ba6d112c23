"""Bring a PostgreSQL database to the present schema of bars, one numbered file after the other.

Files are `migrations/<layout>/<number>_<name>.sql`; what was applied is in the table `migrations`
with the checksum of its text. A layout is chosen once, when the schema is made: `timescale` where
the extension is there and may be used in full, `plain` otherwise.
"""

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import Any

import psycopg
from psycopg import sql

from trading.errors import StoreError

# Any number will do, as long as every process that migrates takes the same.
LOCK = 7_229_413_002


@dataclass(frozen=True)
class Schema:
    """The schema of bars as found or made.

    Attributes
    ----------
    layout : `timescale` or `plain`
    reason : why the layout is plain; empty for `timescale`
    version : number of the last migration
    """

    layout: str
    reason: str
    version: int


@dataclass(frozen=True)
class Migration:
    """One file: its number, its name and its text."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations(layout: str) -> tuple[Migration, ...]:
    """Return the migrations of a layout, by number."""
    folder = resources.files("trading.data.store.bars") / "migrations" / layout
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return tuple(
        Migration(int(f.name.partition("_")[0]), f.name, f.read_text(encoding="utf-8"))
        for f in files
    )


def migrate(connection: psycopg.Connection[Any], schema: str) -> Schema:
    """Bring `schema` to the present version and make it the connection's search path.

    All of it is one transaction behind a lock: two processes that start at once migrate once, and
    one that is killed leaves the schema as it was.

    Raises
    ------
    StoreError
        The database has a newer version than this code, or a migration was edited after it was
        applied.
    """
    _offer_timescale(connection)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        named = sql.Identifier(schema)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(named))
        connection.execute(sql.SQL("SET search_path TO {}, public").format(named))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (version int PRIMARY KEY, name text NOT NULL, "
            "checksum text NOT NULL, layout text NOT NULL, reason text NOT NULL, "
            "applied_at timestamptz NOT NULL DEFAULT now())"
        )
        held = connection.execute(
            "SELECT version, name, checksum, layout, reason FROM migrations ORDER BY version"
        ).fetchall()
        layout, reason = (held[0][3], held[0][4]) if held else _choose_layout(connection)
        known = migrations(layout)
        _check(held, known)
        for migration in known[len(held) :]:
            connection.execute(migration.text.encode())
            connection.execute(
                "INSERT INTO migrations (version, name, checksum, layout, reason) "
                "VALUES (%s, %s, %s, %s, %s)",
                [migration.version, migration.name, migration.checksum, layout, reason],
            )
    return Schema(layout, reason, known[-1].version)


def _offer_timescale(connection: psycopg.Connection[Any]) -> None:
    """Create the extension where the server has it and lets us."""
    if connection.execute(
        "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb' "
        "AND installed_version IS NULL"
    ).fetchone():
        try:
            with connection.transaction():
                connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        except psycopg.Error:
            # Not preloaded, or not allowed to: `_choose_layout` finds it missing and says so.
            return


def _choose_layout(connection: psycopg.Connection[Any]) -> tuple[str, str]:
    row = connection.execute(
        "SELECT installed_version FROM pg_available_extensions WHERE name = 'timescaledb'"
    ).fetchone()
    if row is None:
        return "plain", "the server does not have the extension TimescaleDB"
    if row[0] is None:
        return "plain", "the extension TimescaleDB could not be created (preloaded? permitted?)"
    found = connection.execute("SELECT current_setting('timescaledb.license', true)").fetchone()
    if found is not None and found[0] == "apache":
        return "plain", "the Apache build of TimescaleDB has no compression"
    return "timescale", ""


def _check(held: list[tuple[Any, ...]], known: tuple[Migration, ...]) -> None:
    if len(held) > len(known):
        raise StoreError(
            f"the database has schema version {held[-1][0]}, this code knows {len(known)}; "
            "run the newer code"
        )
    for (version, name, checksum, *_), migration in zip(held, known, strict=False):
        if (version, checksum) != (migration.version, migration.checksum):
            raise StoreError(
                f"migration {version} ({name}) was applied with another text than "
                f"{migration.name} now has; restore the file, and change the schema by a new one"
            )
