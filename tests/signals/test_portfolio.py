import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.config import PortfolioSettings
from trading.errors import DataError
from trading.signals.portfolio import capped_weights, rank_limits, select

DEFAULT = PortfolioSettings()


def names(count: int) -> tuple[str, ...]:
    return tuple(f"N{i:04d}" for i in range(count))


def descending(count: int) -> np.ndarray:
    return np.arange(count, 0, -1.0)


def chosen(selection, action: str) -> list[int]:
    return np.flatnonzero(selection.actions == action).tolist()


def pick(scores, held=None, eligible=None, confidence=None, settings=DEFAULT, symbols=None):
    count = len(scores)
    return select(
        scores,
        confidence,
        np.ones(count, dtype=bool) if eligible is None else eligible,
        np.zeros(count) if held is None else held,
        settings,
        names(count) if symbols is None else symbols,
    )


def test_the_first_month_buys_the_best_three_percent():
    found = pick(descending(3000))
    assert chosen(found, "BUY") == list(range(90))
    np.testing.assert_allclose(found.weights[:90], 1 / 90)
    assert found.weights.sum() == pytest.approx(1.0)
    assert (found.limits.buy, found.limits.hold, found.limits.names) == (90, 240, 100)


def test_a_holding_stays_to_the_hold_limit_and_leaves_beyond_it():
    held = np.zeros(3000)
    held[[0, 239, 240]] = 0.01
    found = pick(descending(3000), held)
    assert chosen(found, "HOLD") == [0, 239]
    assert chosen(found, "SELL") == [240]
    assert chosen(found, "BUY") == list(range(1, 90))
    assert found.weights[240] == 0.0


def test_new_names_fill_only_the_places_that_holdings_leave():
    held = np.zeros(3000)
    held[100:195] = 0.01
    found = pick(descending(3000), held)
    assert chosen(found, "HOLD") == list(range(100, 195))
    assert chosen(found, "BUY") == list(range(5))


def test_more_holdings_than_places_lose_the_lowest():
    held = np.zeros(3000)
    held[:110] = 0.009
    found = pick(descending(3000), held)
    assert chosen(found, "SELL") == list(range(100, 110))
    assert "places went to better" in found.reason(105)


@pytest.mark.parametrize("why", ["ineligible", "excluded", "no score"])
def test_a_holding_that_cannot_be_held_is_sold(why):
    scores, eligible, settings = descending(400), np.ones(400, dtype=bool), DEFAULT
    held = np.zeros(400)
    held[0] = 0.02
    if why == "ineligible":
        eligible[0] = False
    elif why == "excluded":
        settings = PortfolioSettings(exclude=("N0000",))
    else:
        scores[0] = np.nan
    found = pick(scores, held, eligible, settings=settings)
    assert found.actions[0] == "SELL"
    assert found.ranks[0] == 0
    assert "cannot be held any longer" in found.reason(0)


def test_ties_are_broken_by_symbol():
    symbols = ("ZZ", "AA", "MM", "BB")
    found = pick(np.zeros(4), symbols=symbols)
    assert [symbols[i] for i in chosen(found, "BUY")] == ["AA", "BB"]
    np.testing.assert_array_equal(found.ranks, [4, 1, 3, 2])


@pytest.mark.parametrize(
    ("ranked", "held"), [(0, 0), (1, 1), (2, 1), (20, 10), (60, 30), (100, 50), (500, 50)]
)
def test_a_small_universe_holds_at_most_half_of_itself(ranked, held):
    found = pick(descending(ranked))
    assert (found.weights > 0).sum() == held
    assert found.weights.sum() == pytest.approx(min(1.0, held * 0.04))


@given(st.integers(0, 4000))
def test_limits_are_ordered_and_within_the_settings(ranked):
    found = rank_limits(ranked, DEFAULT)
    assert 0 <= found.buy <= found.names <= DEFAULT.max_names
    assert found.buy <= found.hold <= ranked
    if ranked >= 100:
        assert found.buy >= DEFAULT.min_names
    if ranked >= 4:
        assert found.hold > found.buy
    if ranked >= 1700:
        assert found.hold == round(0.08 * ranked)


