"""What holds for every registered sizer: causality, contract, bad input."""

import numpy as np
import pytest
from sized_market import market, random_market, random_signals, signals, sized, until, window_of

from trading.errors import ParameterError, RiskError
from trading.risk.sizing import (
    NameSizer,
    PortfolioSizer,
    PositionSizer,
    Targets,
    build_sizer,
    register,
    registry,
    sizer_names,
)

SHORT = {
    "fixed_fraction": {},
    "kelly": {"window": 20, "max_weight": 5.0},
    "mean_variance": {"window": 20, "max_weight": 0.4},
    "risk_parity": {"window": 20},
    "volatility_scaled": {"window": 20, "max_weight": 5.0},
}
every_sizer = pytest.mark.parametrize("name", sorted(SHORT))


def short(name: str) -> PositionSizer:
    return build_sizer(name, SHORT[name])


def test_the_five_sizers_are_registered():
    assert sizer_names() == tuple(sorted(SHORT))


@every_sizer
@pytest.mark.parametrize("long_only", [True, False])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_the_future_changes_no_target(name, long_only, missing):
    data = random_market(90, 5, missing=missing)
    given = random_signals(data, 40)
    sizer = short(name)
    whole = sizer.targets(given, data, long_only=long_only)
    assert np.count_nonzero(whole.weights) > 5
    for row in (19, 20, 21, 40, 77):
        known = sizer.targets(until(given, row), data.upto(row), long_only=long_only)
        there = whole.rows <= row
        np.testing.assert_array_equal(known.rows, whole.rows[there])
        np.testing.assert_array_equal(known.columns, whole.columns[there])
        np.testing.assert_allclose(known.weights, whole.weights[there], rtol=1e-9, atol=1e-12)


@every_sizer
def test_lookback_bars_and_what_was_held_are_all_that_is_needed(name):
    data = random_market(90, 5, seed=4)
    given = random_signals(data, 60, seed=5)
    sizer = short(name)
    whole = sizer.targets(given, data, long_only=False)
    for row in (30, 61, 89):
        first = row - sizer.lookback + 1
        wanted = np.zeros(5)
        for signal in until(given, row - 1):
            if signal.action != "HOLD":
                side = 1 if signal.action == "BUY" else -1
                wanted[int(signal.symbol[1:])] = side * signal.strength
        window = data.upto(row).tail(sizer.lookback)
        here = window_of(until(given, row), first)
        last = here.at(sizer.lookback - 1)
        live = sizer.targets(last, window, long_only=False, held=wanted)
        expected = whole.at(row)
        np.testing.assert_array_equal(live.columns, expected.columns)
        np.testing.assert_allclose(live.weights, expected.weights, rtol=1e-9, atol=1e-12)


@every_sizer
def test_a_target_has_the_sign_of_the_wish_and_an_exit_is_zero(name):
    data = random_market(80, 3, seed=2)
    sizer = short(name)
    buy, sell = (40, 0, 1, 1.0), (60, 0, -1, 1.0)
    exits = sized(sizer, data, buy, sell, long_only=True)
    assert exits.weights[0] >= 0.0
    assert exits.weights[-1] == 0.0
    shorts = sized(sizer, data, buy, sell)
    assert shorts.weights[-1] <= 0.0
    flat = sized(sizer, data, buy, (60, 0, -1, 0.0))
    assert flat.weights[-1] == 0.0


@every_sizer
def test_hold_and_no_signals_ask_for_nothing(name):
    data = random_market(60, 3)
    assert len(sized(short(name), data, (40, 1, 0, 0.5))) == 0
    assert len(sized(short(name), data)) == 0
    empty = market(np.empty((0, 0)))
    assert len(sized(short(name), empty)) == 0


@every_sizer
def test_one_name_is_sized(name):
    rising = random_market(60, 1, seed=7)
    found = sized(short(name), rising, (50, 0, 1, 1.0), long_only=True)
    assert len(found) == 1
    assert np.isfinite(found.weights).all()


@pytest.mark.parametrize("name", sorted(set(SHORT) - {"fixed_fraction"}))
@pytest.mark.parametrize("what", ["missing", "constant", "too short", "infinite", "zero"])
def test_what_cannot_be_measured_is_not_held(name, what):
    prices = np.array(random_market(60, 2, seed=3).close)
    row = 50
    if what == "missing":
        prices[31:, 0] = np.nan
    elif what == "constant":
        prices[:, 0] = 10.0
    elif what == "infinite":
        prices[31:, 0] = np.inf
    elif what == "zero":
        prices[31:, 0] = 0.0
    else:
        row = 19
    data = market(prices)
    found = sized(short(name), data, (row, 0, 1, 1.0), (row, 1, 1, 1.0))
    assert found.weights[0] == 0.0
    if what != "too short":
        np.testing.assert_array_equal(found.columns, [0, 1])
        alone = sized(short(name), market(prices[:, 1:]), (row, 0, 1, 1.0))
        np.testing.assert_allclose(found.weights[1], alone.weights[0], rtol=1e-9)


