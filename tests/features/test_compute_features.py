"""The 17 features against independent oracles, and what they may never do."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.features.random_panels import random_panel, with_columns, with_rows, without_bars
from trading.errors import DataError
from trading.features.compute import compute_features
from trading.features.listings import listing_rows
from trading.features.specification import FEATURE_NAMES, FEATURES, HISTORY
from trading.market.bars import FIELDS
from trading.market.panel import Panel
from trading.universe.liquidity import NEVER

T = 420


def of(features: np.ndarray, name: str) -> np.ndarray:
    return features[..., FEATURE_NAMES.index(name)]


def frame(panel: Panel, field: str) -> pd.DataFrame:
    return pd.DataFrame(getattr(panel, field), columns=list(panel.symbols))


@pytest.fixture(scope="module")
def clean() -> Panel:
    return random_panel(T, 12, seed=3, missing=0.0, dirty=False)


@pytest.fixture(scope="module")
def every_row(clean: Panel) -> np.ndarray:
    return compute_features(clean, np.arange(T))


def oracles(panel: Panel) -> dict[str, pd.DataFrame]:
    """Every feature from OHLCV by pandas, written from its formula and not from the code."""
    p, o, h = frame(panel, "adjusted_close"), frame(panel, "open"), frame(panel, "high")
    c, v = frame(panel, "close"), frame(panel, "volume")
    r = p.pct_change()
    change = p.diff()
    up = change.clip(lower=0).ewm(alpha=1 / 14, min_periods=14).mean()
    down = (-change.clip(upper=0)).ewm(alpha=1 / 14, min_periods=14).mean()
    macd = p.ewm(span=12, min_periods=12).mean() - p.ewm(span=26, min_periods=26).mean()
    adjusted_open = o * p / c
    overnight = np.log(adjusted_open / p.shift()) - np.log(c / o)
    return {
        **{f"return_{k}": p / p.shift(k) - 1 for k in (1, 5, 21, 63, 126)},
        "momentum_252_21": p.shift(21) / p.shift(252) - 1,
        "rsi_14": 100 - 100 / (1 + up / down),
        "macd_histogram": (macd - macd.ewm(span=9, min_periods=9).mean()) / p,
        "bollinger_z_20": (p - p.rolling(20).mean()) / p.rolling(20).std(ddof=0),
        "volatility_21": r.rolling(21).std(),
        "overnight_21": overnight.rolling(21).mean(),
        "volume_shock": np.log(v.rolling(21).mean() / v.rolling(126).mean()),
        "dollar_volume_21": np.log((c * v).rolling(21).median()),
        "amihud_21": np.log((r.abs() / (c * v)).rolling(21).mean()),
        "high_252": c / h.rolling(252).max() - 1,
    }


@pytest.mark.parametrize("name", FEATURE_NAMES[:15])
def test_a_feature_equals_its_formula(clean: Panel, every_row: np.ndarray, name: str) -> None:
    expected = oracles(clean)[name].to_numpy()[HISTORY - 1 :]
    np.testing.assert_allclose(of(every_row, name)[HISTORY - 1 :], expected, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["rsi_14", "macd_histogram"])
def test_exponential_means_equal_pandas_over_gaps(name: str) -> None:
    panel = random_panel(T, 8, seed=5, missing=0.0, dirty=False)
    panel = without_bars(without_bars(panel, slice(300, 340), 0), slice(410, 413), 1)
    last = T - 1
    ours = of(compute_features(panel, np.array([last])), name)[0]
    price = frame(panel, "adjusted_close").ffill(limit=5)
    carried = replace(panel, adjusted_close=price.to_numpy())
    np.testing.assert_allclose(ours, oracles(carried)[name].iloc[last], rtol=2e-5, atol=1e-7)


def test_everything_is_known_from_the_stated_history_on(every_row: np.ndarray) -> None:
    assert every_row.shape[2] == len(FEATURES) == 17
    assert not np.isnan(every_row[HISTORY - 1 :]).any()
    assert np.isnan(of(every_row, "momentum_252_21")[: HISTORY - 1]).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), row=st.integers(0, 319), factor=st.sampled_from([0.0, 7.0, -1]))
def test_no_feature_sees_a_later_bar(seed: int, row: int, factor: float) -> None:
    panel = random_panel(320, 6, seed)
    rows = np.array([max(row - 40, 0), row])
    expected = compute_features(panel.rows(slice(0, row + 1)), rows)
    for later in (panel, with_rows(panel, slice(row + 1, None), factor)):
        assert compute_features(later, rows).tobytes() == expected.tobytes()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), data=st.data())
def test_no_name_sees_another(seed: int, data: st.DataObject) -> None:
    panel = random_panel(320, 7, seed)
    columns = np.array(data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True)))
    rows = np.array([50, 262, 319])
    whole = compute_features(panel, rows)
    assert compute_features(with_columns(panel, columns), rows).tobytes() == (
        np.ascontiguousarray(whole[:, columns]).tobytes()
    )


def test_more_names_than_a_column_block_change_nothing() -> None:
    panel = random_panel(60, 1100, seed=1)
    rows = np.array([40, 59])
    few = np.array([0, 511, 512, 1023, 1099])
    np.testing.assert_array_equal(
        compute_features(panel, rows)[:, few], compute_features(with_columns(panel, few), rows)
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    bad=st.sampled_from([0.0, -3.0, 1e-300, 1e300, np.inf, np.nan]),
    field=st.sampled_from(FIELDS),
)
def test_strange_numbers_end_as_unknown_and_never_as_infinite(
    seed: int, bad: float, field: str
) -> None:
    panel = random_panel(300, 5, seed)
    random = np.random.default_rng(seed)
    getattr(panel, field)[random.integers(0, 300, 40), random.integers(0, 5, 40)] = bad
    features = compute_features(panel, np.arange(250, 300))
    assert not np.isinf(features).any()


def test_a_missing_bar_is_carried_for_five_sessions_and_no_longer(clean: Panel) -> None:
    panel = without_bars(clean, slice(401, None), 0)
    features = compute_features(panel, np.array([400, 401, 405, 406, 407]))[:, 0]
    assert not np.isnan(features[:3]).any()
    assert of(features, "return_1")[1] == 0.0
    for name in ("return_1", "return_21", "rsi_14", "macd_histogram", "high_252"):
        assert not np.isnan(of(features, name)[2])
        assert np.isnan(of(features, name)[3:]).all()


def test_the_bar_after_a_gap_carries_the_return_over_it(clean: Panel) -> None:
    panel = without_bars(clean, slice(390, 400), 1)
    returns = clean.adjusted_close[1:, 1] / clean.adjusted_close[:-1, 1] - 1.0
    over_gap = clean.adjusted_close[400, 1] / clean.adjusted_close[389, 1] - 1.0
    window = [*returns[400:], over_gap]
    measured = of(compute_features(panel, np.array([T - 1])), "volatility_21")[0, 1]
    assert measured == pytest.approx(np.std(window, ddof=1), rel=1e-5)


def test_a_reused_ticker_is_a_new_listing(clean: Panel) -> None:
    panel = without_bars(clean, slice(300, 364), 2)
    features = compute_features(panel, np.array([299, 400]))
    assert of(features, "new_listing")[:, 2].tolist() == [0.0, 1.0]
    assert of(features, "tenure")[1, 2] == pytest.approx(36 / 252)
    for name in ("return_63", "return_126", "momentum_252_21", "high_252"):
        assert np.isnan(of(features, name)[1, 2])
    assert not np.isnan(of(features, "return_21")[1, 2])


def test_no_volume_is_no_trade_and_no_illiquidity() -> None:
    panel = random_panel(300, 2, seed=2, missing=0.0, dirty=False)
    panel.volume[-4:, 0] = 0.0
    panel.volume[-21:, 1] = 0.0
    features = compute_features(panel, np.array([299]))[0]
    traded = panel.close * panel.volume
    moved = np.abs(panel.returns()[:, 0])[-21:-4] / traded[-21:-4, 0]
    assert of(features, "amihud_21")[0] == pytest.approx(np.log(moved.mean()), rel=1e-5)
    for name in ("amihud_21", "dollar_volume_21", "volume_shock"):
        assert np.isnan(of(features, name)[1])


def test_a_price_that_stands_still() -> None:
    panel = random_panel(300, 1, seed=2, missing=0.0, dirty=False)
    for field in ("open", "high", "low", "close", "adjusted_close"):
        getattr(panel, field)[:] = 12.5
    features = compute_features(panel, np.array([299]))[0, 0]
    assert of(features, "rsi_14") == 50.0
    for name in ("bollinger_z_20", "volatility_21", "return_21", "macd_histogram", "high_252"):
        assert of(features, name) == pytest.approx(0.0, abs=1e-7)


class TestTemporal:
    def test_a_listing_is_new_for_63_sessions_and_ages(self) -> None:
        panel = random_panel(400, 2, seed=4, missing=0.0, dirty=False)
        panel = without_bars(panel, slice(0, 100), 0)
        features = compute_features(panel, np.array([99, 100, 162, 163, 352]))
        new, tenure = of(features, "new_listing"), of(features, "tenure")
        assert np.isnan(new[0, 0])
        assert np.isnan(tenure[0, 0])
        assert new[1:, 0].tolist() == [1.0, 1.0, 0.0, 0.0]
        np.testing.assert_allclose(tenure[1:, 0], [0, 62 / 252, 63 / 252, 1.0], rtol=1e-6)
        assert new[:, 1].tolist() == [0.0] * 5
        assert tenure[:, 1].tolist() == [3.0] * 5

    def test_a_removed_name_counts_backwards_from_its_removal(self) -> None:
        panel = random_panel(700, 2, seed=4, missing=0.0, dirty=False)
        removed = np.array([350, NEVER])
        features = compute_features(panel, np.array([349, 350, 475, 699]), removed=removed)
        tenure = of(features, "tenure")
        np.testing.assert_allclose(tenure[:, 0], [3.0, -1 / 252, -0.5, -1.0], rtol=1e-6)
        assert (tenure[:, 1] == 3.0).all()

    def test_a_name_without_bars_is_archived_after_five_sessions(self) -> None:
        panel = random_panel(400, 1, seed=4, missing=0.0, dirty=False)
        panel = without_bars(panel, slice(301, None), 0)
        tenure = of(compute_features(panel, np.array([300, 305, 306, 326])), "tenure")[:, 0]
        np.testing.assert_allclose(tenure, [3.0, 3.0, -1 / 252, -21 / 252], rtol=1e-6)

    def test_given_listings_win(self) -> None:
        panel = random_panel(30, 1, seed=4, missing=0.0, dirty=False)
        listed = np.array([-20], dtype=np.int64)
        assert of(compute_features(panel, np.array([10]), listed), "new_listing")[0, 0] == 1.0
        assert listing_rows(panel)[0] < -252


def test_a_name_without_bars_is_unknown_altogether() -> None:
    panel = random_panel(300, 1, seed=1).select(["N0000", "", "ABSENT"])
    assert np.isnan(compute_features(panel, np.array([280, 299]))[:, 1:]).all()


def test_a_row_outside_the_panel_is_refused() -> None:
    panel = random_panel(30, 2)
    with pytest.raises(DataError, match="expected 0 to 29"):
        compute_features(panel, np.array([30]))
    assert compute_features(panel, np.array([], dtype=np.int64)).shape == (0, 2, 17)