def test_weights_follow_confidence_within_the_tilt():
    confidence = np.linspace(0, 1, 200)
    found = pick(descending(200), confidence=confidence)
    held = found.weights[:50]
    assert (np.diff(held) > 0).all()
    assert found.weights.sum() == pytest.approx(1.0)
    expected = 0.5 + confidence[:50]
    np.testing.assert_allclose(held, expected / expected.sum())
    equal = pick(
        descending(200), confidence=confidence, settings=PortfolioSettings(confidence_tilt=0.0)
    )
    np.testing.assert_allclose(equal.weights[:50], 0.02)


def test_full_tilt_and_no_confidence_at_all_still_give_a_portfolio():
    found = pick(
        descending(200), confidence=np.zeros(200), settings=PortfolioSettings(confidence_tilt=1.0)
    )
    np.testing.assert_allclose(found.weights[:50], 0.02)


@st.composite
def cases(draw):
    count = draw(st.integers(1, 60))
    scores = draw(st.lists(st.integers(-4, 4), min_size=count, max_size=count))
    flags = draw(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=count, max_size=count))
    confidence = draw(st.lists(st.integers(0, 10), min_size=count, max_size=count))
    limits = draw(st.tuples(st.integers(1, 20), st.integers(0, 20)))
    portfolio = PortfolioSettings(
        min_names=limits[0],
        max_names=limits[0] + limits[1],
        buy_fraction=draw(st.sampled_from([0.0, 0.05, 0.2])),
        hold_fraction=draw(st.sampled_from([0.2, 0.5])),
        max_weight=draw(st.sampled_from([0.04, 0.3, 1.0])),
    )
    eligible = np.array([flag[0] or draw(st.booleans()) for flag in flags])
    held = np.array([0.01 * flag[1] for flag in flags])
    return np.array(scores, float), np.array(confidence) / 10, eligible, held, portfolio


@settings(max_examples=100, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_permuting_the_slots_permutes_the_selection(case, random):
    scores, confidence, eligible, held, portfolio = case
    symbols = names(len(scores))
    order = list(range(len(scores)))
    random.shuffle(order)
    one = select(scores, confidence, eligible, held, portfolio, symbols)
    two = select(
        scores[order],
        confidence[order],
        eligible[order],
        held[order],
        portfolio,
        [symbols[i] for i in order],
    )
    np.testing.assert_array_equal(one.actions[order], two.actions)
    np.testing.assert_array_equal(one.weights[order], two.weights)
    np.testing.assert_array_equal(one.ranks[order], two.ranks)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_what_always_holds(case):
    scores, confidence, eligible, held, portfolio = case
    found = select(scores, confidence, eligible, held, portfolio, names(len(scores)))
    invested = np.isin(found.actions, ("BUY", "HOLD"))
    np.testing.assert_array_equal(invested, found.weights > 0)
    assert (held[found.actions == "BUY"] == 0).all()
    assert (held[np.isin(found.actions, ("HOLD", "SELL"))] > 0).all()
    assert (found.actions[held > 0] != "").all()
    assert eligible[invested].all()
    assert invested.sum() <= max(1, min(portfolio.max_names, eligible.sum() // 2))
    assert invested.sum() >= min(portfolio.min_names, eligible.sum() // 2)
    assert found.weights.max(initial=0.0) <= portfolio.max_weight + 1e-12
    assert found.weights.sum() <= 1.0 + 1e-12
    for slot in range(len(scores)):
        assert bool(found.reason(slot)) == bool(found.actions[slot])


@given(
    st.lists(st.floats(0.01, 5.0), min_size=1, max_size=40), st.sampled_from([0.03, 0.1, 0.5, 1.0])
)
def test_capped_weights_fill_what_the_cap_allows_in_order(tilt, cap):
    weights = capped_weights(tilt, cap)
    assert weights.max() <= cap + 1e-12
    assert weights.sum() == pytest.approx(min(1.0, cap * len(tilt)))
    order = np.argsort(tilt, kind="stable")
    assert (np.diff(weights[order]) >= -1e-12).all()


def test_bad_input_is_refused_in_a_sentence():
    with pytest.raises(DataError, match="held has shape"):
        pick(descending(3), held=np.zeros(2))
    with pytest.raises(DataError, match="more than one slot"):
        pick(descending(3), symbols=("A", "A", "B"))
    with pytest.raises(DataError, match="not negative"):
        pick(descending(3), held=np.array([-1.0, 0, 0]))
    with pytest.raises(DataError, match="must lie in"):
        pick(descending(3), confidence=np.array([np.nan, 0, 0]))
    with pytest.raises(DataError, match="confidence has shape"):
        pick(descending(3), confidence=np.zeros(2))
