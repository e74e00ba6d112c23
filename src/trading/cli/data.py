"""`trading data`: judge whether market data are good enough to decide on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.markup import escape

from trading.cli.lake_repairs import repairs_command
from trading.cli.lake_upkeep import copy_command, delisted_command, rebuild_command
from trading.cli.options import AsJson
from trading.cli.output import DONE, FAILED, console, print_json, result
from trading.config import Settings, load_settings
from trading.data.actions.columns import read_action_columns, symbol_of_file
from trading.data.cleaning import clean_bars
from trading.data.lake import Lake
from trading.data.providers.files import describe_files, read_bars_file
from trading.data.quality import HistoryReport, QualityVerdict, check_bars
from trading.data.quality.history import refused
from trading.data.quality.page import quality_page
from trading.data.quality.rows import check_rows
from trading.data.repairs import Repair, repair_bars
from trading.data.store.location import open_store
from trading.errors import DataError
from trading.market.calendar import FIRST_DAY, LAST_DAY, sessions_between, today
from trading.market.panel import SessionArray

app = typer.Typer(help="Check market data.", no_args_is_help=True)
COLOUR = {"pass": "green", "warn": "yellow", "fail": "red"}
SEVERITY_COLOUR = {"error": "red", "warning": "yellow", "info": "dim"}
MOST_REPAIRS = 10
# Files with a larger share of days off the exchange's calendar may follow one of these.
FOREIGN_SHARE = 0.01
EXCHANGES = (
    *("XLON", "XETR", "XPAR", "XMIL", "XMAD", "XSTO", "XTSE", "XTSX"),
    *("XHKG", "XASX", "XJSE"),
)
app.command("rebuild")(rebuild_command)
app.command("copy")(copy_command)
app.command("delisted")(delisted_command)
app.command("repairs")(repairs_command)


@app.callback()
def data() -> None:
    """Check market data, and keep a lake in order."""


@dataclass(frozen=True)
class Checked:
    """What a check found, and which repairs could be made; nothing is written."""

    report: HistoryReport
    repairs: tuple[Repair, ...]
    quarantined: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return self.report.to_dict() | {
            "repairs": [repair.to_dict() for repair in self.repairs],
            "quarantined": self.quarantined,
        }


@app.command("check")
def check_command(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Parquet or CSV files of daily bars.")
    ] = None,
    lake: Annotated[
        str | None, typer.Option(help="A lake instead: a folder or s3://bucket/prefix.")
    ] = None,
    exchange: Annotated[
        str | None, typer.Option(help="Whose calendar the bars follow, as XLON.")
    ] = None,
    page: Annotated[Path | None, typer.Option("--html", help="Write a page to read here.")] = None,
    document: Annotated[Path | None, typer.Option("--out", help="Write the JSON here.")] = None,
    as_json: AsJson = False,
) -> int:
    """Judge files or a lake: findings by severity, a verdict, the repairs that could be proved.

    Dividends and splits in columns of the files are used as declared. Exit code 1: the verdict is
    fail.
    """
    settings = load_settings(overrides={"data": {"exchange": exchange}} if exchange else {})
    if bool(files) == bool(lake):
        raise DataError("expected either files or --lake; found " + ("both" if lake else "neither"))
    if lake:
        checked = check_lake(lake, settings)
    else:
        checked = check_files(files or (), settings, guess_exchange=exchange is None)
    if page is not None:
        _write(page, quality_page(checked.report, checked.repairs))
    if document is not None:
        _write(document, json.dumps(checked.to_dict(), indent=1, allow_nan=False) + "\n")
    if as_json:
        print_json(checked.to_dict())
    else:
        _show(checked)
    return FAILED if checked.report.verdict is QualityVerdict.FAIL else DONE


def check_files(
    files: Sequence[Path], settings: Settings, *, guess_exchange: bool = False
) -> Checked:
    """Judge files read together; raises `DataError` when one cannot be read.

    `guess_exchange` judges files that plainly follow another exchange's calendar by that one.
    Rows that the cleaning refuses are judged as rows: the verdict is fail, with the reason.
    """
    frames = [_named(read_bars_file(file), file) for file in files]
    rows = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    actions = tuple(action for file in files for action in read_action_columns(file))
    source, day = describe_files(files), today(settings.schedule.timezone)
    if guess_exchange:
        settings = _of_their_exchange(rows, settings)
    found = check_rows(rows, today=day, settings=settings)
    any_number = settings.data.model_copy(update={"min_symbols": 1})
    try:
        bars, _ = clean_bars(
            rows,
            source=source,
            today=day,
            settings=settings.model_copy(update={"data": any_number}),
        )
    except DataError as error:
        return Checked(refused(source, rows=len(rows), findings=found, reason=str(error)), (), {})
    report = check_bars(bars, actions, settings.data, source=source, rows_findings=found)
    return Checked(report, repair_bars(bars, actions, settings.data.quality).repairs, {})


def _of_their_exchange(rows: pd.DataFrame, settings: Settings) -> Settings:
    """Return the settings with the exchange whose sessions the rows follow best.

    Nothing changes while hardly any day is off the calendar of `data.exchange`.
    """
    days = np.unique(rows["date"].to_numpy().astype("datetime64[D]"))
    days = days[~np.isnat(days) & (days >= np.datetime64(FIRST_DAY))]
    days = days[days <= np.datetime64(LAST_DAY)]
    own = settings.data.exchange
    if not len(days) or _off_calendar(days, own)[0] <= FOREIGN_SHARE * len(days):
        return settings
    best = min((own, *EXCHANGES), key=lambda name: sum(_off_calendar(days, name)))
    if best == own:
        return settings
    console.print(f"the days are more like those of {best} than of {own}: judged by its calendar")
    data = settings.data.model_copy(update={"exchange": best})
    return settings.model_copy(update={"data": data})


def _off_calendar(days: SessionArray, exchange: str) -> tuple[int, int]:
    """Return how many days are no session, and how many sessions are no day."""
    first, last = days[0].astype(object), days[-1].astype(object)
    sessions = sessions_between(first, last, exchange)
    return len(np.setdiff1d(days, sessions)), len(np.setdiff1d(sessions, days))


def _named(rows: pd.DataFrame, file: Path) -> pd.DataFrame:
    """Give the rows of a file without symbols the symbol that its name begins with."""
    if (rows["symbol"] == file.name.split(".")[0]).all():
        return rows.assign(symbol=symbol_of_file(file))
    return rows


def check_lake(location: str, settings: Settings) -> Checked:
    """Judge everything that a lake serves; raises `DataError` when it serves nothing."""
    lake = Lake(open_store(location))
    bars = lake.bars(None, before=date.max)
    if bars.empty:
        raise DataError(f"{location} serves no bars; expected a lake: a folder with catalog.json")
    actions = lake.corporate_actions(before=date.max)
    report = check_bars(bars, actions, settings.data, source=location)
    hidden = {day.isoformat(): why for day, why in lake.quarantined().items()}
    return Checked(report, repair_bars(bars, actions, settings.data.quality).repairs, hidden)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write {path} ({error}); choose another place") from error
    console.print(f"wrote {escape(str(path))}")


def _show(checked: Checked) -> None:
    report = checked.report
    verdict = report.verdict.value
    span = f", {report.first} to {report.last}" if report.first else ""
    result.print(
        f"[bold {COLOUR[verdict]}]{verdict}[/]  {escape(report.source)}: {report.rows:,} bars of "
        f"{report.symbols:,} symbols, {report.sessions:,} sessions{span}",
        soft_wrap=True,
    )
    for reason in report.reasons:
        result.print(f"  {escape(reason)}", soft_wrap=True)
    for finding in report.findings:
        severity = finding.severity.value
        result.print(
            f"\n[{SEVERITY_COLOUR[severity]}]{severity:<8}[/][bold]"
            f"{finding.kind.value.replace('_', ' ')}[/]  {escape(finding.sentence)}",
            soft_wrap=True,
        )
        told = "; ".join(" ".join(filter(None, example)) for example in finding.examples[:5])
        if told:
            result.print(f"        {escape(told)}", soft_wrap=True)
    for repair in checked.repairs[:MOST_REPAIRS]:
        result.print(
            f"\ncan be repaired: {escape(repair.symbol)}, {repair.first} to {repair.last}, "
            f"{repair.kind.value.replace('_', ' ')}: {escape(repair.evidence)}",
            soft_wrap=True,
        )
    if len(checked.repairs) > MOST_REPAIRS:
        result.print(f"and {len(checked.repairs) - MOST_REPAIRS:,} repairs more (--json)")
    for day, why in checked.quarantined.items():
        result.print(f"\nquarantined: {day}: {escape(why)}", soft_wrap=True)
