"""One code path: a paper session and a backtest over the same bars do the same."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paper_parity import assert_alike, run_backtest, run_paper
from random_sessions import random_feed, session_settings, session_sleeves

from trading.backtest.engine import Sleeve
from trading.session.settings import SessionSettings

QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


def check(
    seed: int, per_session: int, sleeves: list[Sleeve], rules: SessionSettings, bars: int
) -> None:
    feed = random_feed(seed, bars=bars, per_session=per_session)
    result = run_backtest(sleeves, feed, rules)
    with tempfile.TemporaryDirectory() as folder:
        assert_alike(run_paper(Path(folder), sleeves, feed, rules), result)


@settings(max_examples=12, **QUIET)
@given(st.integers(0, 10_000), st.sampled_from([1, 1, 4]), session_sleeves(), session_settings())
def test_a_paper_session_does_what_the_backtest_does(
    seed: int, per_session: int, sleeves: list[Sleeve], rules: SessionSettings
) -> None:
    check(seed, per_session, sleeves, rules, 25)


@pytest.mark.soak
@settings(max_examples=400, **QUIET)
@given(st.integers(0, 10**9), st.sampled_from([1, 1, 4]), session_sleeves(), session_settings())
def test_many_paper_sessions_do_what_the_backtest_does(
    seed: int, per_session: int, sleeves: list[Sleeve], rules: SessionSettings
) -> None:
    check(seed, per_session, sleeves, rules, 40)
