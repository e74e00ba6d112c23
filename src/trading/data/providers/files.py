"""Bars from Parquet and CSV files."""

import asyncio
import gzip
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from trading.config import Settings
from trading.data.cleaning import clean_bars
from trading.data.columns import OPTIONAL, match_columns
from trading.data.parsing import parse_days, parse_numbers
from trading.data.providers.base import FetchResult
from trading.data.report import OUTSIDE_THE_REQUEST, IngestReport
from trading.errors import DataError
from trading.market.bars import FIELDS
from trading.market.calendar import today

PARQUET_ENDINGS = (".parquet", ".pq")
CSV_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
DELIMITERS = (",", ";", "\t", "|")

# Bounds on what a file may ask of the memory: of rows, of a header's characters, and of how many
# times its size a gzip file of text unfolds to (prices: 3 to 10), unless that is little anyway.
MOST_ROWS = 200_000_000
LONGEST_HEADER = 100_000
MOST_UNPACKED, LEAST_UNPACKED = 100, 64 * 1024 * 1024


class FilesProvider:
    """Daily bars of Parquet and CSV files, read together as one source.

    Parameters
    ----------
    files : files, or folders whose `.parquet` and `.csv[.gz]` files are read in the order of their
        names; where two hold the same symbol and day, the later file's row wins and is counted
    settings : what `clean_bars` refuses
    on : the exchange's date; rows of later days are dropped. By default today
    """

    name = "files"
    simulated = False

    def __init__(
        self, files: Sequence[Path], settings: Settings, *, on: date | None = None
    ) -> None:
        self._files = tuple(Path(file) for file in files)
        self._settings = settings
        self._on = on
        self._read: tuple[pd.DataFrame, IngestReport] | None = None

    async def fetch(self, symbols: Sequence[str] | None, start: date, end: date) -> FetchResult:
        """Return the bars from `start` to `end`, both included; `symbols` None means every one.

        Raises `DataError` when a file cannot be read or its bars are refused by `clean_bars`.
        """
        return await asyncio.to_thread(self._fetch, symbols, start, end)

    def last_session(self) -> date | None:
        """Return the last session that the files have; raises `DataError` as `fetch` does."""
        self._read = self._read or self._clean()
        return self._read[1].last

    def _clean(self) -> tuple[pd.DataFrame, IngestReport]:
        files = _expand(self._files)
        frames = [read_bars_file(file) for file in files]
        frame = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
        frames.clear()
        on = self._on or today(self._settings.schedule.timezone)
        source = describe_files(files)
        return clean_bars(frame, source=source, today=on, settings=self._settings)

    def _fetch(self, symbols: Sequence[str] | None, start: date, end: date) -> FetchResult:
        # What last_session read is used once: a fetch is not to hold the bars for good.
        (bars, report), self._read = self._read or self._clean(), None
        dates = bars["date"].to_numpy()
        keep = (dates >= np.datetime64(start, "s")) & (dates <= np.datetime64(end, "s"))
        if symbols is not None:
            keep &= bars["symbol"].isin(list(symbols)).to_numpy()
        if keep.all():
            return FetchResult(bars, (), report)
        kept = bars[keep].reset_index(drop=True)
        if kept.empty:
            raise DataError(
                f"{report.source} holds no bar from {start} to {end}; it runs from "
                f"{report.first} to {report.last}"
            )
        dropped = report.dropped | {OUTSIDE_THE_REQUEST: len(bars) - len(kept)}
        return FetchResult(kept, (), replace(report.describing(kept), dropped=dropped))


def describe_files(files: Sequence[Path]) -> str:
    """Return the files in a few words, by name: the same wherever their folder lies."""
    names = [file.name for file in files]
    if len(names) <= 3:
        return ", ".join(names)
    return f"{names[0]}, {names[1]} and {len(names) - 2} more files"


def read_bars_file(file: Path) -> pd.DataFrame:
    """Return the rows of one file under the names of the bar's fields.

    Columns: `date` datetime64[s], `symbol` str, the others float64, NaN where there is nothing to
    read. A file without a symbol column is the history of the symbol that its name tells
    (`AAPL.csv`). Raises `DataError` when the file is missing, unreadable or lacks a column.
    """
    return _normalised(read_columns(file, optional=OPTIONAL | {"symbol"}), file)


