"""Bars in PostgreSQL, with TimescaleDB where the server has it.

Both ways go through COPY: bars arrive in a temporary table and are laid over those held by one
`INSERT … ON CONFLICT DO UPDATE`, in one transaction. Bars of several calls that run at once are
laid down in the same order (symbol, time), so the calls wait for one another and none is lost.
"""

import io
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, LiteralString, Self, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from trading.data.actions.told import in_force, tell
from trading.data.as_of import Knowledge
from trading.data.store.bars.adjusted import adjusted_bars
from trading.data.store.bars.base import (
    StoreReport,
    canonical_bars,
    known_on,
    time_span,
    wanted_symbols,
)
from trading.data.store.bars.frames import with_basis
from trading.errors import ConfigurationError, StoreError
from trading.market.bars import FIELDS, BarInterval, CorporateAction, empty_bars

try:
    import psycopg
    from psycopg import sql

    from trading.data.store.bars.migration import Schema, migrate
    from trading.data.store.bars.postgres_actions import add_actions, read_actions
except ModuleNotFoundError as error:  # pragma: no cover - the extra is installed in development
    raise ConfigurationError(
        "PostgreSQL needs the package psycopg; install trading with the extra stores"
    ) from error

Answer = TypeVar("Answer")
ATTEMPTS = 5
CHUNK_ROWS = 250_000
NAMES: tuple[LiteralString, ...] = (
    "open",
    "high",
    "low",
    "close",
    "volume",
    "adjusted_close",
)
HOURS_OF_MINUTES = "bars_1h_of_1m"


@dataclass(frozen=True)
class _Table:
    """Where the bars of an interval are; `unit` is numpy's name of the span of a partition."""

    name: LiteralString
    time: LiteralString
    unit: LiteralString


TABLES = {
    BarInterval.DAY: _Table("bars_1d", "(at AT TIME ZONE 'UTC')::date", "Y"),
    BarInterval.HOUR: _Table("bars_1h", "at", "Y"),
    BarInterval.MINUTE: _Table("bars_1m", "at", "M"),
}


