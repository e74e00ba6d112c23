"""A quality report as a page to read."""

from collections.abc import Sequence
from pathlib import Path

import jinja2

from trading.data.quality.history import HistoryReport
from trading.data.repairs.record import Repair

TEMPLATE = "page.html.j2"


def quality_page(report: HistoryReport, repairs: Sequence[Repair] = ()) -> str:
    """Return a report as one HTML page without outside parts: verdict, findings, repairs."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(report=report, repairs=tuple(repairs))
