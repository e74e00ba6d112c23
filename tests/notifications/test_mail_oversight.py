"""What is watched beside the signals, as the mail tells it: drift, shadows, corrections."""

import html
import re
from typing import Any

from month_example import example_report

from trading.config import NotificationSettings
from trading.notifications.mail import DRIFT_ROWS, render
from trading.notifications.wording import drift_note
from trading.signals.oversight import DriftFinding, DriftSummary, ShadowSummary

DRIFTED = tuple(
    DriftFinding(
        name=f"f{i}", kind="feature", psi=0.9, psi_limit=0.3, drifted=True, reason=f"f{i}: 0.90 <>"
    )
    for i in range(DRIFT_ROWS + 3)
)
WARNING = DriftSummary(
    verdict="warn", reason="11 of 34 figures lie outside", reference_months=36, findings=DRIFTED
)
SHADOWS = (
    ShadowSummary(version="a" * 16, month="2026-11"),
    ShadowSummary(
        version="b" * 16, month="2026-09", months=2, net_return=0.0123, champion_return=-0.004
    ),
    ShadowSummary(version="c" * 16, month="2026-08", scored=False, reason="other features"),
)


def told(**changes: Any) -> tuple[str, str, str]:
    """Return subject, plain text and the words of the HTML of a changed report."""
    report = example_report().model_copy(update=changes)
    message = render(report, NotificationSettings(), "a@trading.example")
    plain = message.get_body(("plain",))
    page = message.get_body(("html",))
    assert plain is not None
    assert page is not None
    words = html.unescape(re.sub(r"<[^>]+>", " ", page.get_content()))
    return str(message["Subject"]), plain.get_content(), re.sub(r"\s+", " ", words)


def test_a_drift_warning_names_the_first_of_what_drifted() -> None:
    _, text, page = told(drift=WARNING)
    for part in (text, page):
        assert "Drift warning: 11 of 34 figures lie outside." in part
        for finding in DRIFTED[:DRIFT_ROWS]:
            assert finding.reason in part
        assert DRIFTED[DRIFT_ROWS].reason not in part


def test_without_a_warning_the_mail_says_what_was_found() -> None:
    calm = WARNING.model_copy(update={"verdict": "ok", "findings": ()})
    assert "No drift: 0 figures are like those of the 36 months" in told(drift=calm)[1]
    empty = DriftSummary(verdict="no data", reason="the check failed: States.Timeout")
    assert "Drift: no data. The check failed: States.Timeout." in told(drift=empty)[2]
    assert drift_note(None) in told()[1]


def test_every_shadow_is_told_with_its_figures_or_why_there_are_none() -> None:
    _, text, page = told(shadow=SHADOWS)
    for part in (text, page):
        for shadow in SHADOWS:
            assert shadow.version in part
        assert "no outcome yet" in part
        assert "+1.2" in part
        assert "−0.4" in part
        assert "not scored: other features" in part
    assert "in shadow" not in told()[1]


def test_a_correction_is_said_first() -> None:
    subject, text, page = told(correction="the signals mailed before were withdrawn: wrong bars")
    assert subject.startswith("[CORRECTED] ")
    assert text.index("CORRECTION: ") < text.index("SIGNALS\n")
    assert "withdrawn: wrong bars" in page
    assert "CORRECT" not in told()[0] + told()[1]