class PostgresBars:
    """A `BarStore` in a PostgreSQL database.

    One connection, shared by the threads that use the store and opened again when it broke. NaN is
    NULL in the database, which its aggregates leave out.

    Parameters
    ----------
    conninfo : a connection string or URL of libpq
    schema : the database schema that holds the tables; made when missing
    """

    def __init__(self, conninfo: str, schema: str = "trading") -> None:
        _check_address(conninfo)
        self._conninfo, self._schema_name = conninfo, schema
        self._lock = threading.RLock()
        self._connection: psycopg.Connection[Any] | None = None
        number = self._run(lambda connection: connection.info.server_version)
        self.description = _describe(number, self.schema)

    @classmethod
    def open(cls, conninfo: str, schema: str = "trading") -> Self:
        """Connect and bring the schema up to date.

        Raises `StoreError` when the database cannot be reached or has a schema that this code
        cannot use.
        """
        return cls(conninfo, schema)

    def store(
        self,
        bars: pd.DataFrame,
        interval: BarInterval = BarInterval.DAY,
        *,
        adjusted_through: date | None = None,
    ) -> StoreReport:
        """Keep bars, see `BarStore.store`; all of the call or nothing."""
        canonical = canonical_bars(bars, interval)
        if canonical.empty:
            return StoreReport(0, 0)
        table = TABLES[interval]
        if self.schema.layout == "plain":
            periods = np.unique(canonical["date"].to_numpy().astype(f"datetime64[{table.unit}]"))
            self._run(lambda connection: _make_partitions(connection, table, list(periods)))
        based = with_basis(canonical, adjusted_through)
        written = self._run(lambda connection: _lay_over(connection, table, based))
        return StoreReport(len(canonical), written)

    def withhold(self, session: date) -> None:
        """Serve no daily bar of a session, see `BarStore.withhold`: they are deleted here."""
        statement = "DELETE FROM bars_1d WHERE at = %s::date::timestamp AT TIME ZONE 'UTC'"
        self._run(lambda connection: connection.execute(statement, [session]))

    def store_actions(self, actions: Iterable[CorporateAction], *, adjusted_through: date) -> int:
        """Keep corporate actions, see `BarStore.store_actions`."""
        told = tell(actions, adjusted_through)
        return self._run(lambda connection: add_actions(connection, told)) if told else 0

    def query(
        self,
        symbols: Sequence[str] | None,
        start: date | datetime,
        end: date | datetime,
        interval: BarInterval = BarInterval.DAY,
        *,
        as_of: date | None = None,
    ) -> pd.DataFrame:
        """Return bars, see `BarStore.query`."""
        return self._read(TABLES[interval].name, symbols, start, end, as_of)

    def hours_of_minutes(
        self, symbols: Sequence[str] | None, start: date | datetime, end: date | datetime
    ) -> pd.DataFrame:
        """Return hour bars (clock hours, UTC) made of the minute bars, as `query` does.

        A continuous aggregate of TimescaleDB, else a view. The last hour may be unfinished.
        """
        return self._read(HOURS_OF_MINUTES, symbols, start, end, None)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _read(
        self,
        relation: LiteralString,
        symbols: Sequence[str] | None,
        start: date | datetime,
        end: date | datetime,
        as_of: date | None,
    ) -> pd.DataFrame:
        wanted = wanted_symbols(symbols)
        first, last = time_span(start, end)

        def read(low: datetime, high: datetime) -> pd.DataFrame:
            return self._run(lambda connection: _select(connection, relation, wanted, low, high))

        told = self._run(lambda connection: read_actions(connection, wanted))
        known = Knowledge(known_on(last, as_of), in_force(told))
        return adjusted_bars(read(first, last), known, last, read)

    def _run(self, work: Callable[["psycopg.Connection[Any]"], Answer]) -> Answer:
        """Do `work` on the connection; again after a deadlock or a broken connection.

        Everything done here may be done twice, so a commit of unknown outcome is simply repeated.
        """
        with self._lock:
            for attempt in range(ATTEMPTS):
                try:
                    return work(self._connect())
                except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                    broken = self._connection is None or self._connection.broken
                    conflict = isinstance(error, psycopg.errors.DeadlockDetected)
                    if attempt == ATTEMPTS - 1 or not (conflict or (broken and attempt == 0)):
                        raise StoreError(
                            f"PostgreSQL does not answer or refuses: {_first_line(error)}; check "
                            "the address and the server's log"
                        ) from error
                except psycopg.Error as error:
                    raise StoreError(
                        f"PostgreSQL refuses: {_first_line(error)}; check the rights of the user "
                        f"on the schema {self._schema_name!r}"
                    ) from error
            raise AssertionError("the loop returns or raises")

    def _connect(self) -> "psycopg.Connection[Any]":
        if self._connection is None or self._connection.closed:
            connection = psycopg.connect(
                self._conninfo, autocommit=True, connect_timeout=10, application_name="trading"
            )
            try:
                connection.execute("SET TIME ZONE 'UTC'")
                self.schema: Schema = migrate(connection, self._schema_name)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def _check_address(conninfo: str) -> None:
    try:
        psycopg.conninfo.conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        # libpq's sentence quotes what it could not read, which can be the password.
        raise StoreError(
            "the address of the database cannot be read; expected "
            "postgresql://user:password@host/database, with special characters as %XX"
        ) from None


def _describe(number: int, schema: Schema) -> str:
    server = f"PostgreSQL {number // 10_000}.{number % 10_000}"
    if schema.layout == "timescale":
        return f"{server} with TimescaleDB: hypertables, compression, continuous aggregate"
    return f"{server}, partitioned by year and month: {schema.reason}"


def _make_partitions(
    connection: "psycopg.Connection[Any]", table: _Table, periods: list[np.datetime64]
) -> None:
    """Make the partitions that are missing; an empty one that is left behind does no harm."""
    for period in periods:
        name = f"{table.name}_{str(period).replace('-', '_')}"
        found = connection.execute("SELECT to_regclass(%s)", [name]).fetchone()
        if found is not None and found[0] is not None:
            continue
        first, after = (str(p.astype("datetime64[D]")) for p in (period, period + 1))
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [name])
            connection.execute(
                sql.SQL(
                    "CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})"
                ).format(sql.Identifier(name), sql.Identifier(table.name), first, after)
            )


