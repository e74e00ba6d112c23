"""The 17 features of a panel beside TA-Lib per ticker, stockstats and FinRL's FeatureEngineer.

    .venv/bin/python benchmarks/features.py                  # 3,000 x 2,520, about 4 minutes
    .venv/bin/python benchmarks/features.py --symbols 500    # measured, not judged

All read the same `(T, N)` panel in one process, take turns, and are timed in CPU-seconds (user and
system, all threads), the least of the runs. TA-Lib gets each ticker's columns as the contiguous
arrays that it needs and keeps what it answers; beside that, with the columns cut before the
clock starts. The first run here compiles the features where nothing has. TA-Lib knows 14 of the 17
features, if numpy does the arithmetic around it; the rolling median is pandas'. stockstats and
FeatureEngineer are measured on as many tickers as finish in seconds and extrapolated linearly, in
their favour: they grow faster.
"""

import argparse
import contextlib
import gc
import importlib
import io
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.market import simulate
from trading.features.compute import compute_features
from trading.features.incremental import FeatureHistory
from trading.features.scaling import scale_features
from trading.market.bars import FIELDS
from trading.market.panel import Panel

SYMBOLS, SESSIONS, RUNS = 3000, 2520, 5
DEMANDS = {
    "FinRL FeatureEngineer (stockstats)": 100.0,
    "TA-Lib and pandas' median": 1.5,
    "TA-Lib's 14 alone": 1.5,
}
INDICATORS = (
    "close_5_roc", "close_21_roc", "close_63_roc", "close_126_roc", "rsi_14", "macdh",
    "boll_ub", "close_21_mstd", "volume_21_sma", "volume_126_sma", "amount_21_sma",
)  # fmt: skip
"""stockstats' names of what it has of the features: 11 of the 17."""

FloatArray = npt.NDArray[np.float64]


def panel_of(symbols: int, sessions: int, seed: int) -> Panel:
    """Return simulated bars without gaps, which is what TA-Lib needs."""
    market = simulate(symbols, sessions, seed=seed)
    return Panel(
        market.sessions,
        market.symbols,
        market.open,
        market.high,
        market.low,
        market.close,
        market.volume,
        market.close * np.linspace(0.8, 1.0, sessions)[:, None],
    )


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of one call; what it answers is dropped afterwards."""
    gc.collect()
    started = time.process_time()
    kept = work()
    taken = time.process_time() - started
    del kept
    return taken


def talib_features(panel: Panel, median: bool) -> list[list[FloatArray]]:
    """Return what TA-Lib gives of the features, ticker by ticker."""
    import talib

    answers = []
    with np.errstate(all="ignore"):
        for i in range(len(panel.symbols)):
            fields = (panel.adjusted_close, panel.open, panel.high, panel.close, panel.volume)
            p, o, h, c, v = (np.ascontiguousarray(field[:, i]) for field in fields)
            found = [talib.ROCP(p, back) for back in (1, 5, 21, 63, 126)]
            found.append(np.concatenate([np.full(21, np.nan), talib.ROCP(p, 231)[:-21]]))
            found += [talib.RSI(p, 14), talib.MACD(p, 12, 26, 9)[2] / p]
            upper, middle, _ = talib.BBANDS(p, 20, 1, 1)
            found.append((p - middle) / (upper - middle))
            found.append(talib.STDDEV(found[0], 21) * np.sqrt(21 / 20))
            night = np.log(o[1:] * (p[1:] / c[1:]) / p[:-1]) - np.log(c[1:] / o[1:])
            found.append(talib.SMA(np.concatenate([[np.nan], night]), 21))
            found.append(np.log(talib.SMA(v, 21) / talib.SMA(v, 126)))
            traded = c * v
            found.append(np.log(talib.SMA(np.abs(found[0]) / traded, 21)))
            found.append(c / talib.MAX(h, 252) - 1.0)
            if median:
                found.append(np.log(pd.Series(traded).rolling(21).median().to_numpy()))
            answers.append(found)
    return answers


def frame_of(panel: Panel, tickers: int) -> pd.DataFrame:
    """Return some tickers in FinRL's format."""
    table = panel.select(panel.symbols[:tickers]).to_bars()
    table = table.rename(columns={"symbol": "tic"}).sort_values(["date", "tic"])
    table["date"] = table["date"].dt.strftime("%Y-%m-%d")
    table["amount"] = table["close"] * table["volume"]
    return table.reset_index(drop=True)


