import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.notifications.month_example import example_verdict
from trading.notifications import wording

finite = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("made", "read"),
    [
        (wording.change(0.0312), "+3.1\u00a0%"),
        (wording.change(-0.0312), "−3.1\u00a0%"),
        (wording.change(-0.0001), "0.0\u00a0%"),
        (wording.change(None), "no data"),
        (wording.share(1.234, 0), "123\u00a0%"),
        (wording.share(None), "no data"),
        (wording.number(1234567.891), "1,234,567.89"),
        (wording.number(-0.001), "0.00"),
        (wording.number(None), "no data"),
        (wording.money(0.5), "0.50"),
        (wording.level(1.0518), "105.18"),
        (wording.interval(0.5192, 0.5876), "51.9 – 58.8\u00a0%"),
        (wording.interval(None, 0.5), "no data"),
        (wording.month_name("2026-01"), "January 2026"),
        (wording.day_name(date(2026, 12, 4)), "4 Dec 2026"),
        (wording.day_name(None), "no data"),
        (wording.sentence("annual return: +1.0%"), "Annual return: +1.0%."),
        (wording.contender_name("low_volatility"), "Low volatility"),
        (wording.figure("p_value", 0.04), "0.040"),
        (wording.figure("names", 61.6), "62"),
        (wording.figure("brand_new", 2), "2.000"),
        (wording.figure("sharpe", None), "no data"),
    ],
)
def test_figures_read_as_they_should(made, read):
    assert made == read


@given(finite)
def test_a_change_reads_back_as_what_it_was(value):
    text = wording.change(value, 2)

    number = float(re.sub("[^0-9.−+-]", "", text).replace("−", "-"))

    assert number == pytest.approx(100 * value, abs=0.00501)
    assert not re.match(r"[−+]0\.00\D", text)


def test_the_evidence_holds_every_figure_of_every_contender_once():
    verdict = example_verdict()
    tables = wording.evidence(verdict, columns=6)

    heads = [head for table in tables for head in table.head]
    assert len(heads) == len(set(heads)) == len(verdict.figures["candidate"]) - 1
    assert max(len(table.head) for table in tables) <= 6
    for table in tables:
        assert [row[0] for row in table.rows][:2] == ["Challenger", "Champion"]
        assert len(table.rows) == len(verdict.figures)
        assert all(len(row) == len(table.head) + 1 for row in table.rows)
