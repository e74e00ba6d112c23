import pytest
from pydantic import ValidationError

from tests.notifications.month_example import example_history, example_report, example_verdict
from trading.errors import DataError
from trading.signals.report import GateVerdict, ModelSummary, MonthReport, PortfolioSummary
from trading.strategy.signals import Action


def test_a_report_survives_its_json_byte_for_byte():
    report = example_report()

    body = report.to_json()

    assert MonthReport.from_json(body) == report
    assert MonthReport.from_json(body).to_json() == body


def test_a_broken_report_is_refused_with_the_place():
    body = example_report().to_json().replace(b'"environment": "dev"', b'"environment": 7')

    with pytest.raises(DataError, match="not readable at environment"):
        MonthReport.from_json(body)
    with pytest.raises(DataError, match="not readable at its top level"):
        MonthReport.from_json(b"half a fi")


def test_signals_come_ranked_and_unranked_last():
    report = example_report(signals=tuple(reversed(example_report().signals)))

    sells = report.with_action(Action.SELL)

    ranks = [signal.rank for signal in sells]
    assert ranks[-1] is None
    assert ranks[:-1] == sorted(ranks[:-1])
    assert report.counts == {Action.BUY: 9, Action.SELL: 8, Action.HOLD: 59}


def test_the_largest_changes_are_the_largest():
    report = example_report()
    top = report.largest_changes(5)
    others = {s.symbol: s for s in report.signals if s not in top}

    assert len(top) == 5
    assert min(abs(s.change) for s in top) >= max(abs(s.change) for s in others.values())


@pytest.mark.parametrize(
    ("kind", "promoted", "judged", "words"),
    [
        ("ensemble", False, True, "Challenger rejected: champion kept."),
        ("baseline", False, True, "Challenger rejected: baseline strategy in place."),
        ("ensemble", True, True, "Challenger promoted"),
        ("ensemble", False, False, "No challenger was judged"),
    ],
)
def test_the_outcome_is_told_in_plain_words(kind, promoted, judged, words):
    report = example_report(
        model=ModelSummary(version="v", kind=kind, promoted=promoted),
        verdict=example_verdict(passed=promoted) if judged else None,
    )

    assert report.outcome.startswith(words)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"last_session": example_report().as_of}, "must lie before"),
        ({"signals": example_report().signals[:1] * 2}, "two signals of one symbol"),
        ({"month": "2026-12", "portfolio": PortfolioSummary()}, "signals of 2026-11"),
        (
            {"portfolio": PortfolioSummary(history=example_history()[:-1])},
            "the history ends in 2026-10",
        ),
    ],
)
def test_a_report_of_two_months_is_refused(changes, complaint):
    with pytest.raises(ValidationError, match=complaint):
        example_report(**changes)


def test_a_history_out_of_order_is_refused():
    with pytest.raises(ValidationError, match="each month once"):
        PortfolioSummary(history=tuple(reversed(example_history())))


def test_a_verdict_is_read_whatever_else_it_holds():
    verdict = GateVerdict.from_json(
        {
            "passed": False,
            "reasons": ["Too few months."],
            "checks": [
                {"name": "months", "value": 3, "threshold": 6, "passed": False, "more": [1, 2]}
            ],
            "figures": {"candidate": {"sharpe": 0.4, "monthly": [0.1, 0.2], "calmar": None}},
            "version": 3,
        }
    )

    assert verdict.checks[0].value == 3
    assert verdict.figures == {"candidate": {"sharpe": 0.4, "calmar": None}}