def read_columns(file: Path, *, optional: Collection[str]) -> pd.DataFrame:
    """Return the columns of one file that are fields of a bar, under those names, as they are read.

    Raises `DataError` when the file is missing, empty or unreadable, or lacks a field that is not
    `optional`.
    """
    if not file.is_file():
        raise DataError(f"there is no file {file}")
    if file.stat().st_size == 0:
        raise DataError(f"{file.name} is empty (0 bytes); expected daily bars")
    ending = file.name.lower()
    if not ending.endswith((*PARQUET_ENDINGS, *CSV_ENDINGS)):
        raise DataError(
            f"{file.name} is neither Parquet nor CSV by its name; expected an ending of "
            f"{', '.join((*PARQUET_ENDINGS, *CSV_ENDINGS))}"
        )
    read = _read_parquet if ending.endswith(PARQUET_ENDINGS) else _read_csv
    try:
        table = read(file, optional)
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{file.name} cannot be read ({reason}); it may be truncated: copy or download it again"
        ) from error
    if not table.num_rows:
        raise DataError(f"{file.name} holds no rows; expected daily bars")
    return table.to_pandas(ignore_metadata=True)


def _normalised(raw: pd.DataFrame, file: Path) -> pd.DataFrame:
    columns = {"date": parse_days(raw["date"]).astype("datetime64[s]")}
    if "symbol" in raw:
        symbol = raw["symbol"].astype("str")
    else:
        if raw["date"].duplicated().any():
            raise DataError(
                f"{file.name} lacks the column symbol and has several rows a day, so that it "
                "cannot be the history of one symbol; add the column"
            )
        symbol = pd.Series(file.name.split(".")[0], index=raw.index, dtype="str")
    numbers = {
        name: parse_numbers(raw[name], whole=name == "volume") for name in FIELDS if name in raw
    }
    return pd.DataFrame(columns | {"symbol": symbol} | numbers, copy=False)


def _read_parquet(file: Path, optional: Collection[str]) -> pa.Table:
    metadata = pq.read_metadata(file)
    if metadata.num_rows > MOST_ROWS:
        raise DataError(
            f"{file.name} says that it holds {metadata.num_rows:,} rows; daily bars of every share "
            f"ever listed are fewer than {MOST_ROWS:,}: it is damaged, or made to exhaust memory"
        )
    schema = metadata.schema.to_arrow_schema()
    found = match_columns(schema.names, file.name, optional=optional)
    names = [str(name) for name in found.values()]
    dictionary = [str(found["symbol"])] if "symbol" in found else []
    table = pq.read_table(file, columns=names, read_dictionary=dictionary, partitioning=None)
    table = table.select(names).rename_columns(list(found))
    if pa.types.is_date(table.schema.field("date").type):
        # Days as numpy stamps, not as millions of Python objects.
        days = table["date"].cast(pa.timestamp("s"))
        table = table.set_column(table.schema.get_field_index("date"), "date", days)
    return table


def _read_csv(file: Path, optional: Collection[str]) -> pa.Table:
    packed = file.name.lower().endswith(".gz")
    if packed:
        _refuse_bomb(file)
    with (gzip.open if packed else open)(file, "rt", encoding="utf-8-sig") as text:
        header = text.readline(LONGEST_HEADER)
    delimiter = max(DELIMITERS, key=header.count)
    names = [name.strip().strip('"') for name in header.rstrip("\r\n").split(delimiter)]
    found = match_columns(names, file.name, optional=optional)
    try:
        table = _parse_csv(file, delimiter, names, found, pa.float64())
    except pa.ArrowInvalid:
        # Some number is not one: read text and let the cleaning count the bad values.
        table = _parse_csv(file, delimiter, names, found, pa.string())
    return table.rename_columns(list(found))


def _refuse_bomb(file: Path) -> None:
    """Raise `DataError` when a gzip file unfolds to far more than prices do."""
    allowed = max(LEAST_UNPACKED, MOST_UNPACKED * file.stat().st_size)
    unpacked = 0
    with gzip.open(file, "rb") as stream:
        while chunk := stream.read(1 << 20):
            unpacked += len(chunk)
            if unpacked > allowed:
                raise DataError(
                    f"{file.name} unfolds to more than {MOST_UNPACKED} times its size, which no "
                    "prices do: it is damaged, or made to exhaust memory"
                )


def _parse_csv(
    file: Path,
    delimiter: str,
    header: list[str],
    found: dict[str, object],
    number: pa.DataType,
) -> pa.Table:
    # Days and symbols stay text: Arrow would move zoned stamps to UTC, and read NA as null.
    types = {str(name): number if field in FIELDS else pa.string() for field, name in found.items()}
    return pyarrow.csv.read_csv(
        file,
        read_options=pyarrow.csv.ReadOptions(column_names=header, skip_rows=1),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=types, include_columns=list(types), strings_can_be_null=False
        ),
    )


def _expand(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                file
                for file in path.iterdir()
                if file.name.lower().endswith((*PARQUET_ENDINGS, *CSV_ENDINGS))
            )
            if not inside:
                raise DataError(f"the folder {path} holds no Parquet or CSV file")
            files += inside
        else:
            files.append(path)
    if not files:
        raise DataError("no file was named; expected Parquet or CSV files of daily bars")
    return files
