"""The page of a quality report: what comes from data is text, whatever it holds."""

from datetime import date
from html.parser import HTMLParser

from trading.data.quality import FindingKind, Severity
from trading.data.quality.findings import Finding
from trading.data.quality.history import HistoryReport
from trading.data.quality.page import quality_page
from trading.data.quality.verdict import QualityVerdict
from trading.data.repairs import Repair

HOSTILE = "<script>alert(1)</script><img src=x onerror=y>\"'&{{7*7}}{% raw %}"


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_text_stays_text() -> None:
    day = date(2024, 6, 28)
    kind = FindingKind.OUTLIER
    finding = Finding(
        kind, Severity.ERROR, 1, (HOSTILE,), 1, day, day, HOSTILE, ((HOSTILE, HOSTILE, HOSTILE),)
    )
    report = HistoryReport(HOSTILE, 1, 1, 1, day, day, QualityVerdict.FAIL, (HOSTILE,), (finding,))
    repair = Repair(kind, HOSTILE, day, day, 1, (HOSTILE,), 1.0, HOSTILE)
    page = Elements()
    page.feed(quality_page(report, [repair]))
    assert not {"script", "img"} & set(page.tags)
    assert page.attributes <= {"lang", "charset", "name", "content", "class"}
    assert page.text.count(HOSTILE) == 10


def test_a_page_of_nothing_says_so() -> None:
    report = HistoryReport("x", 0, 0, 0, None, None, QualityVerdict.FAIL, ("no bar",), ())
    text = quality_page(report)
    assert "Nothing was found." in text
    assert "None was made." in text
