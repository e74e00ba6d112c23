"""Judge stored sessions again, as readers see them, and leave a report beside each day.

``data/YYYY/MM/DD/quality.json`` and ``quality.html`` hold the verdict, what was counted, and what
the intake knows: sources, gaps, repairs.
"""

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

import jinja2

from trading.config import Settings
from trading.data.intake.beside import owe, settle
from trading.data.intake.record import SessionRecord, read_record
from trading.data.lake import Lake
from trading.data.quality import QualityReport, QualityVerdict, check_session, enforce
from trading.data.store.bars.location import open_configured_bars
from trading.data.store.base import ObjectStore

TEMPLATE = "session_page.html.j2"
MOST_GAPS = 500


def inspect_sessions(
    store: ObjectStore, sessions: Sequence[date], settings: Settings
) -> tuple[QualityReport, ...]:
    """Judge sessions of the lake, quarantine those that fail, release those that pass again.

    A report is written beside each day that has one: as JSON, and as a page to read. A store of
    bars beside the lake is told of what changed; raises `StoreError` when it cannot be, and the
    next check tells it.
    """
    lake = Lake(store)
    beside = settings.data.store.bars != "lake"
    reports, changed = [], []
    for session in sessions:
        report = check_session(lake, session, settings)
        fails = report.verdict is QualityVerdict.FAIL and bool(report.present)
        if beside and fails != (session in lake.quarantined()):
            owe(store, session)
            changed.append(session)
        enforce(lake, report)
        if report.present:
            _write(store, report)
        reports.append(report)
    if beside:
        with closing(open_configured_bars(settings.data.store, store)) as bars:
            settle(store, bars, changed)
    return tuple(reports)


def quality_page_key(session: date) -> str:
    """Return where the page about a session lies."""
    return f"data/{session:%Y/%m/%d}/quality.html"


def quality_report_key(session: date) -> str:
    """Return where the JSON report about a session lies."""
    return f"data/{session:%Y/%m/%d}/quality.json"


def session_page(report: QualityReport, record: SessionRecord) -> str:
    """Return the report on a session as one HTML page without outside parts."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    counts = {
        "Symbols with a bar": report.present,
        "Expected": report.expected,
        "Missing": report.missing,
        "New": report.new,
        "Large moves": report.outliers,
        "Without trades": report.zero_volume,
        "Unchanged prices": report.unchanged,
        "Hundredfold": report.hundredfold,
        "Impossible bars": report.impossible,
        "Split-shaped jumps": report.split_shaped,
        "Volume spikes": report.volume_spikes,
    }
    return environment.get_template(TEMPLATE).render(
        report=report,
        record=record,
        counts=counts,
        gaps=record.missing[:MOST_GAPS],
        more_gaps=max(0, len(record.missing) - MOST_GAPS),
    )


def _write(store: ObjectStore, report: QualityReport) -> None:
    record, _ = read_record(store, report.session)
    told = report.to_dict() | {"intake": json.loads(record.to_json()) if record.rounds else None}
    store.put(
        quality_report_key(report.session), json.dumps(told, indent=1, sort_keys=True).encode()
    )
    store.put(quality_page_key(report.session), session_page(report, record).encode())
