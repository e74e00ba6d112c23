"""The strategies on the real bars of 2016-2019: all run, look at no future, make a report."""

import asyncio
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.notifications.month_example import example_report
from trading.backtest.engine import Sleeve, backtest
from trading.backtest.feed import BarFeed
from trading.backtest.lookahead import check_lookahead
from trading.backtest.report.curves import BenchmarkReturns
from trading.backtest.report.description import RunDescription
from trading.backtest.report.document import make_document
from trading.backtest.report.evidence import Evidence
from trading.backtest.report.page import render_page
from trading.backtest.settings import BacktestSettings
from trading.config import Settings
from trading.data.benchmark import load_benchmark
from trading.data.providers.files import FilesProvider
from trading.market.panel import Panel
from trading.risk.sizing import build_sizer
from trading.signals.model import MonthlySignal
from trading.signals.report import PortfolioSummary
from trading.strategy.registry import build_strategy
from trading.universe.constituents import members_from_bars

ROOT = Path(__file__).parents[2]
PRICES = Path(os.environ.get("TRADING_REAL_DATA", ROOT.parent / "shared" / "data")) / "prices"
FILES = ("r3000_2016_2019.parquet", "delisted_2016_2019.parquet")
START = date(2017, 2, 1)
NAMES = 300

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(not PRICES.is_dir(), reason=f"no real bars in {PRICES}"),
]


@pytest.fixture(scope="module")
def whole() -> Panel:
    provider = FilesProvider([PRICES / name for name in FILES], Settings())
    fetched = asyncio.run(provider.fetch(None, date(2016, 1, 1), date(2019, 12, 31)))
    return Panel.from_bars(fetched.bars)


@pytest.fixture(scope="module")
def feed(whole: Panel) -> BarFeed:
    return BarFeed.from_panel(whole.select(sorted(members_from_bars(whole.before(START), NAMES))))


@pytest.fixture(scope="module")
def reports(feed: BarFeed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Month reports in the stored format; the year's winners stand in for a trained ensemble."""
    folder = tmp_path_factory.mktemp("reports")
    data, held = feed.data, set[str]()
    months = np.arange("2017-02", "2020-01", dtype="datetime64[M]")
    for month in months:
        row = int(np.searchsorted(data.sessions, month.astype("datetime64[D]")))
        past = data.adjusted_close[row - 1] / data.adjusted_close[row - 200]
        best = {data.symbols[at] for at in np.argsort(-np.nan_to_num(past))[:30]}
        as_of = data.sessions[row].astype(object)
        signals = [
            MonthlySignal(
                month=str(month),
                symbol=symbol,
                slot=1,
                action="SELL" if symbol not in best else "HOLD" if symbol in held else "BUY",
                rank=1,
                score=0.5,
                confidence=0.8,
                weight=0.03 if symbol in best else 0.0,
                previous_weight=0.03 if symbol in held else 0.0,
                price=10.0,
                reason="Among the winners of the past months, or no more.",
            )
            for symbol in sorted(best | held)
        ]
        made = example_report(
            month=str(month),
            as_of=as_of,
            last_session=as_of - timedelta(days=1),
            signals=tuple(signals),
            portfolio=PortfolioSummary(),
        )
        (folder / f"{month}.json").write_bytes(made.to_json())
        held = best
    return folder


STRATEGIES = ("momentum", "mean_reversion", "trend_following", "stat_arbitrage", "finrl_signals")


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_runs_and_reports(feed: BarFeed, reports: Path, name: str) -> None:
    settings = BacktestSettings.model_validate({"execution": {"account": "margin"}})
    start = int(np.searchsorted(feed.data.sessions, np.datetime64(START)))
    given = {"reports": str(reports)} if name == "finrl_signals" else {}
    fraction = 0.03 if given else 0.01
    sleeve = Sleeve(
        build_strategy(name, given), build_sizer("fixed_fraction", {"fraction": fraction})
    )
    result = backtest([sleeve], feed, settings, start=start)
    index = load_benchmark(PRICES / "benchmarks_to_2019.parquet", "SPY")
    prices = index.bars["adjusted_close"].to_numpy(dtype=np.float64)
    days = index.bars["date"].to_numpy().astype("datetime64[D]")
    benchmark = BenchmarkReturns.from_prices("SPY", days, prices, result.session_dates)
    evidence = Evidence.of(result, benchmark)
    run = RunDescription("300 most traded", "real bars", simulated=False, benchmark="SPY")
    made_at = datetime(2020, 1, 1, tzinfo=UTC)
    html = render_page(result, evidence, run, made_at)
    document = make_document(result, evidence, run, made_at)
    assert "SIMULATED" not in html
    assert html.count("data:image/svg+xml") == 8
    assert document.counts.trades > 100
    known = document.figures.strategy
    assert known["volatility"] is not None
    assert 0.002 < known["volatility"] < 0.5
    assert document.figures.benchmark is not None
    # SPY from February 2017 to the end of 2019, dividends included.
    assert document.figures.benchmark["total_return"] == pytest.approx(0.50, abs=0.02)
    assert evidence.relative is not None


@pytest.mark.parametrize("name", ["momentum", "mean_reversion", "trend_following"])
def test_a_strategy_does_not_look_ahead_on_every_name(whole: Panel, name: str) -> None:
    data = BarFeed.from_panel(whole).data
    report = asyncio.run(check_lookahead(build_strategy(name), data, cuts=3))
    assert report.passed, report.sentence()
    assert report.signals > 10_000


@pytest.mark.parametrize("name", ["stat_arbitrage", "finrl_signals"])
def test_neither_do_pairs_nor_the_months(feed: BarFeed, reports: Path, name: str) -> None:
    given = {"reports": str(reports)} if name == "finrl_signals" else {}
    report = asyncio.run(check_lookahead(build_strategy(name, given), feed.data, cuts=2))
    assert report.passed, report.sentence()
