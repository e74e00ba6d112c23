"""`trading universe`: make a universe, show it, say what moved, replay its rebalances."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from trading.cli.home import Home
from trading.cli.options import DAY, AsJson
from trading.cli.output import DONE, NOTHING_TO_DO, console, print_json, result, table
from trading.config import load_settings
from trading.data.store import open_store
from trading.errors import ConfigurationError, DataError, NotFoundError
from trading.month.universe_table import UniverseTable
from trading.universe.iwv import read_iwv
from trading.universe.listing import read_listings
from trading.universe.membership import read_candidates
from trading.universe.rebalance import Rebalance, rebalance, replay
from trading.universe.reconstitution import ReconstitutionRules, reconstitute
from trading.universe.slots import SlotMap, SlotState
from trading.universe.versions import UniverseVersions

app = typer.Typer(help="Who is in the universe, in which slot, since when.", no_args_is_help=True)
DAY_IN_NAME = re.compile(r"\d{4}-\d{2}-\d{2}")
RUSSELL_3000, SHOWN = "russell-3000", 12

Name = Annotated[str, typer.Option(help="Name of the universe, such as russell-3000.")]
Store = Annotated[
    str | None,
    typer.Option(help="Folder or s3://bucket/prefix of the versions (default: below the home)."),
]
Table = Annotated[
    str | None,
    typer.Option(
        "--table",
        envvar="TRADING_LEDGER_TABLE",
        help="DynamoDB table that gets the metadata of a kept version (default: none).",
    ),
]
On = Annotated[
    datetime | None,
    typer.Option(formats=DAY, help="The version in force on this day (default: last)."),
]


@app.command("build")
def build_command(
    iwv: Annotated[
        Path | None, typer.Option(help="An iShares IWV holdings file: the members as published.")
    ] = None,
    listing: Annotated[
        Path | None, typer.Option(help="A listing snapshot: rank companies by market cap.")
    ] = None,
    members: Annotated[
        Path | None,
        typer.Option(help="With --listing: rank only these (a CSV of spells, or of symbols)."),
    ] = None,
    count: Annotated[
        int | None, typer.Option(help="Companies that are in (3000; with --members 100).")
    ] = None,
    share_classes: Annotated[
        str | None, typer.Option(help="all, or primary: one class a company (with --members).")
    ] = None,
    capitalisation: Annotated[
        str, typer.Option(help="What the snapshot gives for a class: company or class.")
    ] = "company",
    country: Annotated[
        list[str] | None, typer.Option(help="Accepted country; may be repeated; '' for all.")
    ] = None,
    published: Annotated[
        Path | None,
        typer.Option(help="With --listing: an earlier IWV file; whom it holds counts as American."),
    ] = None,
    band: Annotated[
        float, typer.Option(help="Incumbents stay within count x (1 + band); 0: no band.")
    ] = 0.0,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=DAY, help="Date of a file that has none."),
    ] = None,
    name: Name = RUSSELL_3000,
    store: Store = None,
    table_name: Table = None,
    as_json: AsJson = False,
) -> int:
    """Make the next version from published holdings or by market capitalisation.

    Exit code 3: this version is kept already.
    """
    if (iwv is None) == (listing is None):
        raise ConfigurationError("give either --iwv or --listing, one of them")
    versions = _versions(store, name, table_name)
    day = as_of.date() if as_of else None
    if listing is not None:
        rules = _rules(members is not None, count, share_classes, capitalisation, country, band)
        done, told = _by_size(versions, listing, members, published, rules, day)
    else:
        done, told = _as_published(versions, iwv or Path(), day)
    known = done.slots.as_of in versions.dates()
    versions.keep(done)
    _tell(done, told, as_json=as_json)
    return NOTHING_TO_DO if known else DONE


def _as_published(
    versions: UniverseVersions, file: Path, day: date | None
) -> tuple[Rebalance, dict[str, Any]]:
    held = read_iwv(file, day or _date_in(file))
    previous = versions.before(held.as_of)
    settings = load_settings().universe
    done = rebalance(previous, held.symbols, held.as_of, settings, source=file.name)
    return done, {"excluded": dict(held.excluded)}


def _by_size(
    versions: UniverseVersions,
    listing: Path,
    members: Path | None,
    published: Path | None,
    rules: ReconstitutionRules,
    day: date | None,
) -> tuple[Rebalance, dict[str, Any]]:
    snapshot = read_listings(listing, day)
    previous = versions.before(snapshot.as_of)
    made = reconstitute(
        snapshot,
        rules,
        incumbents=previous.active if previous else (),
        published=_published_before(published, snapshot.as_of),
        within=None if members is None else read_candidates(members, snapshot.as_of),
    )
    settings = load_settings().universe
    done = rebalance(previous, made.members, made.as_of, settings, source=listing.name)
    return done, {
        "excluded": dict(made.excluded),
        "without_market_cap": list(made.without_cap),
        "kept_by_band": list(made.kept_by_band),
        "assigned_by_a_published_list": list(made.assigned),
    }


def _published_before(file: Path | None, as_of: date) -> tuple[str, ...]:
    """Return the members of an earlier published list; raises `DataError` for a later one."""
    if file is None:
        return ()
    held = read_iwv(file, _date_in(file))
    if held.as_of > as_of:
        raise DataError(
            f"--published {file.name} is of {held.as_of}, after the snapshot of {as_of}, when it "
            "was not known; give an earlier one"
        )
    return held.symbols


@app.command("rebalance")
def rebalance_command(
    files: Annotated[list[Path], typer.Argument(help="IWV holdings files of several dates.")],
    name: Name = RUSSELL_3000,
    store: Store = None,
    table_name: Table = None,
    as_json: AsJson = False,
) -> int:
    """Replay published lists in the order of their dates, and keep every version.

    A file without a date inside takes the one in its name. Dates that are kept already are passed
    over; exit code 3: all were.
    """
    versions = _versions(store, name, table_name)
    kept = set(versions.dates())
    lists = [read_iwv(file, _date_in(file)) for file in files]
    new = [(held.as_of, held.symbols, held.as_of.isoformat()) for held in lists]
    new = [entry for entry in new if entry[0] not in kept]
    if not new:
        console.print("every one of these dates is kept already")
        return NOTHING_TO_DO
    previous = versions.before(min(entry[0] for entry in new))
    steps: list[Rebalance] = []
    for step in replay(new, load_settings().universe, previous):
        versions.keep(step)
        steps.append(step)
    if as_json:
        print_json({"universe": name, "rebalances": [step.to_dict() for step in steps]})
        return DONE
    shown = table("Rebalances", "as of", "active", "kept", "to archive", "added", "returned",
                  "freed", "churn", right=("active", "kept", "to archive", "added", "returned",
                                           "freed", "churn"))  # fmt: skip
    for step in steps:
        row = step.to_dict()
        names = ("active", "kept", "moved_to_archive", "added", "returned_to_their_slot", "freed")
        shown.add_row(row["as_of"], *(str(row[n]) for n in names), f"{row['churn_percent']:.1f} %")
    result.print(shown)
    return DONE


@app.command("show")
def show_command(
    on: On = None, name: Name = RUSSELL_3000, store: Store = None, as_json: AsJson = False
) -> int:
    """Show the members and their slots."""
    try:
        slots = _versions(store, name).slots(on.date() if on else None)
    except NotFoundError as error:
        console.print(str(error))
        return NOTHING_TO_DO
    if as_json:
        print_json({"universe": name, **_slots_document(slots)})
        return DONE
    result.print(
        f"{name} as of {slots.as_of} (version {slots.version}): {len(slots.active)} active, "
        f"{len(slots.archived)} archived, {len(slots.slots)} slots"
    )
    shown = table("", "slot", "symbol", "state", "since", "removed", right=("slot",))
    held = [slot for slot in slots.slots if slot.symbol]
    for slot in held:
        shown.add_row(str(slot.index), slot.symbol, slot.state.value, str(slot.since or ""),
                      str(slot.removed or ""))  # fmt: skip
    result.print(shown)
    return DONE


@app.command("report")
def report_command(
    on: On = None, name: Name = RUSSELL_3000, store: Store = None, as_json: AsJson = False
) -> int:
    """Show what the rebalance of a version moved."""
    try:
        report = _versions(store, name).report(on.date() if on else None)
    except NotFoundError as error:
        console.print(str(error))
        return NOTHING_TO_DO
    if as_json:
        print_json({"universe": name, **report})
    else:
        _print_report(report)
    return DONE


def _rules(
    of_members: bool,
    count: int | None,
    share_classes: str | None,
    capitalisation: str,
    country: Sequence[str] | None,
    band: float,
) -> ReconstitutionRules:
    classes: Literal["all", "primary"] = "primary" if of_members else "all"
    if share_classes not in {None, "all", "primary"} or capitalisation not in {"company", "class"}:
        raise ConfigurationError(
            "--share-classes is all or primary, --capitalisation is company or class; found "
            f"{share_classes!r} and {capitalisation!r}"
        )
    if share_classes is not None:
        classes = "all" if share_classes == "all" else "primary"
    countries = ("United States",) if country is None else tuple(c for c in country if c)
    return ReconstitutionRules(
        companies=(100 if of_members else 3000) if count is None else count,
        share_classes=classes,
        capitalisation="class" if capitalisation == "class" else "company",
        countries=countries,
        band=band,
    )


def _versions(store: str | None, name: str, table: str | None = None) -> UniverseVersions:
    place = store or str(Home.from_environment().path / "universes")
    metadata = UniverseTable(table) if table else None
    return UniverseVersions(open_store(place), name, metadata)


def _date_in(file: Path) -> date | None:
    found = DAY_IN_NAME.search(file.name)
    return date.fromisoformat(found[0]) if found else None


def _slots_document(slots: SlotMap) -> dict[str, Any]:
    return {
        "as_of": slots.as_of.isoformat(),
        "version": slots.version,
        "active": len(slots.active),
        "archive": len(slots.archived),
        "slots": [
            {"slot": s.index, "symbol": s.symbol, "state": s.state.value, "since": s.since,
             "removed": s.removed}
            for s in slots.slots
            if s.state is not SlotState.PADDING
        ],
    }  # fmt: skip


def _tell(done: Rebalance, told: Mapping[str, Any], *, as_json: bool) -> None:
    report = done.to_dict() | dict(told)
    if as_json:
        print_json(report)
        return
    _print_report(report)
    for reason, lines in told["excluded"].items():
        result.print(f"  left out, {reason}: {lines}", markup=False)
    if unknown := told.get("without_market_cap"):
        result.print(f"  without a market capitalisation: {_some(unknown)}", markup=False)
    if assigned := told.get("assigned_by_a_published_list"):
        result.print(f"  American by a published list {len(assigned)}: {_some(assigned)}",
                     markup=False)  # fmt: skip


def _print_report(report: Mapping[str, Any]) -> None:
    result.print(
        f"as of {report['as_of']} from {report['source']} (version {report['version']}): "
        f"{report['active']} active, {report['archive']} archived, {report['empty']} empty slots",
        markup=False,
    )
    result.print(f"  kept {report['kept']}, churn {report['churn_percent']:.2f} %", markup=False)
    for words, field in (
        ("moved to archive", "archived"),
        ("added", "added"),
        ("back in their slot", "returned"),
        ("freed", "freed"),
        ("left out", "left_out"),
    ):
        symbols = report["symbols"][field]
        result.print(f"  {words} {len(symbols)}: {_some(symbols)}".rstrip(": "), markup=False)


def _some(symbols: Sequence[str]) -> str:
    more = len(symbols) - SHOWN
    return ", ".join(symbols[:SHOWN]) + (f" and {more} more" if more > 0 else "")
