"""The mail: structure, headers, completeness, hostile input, determinism."""

import re
from email import message_from_bytes, policy
from functools import lru_cache
from html.parser import HTMLParser

import pytest

from tests.notifications.month_example import (
    example_history,
    example_report,
    example_signals,
    example_verdict,
)
from trading.config import NotificationSettings
from trading.errors import ConfigurationError, DataError
from trading.notifications.mail import render, subject
from trading.notifications.preview import to_preview_html
from trading.signals.model import MonthlySignal
from trading.signals.report import (
    DataSummary,
    GateVerdict,
    ModelSummary,
    PortfolioSummary,
)
from trading.strategy.signals import Action

ANALYST = "analyst@trading.example"
SETTINGS = NotificationSettings(
    sender="Signals <signals@trading.example>", unsubscribe="https://trading.example/out?a=1&b=2"
)
GMAIL_CLIPS_AT = 102 * 1024


def mail(report=None, settings=SETTINGS, recipient=ANALYST):
    if report is None and settings is SETTINGS and recipient == ANALYST:
        return usual_mail()
    return render(report or example_report(), settings, recipient)


@lru_cache(maxsize=1)
def usual_mail():
    return render(example_report(), SETTINGS, ANALYST)


def html_of(message):
    return message.get_body(("html",)).get_content()


def text_of(message):
    return message.get_body(("plain",)).get_content()