def _lay_over(connection: "psycopg.Connection[Any]", table: _Table, bars: pd.DataFrame) -> int:
    columns = sql.SQL(", ").join(map(sql.Identifier, NAMES))
    typed = sql.SQL(", ").join(
        sql.SQL("{} double precision").format(sql.Identifier(name)) for name in NAMES
    )
    with connection.transaction():
        connection.execute(
            sql.SQL(
                'CREATE TEMPORARY TABLE incoming (at timestamptz, symbol text COLLATE "C", {}, '
                "basis date) ON COMMIT DROP"
            ).format(typed)
        )
        with connection.cursor().copy("COPY incoming FROM STDIN (FORMAT csv)") as copy:
            for left in range(0, len(bars), CHUNK_ROWS):
                copy.write(_to_csv(bars.iloc[left : left + CHUNK_ROWS]))
        done = connection.execute(
            sql.SQL(
                "INSERT INTO {table} AS held (at, symbol, {columns}, basis) "
                "SELECT {time}, symbol, {columns}, basis FROM incoming ORDER BY symbol, at "
                "ON CONFLICT (symbol, at) DO UPDATE "
                "SET ({columns}, basis) = ROW({new}, excluded.basis) "
                "WHERE ({old}) IS DISTINCT FROM ({new})"
            ).format(
                table=sql.Identifier(table.name),
                columns=columns,
                time=sql.SQL(table.time),
                old=sql.SQL(", ").join(sql.Identifier("held", name) for name in NAMES),
                new=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in NAMES),
            )
        )
        return done.rowcount


def _select(
    connection: "psycopg.Connection[Any]",
    relation: LiteralString,
    wanted: list[str] | None,
    first: datetime,
    last: datetime,
) -> pd.DataFrame:
    chosen = sql.SQL("") if wanted is None else sql.SQL(" AND symbol = ANY({})").format(wanted)
    question = sql.SQL(
        "COPY (SELECT extract(epoch FROM at)::bigint, symbol, {columns}, "
        "coalesce(basis, (at AT TIME ZONE 'UTC')::date) FROM {relation} "
        "WHERE at BETWEEN {first}::timestamptz AND {last}::timestamptz{chosen} "
        "ORDER BY symbol, at) "
        "TO STDOUT (FORMAT csv)"
    ).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, NAMES)),
        relation=sql.Identifier(relation),
        first=f"{first.isoformat()}Z",
        last=f"{last.isoformat()}Z",
        chosen=chosen,
    )
    body = io.BytesIO()
    with connection.cursor().copy(question) as copy:
        for piece in copy:
            body.write(piece)
    return _from_csv(body.getvalue())


def _to_csv(bars: pd.DataFrame) -> bytes:
    stamps = pa.array(bars["date"].to_numpy().astype("datetime64[s]"))
    arrays = [
        stamps.cast(pa.timestamp("s", tz="UTC")),
        pa.array(bars["symbol"], type=pa.large_string()),
        *(pa.array(bars[name].to_numpy(), from_pandas=True) for name in FIELDS),
        pa.array(bars["basis"].to_numpy().astype("datetime64[D]")),
    ]
    sink = io.BytesIO()
    table = pa.Table.from_arrays(arrays, names=["at", "symbol", *FIELDS, "basis"])
    pa_csv.write_csv(table, sink, pa_csv.WriteOptions(include_header=False))
    return sink.getvalue()


def _from_csv(body: bytes) -> pd.DataFrame:
    if not body:
        return with_basis(empty_bars(), None)
    types = {"at": pa.int64(), "symbol": pa.large_string(), "basis": pa.date32()}
    types |= {name: pa.float64() for name in FIELDS}
    table = pa_csv.read_csv(
        pa.BufferReader(body),
        read_options=pa_csv.ReadOptions(column_names=["at", "symbol", *FIELDS, "basis"]),
        convert_options=pa_csv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=False
        ),
    )
    stamps = table["at"].to_numpy().astype("datetime64[s]")
    symbol = pd.Series(table["symbol"].combine_chunks(), dtype="str")
    values = {name: table[name].to_numpy() for name in FIELDS}
    basis = table["basis"].to_numpy().astype("datetime64[s]")
    return pd.DataFrame({"date": stamps, "symbol": symbol, **values, "basis": basis}, copy=False)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
