"""The metadata of universes in DynamoDB: of the command's versions and of the month's slots."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from month_tables import resources_at

from trading.cli.app import main
from trading.config import UniverseSettings, load_settings
from trading.data.actions.symbols import Listing, SymbolMap
from trading.data.store.folder import FolderStore
from trading.errors import StoreError
from trading.market.bars import FIELDS
from trading.market.calendar import sessions_between
from trading.market.panel import Panel
from trading.month.payloads import MonthRun
from trading.month.resources import Resources
from trading.month.universe import MONTHS, allocate_slots
from trading.month.universe_table import UniverseTable
from trading.universe.rebalance import rebalance
from trading.universe.versions import UniverseVersions

SMALL = UniverseSettings(active=6, archive=3, padding=3, batch=4)


def test_every_kept_version_is_in_the_table(resources: Resources, tmp_path: Path) -> None:
    table = UniverseTable("ledger")
    versions = UniverseVersions(FolderStore(tmp_path / "u"), "russell-3000", table)
    first = rebalance(None, ["A", "B"], date(2024, 1, 1), SMALL, source="one")
    second = rebalance(first.slots, ["B", "C"], date(2024, 7, 1), SMALL, source="two")
    records = [versions.keep(done) for done in (first, second, second)]
    assert table.universes("russell-3000") == tuple(records[:2])
    assert table.universes("sp500-top100") == ()
    # The runs of months share the table and do not see them.
    assert resources.ledger.runs() == []


def test_a_table_that_is_not_there_is_named(resources: Resources, tmp_path: Path) -> None:
    versions = UniverseVersions(FolderStore(tmp_path), "x", UniverseTable("no-such-table"))
    done = rebalance(None, ["A"], date(2024, 1, 1), SMALL)
    with pytest.raises(StoreError, match="in the table no-such-table"):
        versions.keep(done)
    # The slots are kept all the same; the same command again completes it.
    assert versions.dates() == (date(2024, 1, 1),)


def test_the_command_enters_what_it_keeps(
    resources: Resources, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listing = tmp_path / "listing-2025-06-30.csv"
    listing.write_text(
        "as_of,symbol,name,lastsale,volume,marketCap,country\n"
        "2025-06-30,AAA,Aaa Inc. Common Stock,$10,5,900000000,United States\n"
    )
    place = str(tmp_path / "versions")
    with pytest.raises(SystemExit) as ended:
        main(["universe", "build", "--listing", str(listing), "--store", place, "--table",
              "ledger", "--json"])  # fmt: skip
    assert ended.value.code == 0
    made = json.loads(capsys.readouterr().out)
    (record,) = UniverseTable("ledger").universes("russell-3000")
    assert (record.version, record.active, record.as_of) == (made["version"], 1, date(2025, 6, 30))


def panel_of(*symbols: str) -> Panel:
    sessions = sessions_between(date(2022, 3, 1), date(2022, 6, 30))
    values = np.tile(10.0 + np.arange(len(symbols)), (len(sessions), 1))
    return Panel(sessions, symbols, **dict.fromkeys(FIELDS, values))


def test_a_month_enters_its_slots_and_follows_renames(resources: Resources) -> None:
    settings = load_settings(
        environ={}, overrides={"data": {"min_symbols": 1}, "universe": SMALL.model_dump()}
    )
    resources = resources_at(Path(resources.names["TRADING_DATA_STORE"]).parent, settings)

    def run(month: str, as_of: date) -> MonthRun:
        return MonthRun(month=month, as_of=as_of, run=1, execution="e", correlation_id="c")

    june, _ = allocate_slots(panel_of("FB", "OTHER"), run("2022-06", date(2022, 6, 1)), resources)
    symbols = SymbolMap(
        (
            Listing("FB", date(2012, 5, 18), date(2022, 6, 8), "facebook"),
            Listing("META", date(2022, 6, 9), None, "facebook"),
        )
    )
    resources.lake.ingest_symbols(symbols, told=date(2022, 6, 9))
    july, report = allocate_slots(
        panel_of("META", "OTHER"), run("2022-07", date(2022, 7, 1)), resources
    )
    assert july.symbols.index("META") == june.symbols.index("FB")
    assert (report.added, report.archived) == ((), ())
    records = UniverseTable("ledger").universes(MONTHS)
    assert [(r.as_of, r.version) for r in records] == [
        (date(2022, 6, 1), june.version),
        (date(2022, 7, 1), july.version),
    ]
    assert records[0].key == "universe/slots/2022-06.json"
    assert records[0].source == "bars"