@every_sizer
def test_signals_of_other_bars_or_symbols_are_refused(name):
    data, other = random_market(60, 3), random_market(50, 3)
    with pytest.raises(RiskError, match="60 bars of 3 symbols"):
        short(name).targets(signals(other, (1, 0, 1, 1.0)), data, long_only=True)
    renamed = data.select(["S2", "S1", "S0"])
    with pytest.raises(RiskError, match="or other ones"):
        short(name).targets(signals(renamed, (1, 0, 1, 1.0)), data, long_only=True)


@every_sizer
@pytest.mark.parametrize("held", [np.zeros(2), np.array([0.0, np.nan, 0.0]), np.full(3, 1.5)])
def test_a_malformed_held_is_refused(name, held):
    data = random_market(60, 3)
    with pytest.raises(RiskError, match="held must be 3 exposures"):
        sized(short(name), data, (40, 0, 1, 1.0), held=held)


@every_sizer
def test_parameters_are_bounded_and_named(name):
    field = next(iter(short(name).parameters_type.model_fields))
    with pytest.raises(ParameterError, match=name):
        build_sizer(name, {field: "many"})
    with pytest.raises(ParameterError, match="its parameters: "):
        build_sizer(name, {"überhang": 1})
    bounded = [key for key, value in short(name).parameters if isinstance(value, int | float)]
    for key in bounded:
        for bad in (0, -1, float("nan"), float("inf")):
            with pytest.raises(ParameterError, match=key):
                build_sizer(name, {key: bad})
    for described in short(name).parameters_type.model_fields.values():
        assert described.description


def test_an_unknown_sizer_names_the_known_ones():
    with pytest.raises(ParameterError, match="'martingale'; expected one of fixed_fraction, kelly"):
        build_sizer("martingale")


def test_a_sizer_takes_its_own_parameters_only():
    kelly, parity = short("kelly"), short("risk_parity")
    with pytest.raises(ParameterError, match="kelly takes KellyParameters"):
        type(kelly)(parity.parameters)


def test_a_taken_name_is_refused():
    with pytest.raises(ParameterError, match="'kelly' is taken"):

        @register
        class Another(NameSizer):
            name = "kelly"

    assert type(build_sizer("kelly")).__name__ == "KellyCriterion"


def test_malformed_targets_are_refused():
    one, two = np.array([0, 0]), np.array([1, 0])
    with pytest.raises(RiskError, match="sorted"):
        Targets(one, two, np.zeros(2))
    with pytest.raises(RiskError, match="sorted"):
        Targets(one, one, np.zeros(2))
    with pytest.raises(RiskError, match="finite"):
        Targets(two[::-1], one, np.array([np.nan, 0.0]))
    with pytest.raises(RiskError, match="length"):
        Targets(one, one, np.zeros(3))
    assert len(Targets.none()) == 0


def test_a_sizer_of_ones_own_is_known_by_its_name(monkeypatch):
    monkeypatch.setattr(registry, "_SIZERS", dict(registry._SIZERS))

    @register
    class EqualWeight(PortfolioSizer):
        name = "gleich_groß"
        lookback = 3

        def weigh(self, returns, exposures):
            assert returns.shape == (2, len(exposures))
            return np.sign(exposures) / len(exposures)

    data = random_market(10, 4)
    events = (5, 0, 1, 1.0), (5, 1, -1, 0.2), (6, 3, 1, 1.0), (7, 3, -1, 0.0)
    found = sized(build_sizer("gleich_groß"), data, *events)
    np.testing.assert_allclose(
        found.weights, [0.5, -0.5, 1 / 3, -1 / 3, 1 / 3, 0.5, -0.5, 0.0], rtol=1e-15
    )


def test_a_failing_portfolio_names_the_bar():
    class Fails(PortfolioSizer):
        name = "fails"
        lookback = 3

        def weigh(self, returns, exposures):
            raise RiskError("no solution")

    data = random_market(10, 2)
    with pytest.raises(RiskError, match="fails at 2020-01-06T00:00:00: no solution"):
        sized(Fails(), data, (5, 0, 1, 1.0))