class Page(HTMLParser):
    """The visible words, tags and images of a page; fails on tags that do not match."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr"})

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.words, self.images, self.links = [], [], [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        attributes = dict(attrs)
        if tag == "img":
            self.images.append(attributes)
        if tag == "a":
            self.links.append(attributes["href"])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


def baseline_first_month(names=100):
    signals = tuple(
        MonthlySignal(
            month="2026-11",
            symbol=f"NAME{i:03d}",
            slot=i,
            action=Action.BUY,
            rank=i + 1,
            score=-0.01 * i,
            confidence=0.5,
            weight=1 / names,
            previous_weight=0.0,
            price=10.0,
            reason=f"Ranked {i + 1} of 2941.",
        )
        for i in range(names)
    )
    first = example_history()[-1].model_copy(
        update={
            "nav": 1.0,
            "benchmark": None,
            "equal_weight": None,
            "net_return": None,
            "benchmark_return": None,
            "equal_weight_return": None,
        }
    )
    return example_report(
        signals=signals,
        model=ModelSummary(version="2026-11-b", kind="baseline", promoted=False),
        portfolio=PortfolioSummary(history=(first,)),
        success=(),
    )


def test_the_structure_is_text_beside_html_with_its_charts():
    message = mail()

    assert message.get_content_type() == "multipart/alternative"
    text, related = message.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert related.get_content_type() == "multipart/related"
    page, *images = related.iter_parts()
    assert page.get_content_type() == "text/html"
    assert [image["Content-ID"] for image in images] == ["<scores>", "<nav>", "<evidence>"]
    for image in images:
        png = image.get_payload(decode=True)
        assert png.startswith(b"\x89PNG")
        assert len(png) < 60_000
        assert image.get_content_disposition() == "inline"
    used = [image["src"] for image in Page(html_of(message)).images]
    assert sorted(used) == ["cid:evidence", "cid:nav", "cid:scores"]
    assert all(image["alt"] for image in Page(html_of(message)).images)


def test_the_headers_are_those_of_a_list_mail():
    message = mail()

    assert message["From"] == "Signals <signals@trading.example>"
    assert message["To"] == ANALYST
    assert message["Date"] == "Mon, 02 Nov 2026 00:00:00 +0000"
    assert message["List-Unsubscribe"] == "<https://trading.example/out?a=1&b=2>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Subject"] == subject(example_report())


def test_one_click_is_promised_only_where_it_can_work():
    """RFC 8058 asks for an HTTPS address; a mailto has no one-click."""
    by_mail = SETTINGS.model_copy(update={"unsubscribe": "mailto:out@trading.example"})

    message = mail(settings=by_mail)

    assert message["List-Unsubscribe"] == "<mailto:out@trading.example>"
    assert message["List-Unsubscribe-Post"] is None


@pytest.mark.parametrize(
    "unsubscribe",
    ["", "http://plain.example", "javascript:alert(1)", 'https://x.example/">', "mailto:a\nBcc: b"],
)
def test_an_unusable_way_to_unsubscribe_is_refused(unsubscribe):
    with pytest.raises(ConfigurationError, match="notifications.unsubscribe"):
        mail(settings=SETTINGS.model_copy(update={"unsubscribe": unsubscribe}))


def test_a_recipient_cannot_add_headers():
    with pytest.raises(ConfigurationError, match="is not a mail address"):
        mail(recipient="a@b.example\r\nBcc: c@d.example")


def test_the_same_report_gives_the_same_bytes_and_another_recipient_another_id():
    first, second = mail(), render(example_report(), SETTINGS, ANALYST)
    other, elsewhere = mail(recipient="b@c.example"), mail(example_report(environment="prod"))

    assert first.as_bytes() == second.as_bytes()
    ids = {message["Message-ID"] for message in (first, other, elsewhere)}
    assert len(ids) == 3
    assert ANALYST not in first["Message-ID"]


def test_the_bytes_parse_back_and_no_line_is_too_long():
    body = mail().as_bytes()

    parsed = message_from_bytes(body, policy=policy.default)

    assert not parsed.defects
    assert text_of(parsed).splitlines() == text_of(mail()).splitlines()
    assert max(map(len, body.split(b"\r\n"))) <= 998
    assert body.isascii()


@pytest.mark.parametrize("report", [example_report(), baseline_first_month()])
def test_text_and_html_both_tell_everything(report):
    message = mail(report)
    page, text = Page(html_of(message)).text, text_of(message)

    for told in (page, text):
        assert report.outcome in told
        assert report.verdict.summary in told
        assert report.model.version in told
        for signal in report.signals:
            assert signal.symbol in told
        for check in report.verdict.checks:
            assert check.reason[1:] in told
        for note in report.data.notes:
            assert note in told
        for rate in report.success:
            assert rate.label in told
        for words in ("not investment advice", "bp commission", report.execution, "95 %"):
            assert words in told
        for figures in report.verdict.figures.values():
            assert figures["label"] in told
            assert f"{figures['sharpe']:.2f}".replace("-", "−") in told
    for signal in report.with_action(Action.BUY, Action.SELL):
        assert signal.reason in text


def test_every_figure_of_a_signal_is_shown():
    page = Page(html_of(mail())).text

    for signal in (*example_report().with_action(Action.BUY), example_signals()[-2]):
        shown = signal.weight or signal.previous_weight
        cells = (signal.rank, f"{signal.confidence:.0%}"[:-1], f"{100 * shown:.2f}", signal.price)
        row = r"\s+".join([signal.symbol, *[re.escape(str(cell)) + r"\D*?" for cell in cells[:3]]])
        assert re.search(row, page), row


def test_a_simulated_market_is_said_first_and_a_real_one_is_not():
    real = example_report(
        data=DataSummary(source="files", simulated=False, symbols=2859, sessions=900)
    )

    assert text_of(mail()).startswith("*** SIMULATED MARKET")
    assert "SIMULATED MARKET" in Page(html_of(mail())).text[:400]
    assert mail()["Subject"].startswith("[SIMULATED] ")
    for told in (text_of(mail(real)), html_of(mail(real)), mail(real)["Subject"]):
        assert "simulated" not in told.lower()


def test_what_is_not_known_is_told_as_no_data_and_drawn_nowhere():
    report = baseline_first_month()
    bare = report.model_copy(update={"verdict": None, "portfolio": PortfolioSummary()})

    message = mail(bare)

    assert [image["src"] for image in Page(html_of(message)).images] == ["cid:scores"]
    for told in (Page(html_of(message)).text, text_of(message)):
        assert told.count("no data") >= 10
        assert "None" not in told.replace("None this month", "")
        assert "nan" not in told.lower().split()
        assert "No challenger was judged" in told


def test_a_month_without_signals_has_a_mail_without_charts_of_them():
    message = mail(example_report(signals=(), verdict=None, portfolio=PortfolioSummary()))

    assert message.get_body(("html",)) is not None
    assert Page(html_of(message)).images == []
    assert text_of(message).count("None this month.") == 3
    assert (
        message.as_bytes()
        == mail(example_report(signals=(), verdict=None, portfolio=PortfolioSummary())).as_bytes()
    )


HOSTILE = "<b>$x^2$</b>&amp;"


def test_hostile_names_stay_names():
    signals = list(example_signals())
    signals[0] = signals[0].model_copy(
        update={"symbol": HOSTILE, "reason": "<script>alert('x')</script> {{ 7*7 }} {% endif %}"}
    )
    verdict = example_verdict().model_copy(update={"summary": '"><img src=x onerror=alert(1)>'})
    message = mail(example_report(signals=tuple(signals), verdict=verdict))

    page = Page(html_of(message))

    assert "script" not in page.tags
    assert len(page.images) == 3
    assert HOSTILE in page.text
    assert "{{ 7*7 }}" in page.text
    assert HOSTILE in text_of(message)


def test_the_largest_mail_is_not_cut_off_by_gmail():
    """All hundred names change at once, the six contenders are all there."""
    buys = baseline_first_month().signals
    sells = tuple(
        signal.model_copy(
            update={
                "symbol": f"SOLD{i:03d}",
                "action": Action.SELL,
                "weight": 0.0,
                "previous_weight": 0.01,
            }
        )
        for i, signal in enumerate(buys)
    )
    message = mail(example_report(signals=buys + sells))

    assert len(html_of(message).encode()) < GMAIL_CLIPS_AT
    assert len(message.as_bytes()) < 400_000


def test_the_layout_needs_no_outside_and_is_fluid():
    html = html_of(mail())
    page = Page(html)

    assert page.links == ["https://trading.example/out?a=1&b=2"]
    assert not re.findall(r'(?:src|href|url\()\s*=?\s*"?https?://(?!trading\.example/out)', html)
    assert "max-width:600px" in html
    assert "prefers-color-scheme: dark" in html
    assert {"script", "link", "iframe", "form"}.isdisjoint(page.tags)


def test_the_preview_shows_the_charts_without_the_mail():
    preview = to_preview_html(mail())

    assert "cid:" not in preview
    assert preview.count('"data:image/png;base64,') == 3
    text_only = mail().get_body(("plain",))
    with pytest.raises(DataError, match="no HTML part"):
        to_preview_html(text_only)


def test_the_subject_counts_the_signals():
    assert subject(example_report()) == (
        "[SIMULATED] Trading signals for November 2026: 9 BUY, 8 SELL, 59 HOLD"
    )


def test_a_verdict_of_the_gate_is_shown_as_it_is():
    """The gate's own records, not a lookalike of them."""
    gate = pytest.importorskip("trading.evaluation.gate")
    known = {"label": "Ensemble", "months": 3, "delisted": 0}
    figures = gate.Figures(**{name: known.get(name) for name in gate.Figures.model_fields})
    verdict = gate.Verdict(
        passed=False,
        summary="Rejected: 1 of 1 checks over 3 out-of-sample months fail.",
        reasons=("3 out-of-sample months, 6 are needed",),
        checks=(
            gate.Check(
                name="months",
                value=3,
                threshold=6,
                passed=False,
                reason="3 out-of-sample months, 6 are needed",
            ),
        ),
        figures={"candidate": figures},
        months=("2026-08", "2026-09", "2026-10"),
        monthly_returns={"candidate": {"2026-08": 0.01}},
        fill="next_close",
    )

    message = mail(example_report(verdict=GateVerdict.from_json(verdict.model_dump(mode="json"))))

    assert "3 out-of-sample months, 6 are needed." in text_of(message)
    assert "cid:evidence" not in html_of(message)