def stockstats_features(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """Return stockstats' indicators, ticker by ticker."""
    from stockstats import StockDataFrame

    return [StockDataFrame.retype(own.copy())[list(INDICATORS)] for _, own in frame.groupby("tic")]


def finrl_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Return FinRL's FeatureEngineer on the same indicators."""
    from trading.agents.finrl_bridge import load_drl_agent

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        load_drl_agent()
        module = importlib.import_module("finrl.meta.preprocessor.preprocessors")
        engineer = module.FeatureEngineer(tech_indicator_list=list(INDICATORS))
        return engineer.preprocess_data(frame)


def measure(panel: Panel, runs: int, tickers: int) -> dict[str, float]:
    """Return CPU-seconds for the whole panel by what was measured."""
    rows = np.arange(len(panel.sessions))
    medians = max(len(panel.symbols) // 100, 1)
    few = panel.select(panel.symbols[:medians])
    cut = replace(panel, **{name: np.asfortranarray(getattr(panel, name)) for name in FIELDS})
    turns: dict[str, tuple[Callable[[], object], float]] = {
        "this system, 17 features": (lambda: compute_features(panel, rows), 1.0),
        "TA-Lib, 14 features": (lambda: talib_features(panel, median=False), 1.0),
        "TA-Lib, 14 features, columns cut beforehand": (
            lambda: talib_features(cut, median=False),
            1.0,
        ),
        "rolling median by pandas": (
            lambda: [
                pd.Series(np.ascontiguousarray(column)).rolling(21).median().to_numpy()
                for column in (few.close * few.volume).T
            ],
            len(panel.symbols) / medians,
        ),
    }
    best = dict.fromkeys(turns, np.inf)
    for _ in range(runs):
        for name, (work, times) in turns.items():
            best[name] = min(best[name], cpu_seconds(work) * times)
    frame = frame_of(panel, tickers)
    scale = len(panel.symbols) / tickers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        finrl_features(frame_of(panel, 2))
        best["stockstats, 11 features"] = cpu_seconds(lambda: stockstats_features(frame)) * scale
        best["FinRL FeatureEngineer, 11 features"] = (
            cpu_seconds(lambda: finrl_features(frame)) * scale
        )
    history = FeatureHistory.of(panel.rows(slice(0, len(rows) - 1)))
    last = panel.rows(slice(len(rows) - 1, None))
    best["one new session"] = min(cpu_seconds(lambda: history.append(last)) for _ in range(runs))
    some = compute_features(panel, rows[-25:])
    everyone = np.ones(some.shape[:2], dtype=bool)
    scaled = min(cpu_seconds(lambda: scale_features(some, everyone)) for _ in range(runs))
    best["scaling (ranks), timed apart"] = scaled * len(rows) / 25
    return {name: float(seconds) for name, seconds in best.items()}


def report(best: dict[str, float], judged: bool) -> bool:
    """Print the tables; tell whether the demands hold."""
    ours = best["this system, 17 features"]
    print("\n| what | CPU-seconds | times this system |")
    print("|---|---|---|")
    for name, seconds in best.items():
        print(f"| {name} | {seconds:,.3f} | {seconds / ours:,.1f} |")
    talib = best["TA-Lib, 14 features"] + best["rolling median by pandas"]
    ratios = {
        "FinRL FeatureEngineer (stockstats)": best["FinRL FeatureEngineer, 11 features"] / ours,
        "TA-Lib and pandas' median": talib / ours,
        "TA-Lib's 14 alone": best["TA-Lib, 14 features"] / ours,
    }
    print("\n| demand | measured | holds |")
    print("|---|---|---|")
    for name, least in DEMANDS.items():
        holds = "yes" if ratios[name] >= least else "no"
        print(f"| {least:g} times as fast as {name} | {ratios[name]:,.1f} | {holds} |")
    cut = best["TA-Lib, 14 features, columns cut beforehand"] / ours
    print(f"\nTA-Lib's 14, from columns cut before the clock starts: {cut:.2f} times our 17.")
    return not judged or all(ratios[name] >= least for name, least in DEMANDS.items())


def main() -> int:
    """Measure and print; 1 where a demand is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--symbols", type=int, default=SYMBOLS)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--tickers", type=int, default=5, help="of stockstats and FinRL")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    panel = panel_of(options.symbols, options.sessions, options.seed)
    print(f"{options.symbols:,} symbols x {options.sessions:,} sessions, best of {options.runs}")
    best = measure(panel, options.runs, options.tickers)
    if options.json:
        options.json.write_text(json.dumps(best, indent=1))
    judged = (options.symbols, options.sessions) == (SYMBOLS, SESSIONS)
    return 0 if report(best, judged) else 1


if __name__ == "__main__":
    raise SystemExit(main())
