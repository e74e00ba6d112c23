import json
from datetime import UTC, datetime

import numpy as np
import pytest

from trading.errors import RiskError
from trading.risk.drawdown import DrawdownMonitor
from trading.risk.measures import value_at_risk
from trading.risk.report import risk_snapshot

NOW = datetime(2026, 1, 5, 21, tzinfo=UTC)
SYMBOLS = ("A", "B", "C", "D", "Ö")


def returns(periods=250, seed=0):
    generator = np.random.default_rng(seed)
    common = generator.normal(0, 0.01, (periods, 1))
    own = generator.normal(0, 0.01, (periods, 5)) * [0.1, 0.1, 2.0, 2.0, 2.0]
    return common * [1, 1, 0, 0, 1] + own


def snapshot(values, series, **options):
    names = SYMBOLS[: len(values)]
    return risk_snapshot(values, 1e6, names, series, as_of=NOW, **options)


def test_the_parts_agree_with_each_other():
    values, x = np.array([4e5, 2e5, 0.0, -3e5, 1e5]), returns()
    market = x.mean(axis=1)
    monitor = DrawdownMonitor()
    monitor.mark(1.25e6, NOW)
    monitor.mark(1e6, NOW)
    found = snapshot(
        values, x, market=market, sectors={"A": "Tech"}, drawdown=monitor.state, threshold=0.8
    )
    path = x @ (values / 1e6)
    assert found.historical.value_at_risk == pytest.approx(float(value_at_risk(path)))
    assert found.volatility == pytest.approx(path.std(ddof=1))
    assert found.beta == pytest.approx(np.polyfit(market, path, 1)[0])
    assert [position.symbol for position in found.positions] == ["A", "D", "B", "Ö"]
    components = sum(position.component_var for position in found.positions)
    assert components == pytest.approx(1.6448536269514722 * found.volatility)
    assert sum(position.share_of_var for position in found.positions) == pytest.approx(1.0)
    assert found.clusters == (("A", "B"),)
    assert found.drawdown.drawdown == pytest.approx(0.2)
    assert found.exposure.sectors["Tech"].gross == pytest.approx(0.4)
    assert found.diversification_ratio > 1.0
    assert (found.bars, found.unknown) == (250, ())


def test_a_short_in_what_moves_together_hedges():
    x = returns()
    together = snapshot([1e5, 1e5], x[:, :2])
    hedged = snapshot([1e5, -1e5], x[:, :2])
    assert together.average_correlation > 0.9
    assert hedged.average_correlation < -0.9
    assert together.clusters == (("A", "B"),)
    assert hedged.clusters == ()
    assert hedged.volatility < together.volatility / 5


def test_it_is_plain_json_without_numbers_that_are_none():
    x = returns()
    x[:200, 1] = np.nan
    found = snapshot([1e5, 1e5, 0.0, 0.0, 5e4], x, drawdown=None)
    assert found.unknown == ("B",)
    stored = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert stored["beta"] is None
    assert stored["as_of"] == "2026-01-05T21:00:00+00:00"
    assert stored["positions"][1] == {
        "symbol": "B",
        "weight": 0.1,
        "component_var": None,
        "share_of_var": None,
    }
    assert stored["historical"]["value_at_risk"] > 0


def test_nothing_one_and_still_positions():
    nothing = snapshot([0.0, 0.0], returns()[:, :2])
    assert nothing.positions == ()
    assert nothing.historical.value_at_risk == 0.0
    assert nothing.volatility == 0.0
    empty = snapshot([], np.empty((0, 0)))
    assert empty.exposure.gross == 0.0
    assert empty.to_dict()["volatility"] is None
    one = snapshot([1e5], returns()[:, :1])
    assert one.diversification_ratio == pytest.approx(1.0)
    assert one.to_dict()["average_correlation"] is None
    assert one.positions[0].share_of_var == pytest.approx(1.0)
    still = snapshot([1e5], np.zeros((50, 1)))
    assert still.normal.value_at_risk == 0.0
    assert still.to_dict()["diversification_ratio"] is None
    doubled = snapshot([1e5, 1e5], np.repeat(returns()[:, :1], 2, axis=1))
    assert doubled.diversification_ratio == pytest.approx(1.0), "a singular covariance"


def test_bad_input_is_refused():
    x = returns()[:, :2]
    with pytest.raises(RiskError, match="different symbols"):
        risk_snapshot([1.0, 2.0], 1e6, ("A", "A"), x, as_of=NOW)
    with pytest.raises(RiskError, match="3 values"):
        snapshot([1.0, 2.0, 3.0], x)
    with pytest.raises(RiskError, match="time zone"):
        risk_snapshot([1.0, 2.0], 1e6, ("A", "B"), x, as_of=datetime(2026, 1, 5))
    with pytest.raises(RiskError, match="equity above 0"):
        risk_snapshot([1.0, 2.0], 0.0, ("A", "B"), x, as_of=NOW)
    with pytest.raises(RiskError, match="must be finite"):
        snapshot([np.nan, 1.0], x)
    with pytest.raises(RiskError, match="infinite"):
        snapshot([1.0, 1.0], np.full((30, 2), np.inf))
