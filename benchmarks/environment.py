"""Decisions per second of the portfolio environments at 3,600 slots, beside FinRL's.

    .venv/bin/python benchmarks/environment.py              # about a minute

A decision is a month: 3,600 weights, the costs of the trades, 21 sessions simulated, the hybrid
reward. Actions are generated beforehand. FinRL's StockTradingEnv decides each session; it steps
the same number of stocks in the same run. The rates are decisions per second of the clock and per
CPU-second (user and system, all threads), the best of the runs; on a machine with other work
compare the latter: with c idle cores the clock's rate of the batched environment is up to c times
as high.
"""

import argparse
import importlib
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from trading.agents.batched_env import BatchedPortfolioEnv
from trading.agents.environment import PortfolioEnv
from trading.agents.finrl_bridge import load_drl_agent
from trading.agents.finrl_env import FinRLTradingEnv
from trading.config import Settings
from trading.features.dataset import Dataset
from trading.features.specification import CONTEXT, FEATURES, FEATURES_VERSION

SLOTS, ELIGIBLE, MONTHS, MONTH = 3600, 3000, 49, 21
BATCH, RUNS = 128, 5
BATCHED, SINGLE = 50_000.0, 10_000.0


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast an environment decides; sessions are those that it simulates meanwhile."""

    name: str
    per_second: float
    per_cpu_second: float
    sessions_per_cpu_second: float


def market(slots: int, months: int, seed: int = 0) -> Dataset:
    """Return a dataset of random features and returns: 3,000 of 3,600 slots are eligible."""
    random = np.random.default_rng(seed)
    decisions = 2 + np.arange(months, dtype=np.int64) * MONTH
    sessions = np.datetime64("2015-01-01") + np.arange(decisions[-1] + 1)
    eligible = np.zeros((months, slots), dtype=bool)
    eligible[:, : slots * ELIGIBLE // SLOTS] = True
    shape = (months, slots)
    return Dataset(
        as_of=(sessions[-1] + 1).astype(object),
        sessions=sessions,
        symbols=tuple(f"S{slot:04d}" for slot in range(slots)),
        active=eligible[-1].copy(),
        decisions=decisions,
        phases=np.zeros(months, dtype=np.int8),
        features=random.uniform(-1, 1, (*shape, len(FEATURES))).astype(np.float32),
        context=random.standard_normal((months, len(CONTEXT))).astype(np.float32),
        eligible=eligible,
        returns=random.normal(3e-4, 0.02, (len(sessions), slots)).astype(np.float32),
        dollar_volume=np.exp(random.normal(15.0, 1.5, shape)).astype(np.float32),
        volatility=random.uniform(0.01, 0.04, shape).astype(np.float32),
        data_hash="simulated",
        slots_version="simulated",
        features_version=FEATURES_VERSION,
    )


def rate(name: str, play: Callable[[], tuple[int, int]], runs: int) -> Rate:
    """Return the best rates of `play`, which answers decisions and sessions."""
    play()
    clock, cpu, sessions = 0.0, 0.0, 0.0
    for _ in range(runs):
        started, used = time.perf_counter(), time.process_time()
        decided, simulated = play()
        used, passed = time.process_time() - used, time.perf_counter() - started
        clock, cpu = max(clock, decided / passed), max(cpu, decided / used)
        sessions = max(sessions, simulated / used)
    return Rate(name, clock, cpu, sessions)


def single(dataset: Dataset, runs: int) -> Rate:
    """Return the rate of the Gymnasium environment."""
    env = PortfolioEnv(dataset, Settings(), action="weights")
    random = np.random.default_rng(1)
    actions = random.random((len(dataset.decisions), len(dataset.symbols)), dtype=np.float32)

    def play() -> tuple[int, int]:
        decided = sessions = 0
        for _ in range(8):
            env.reset(options={"chain": 0})
            for action in actions:
                _, _, _, truncated, info = env.step(action)
                decided, sessions = decided + 1, sessions + len(info["net_returns"])
                if truncated:
                    break
        return decided, sessions

    return rate("single, `PortfolioEnv`", play, runs)


def batched(dataset: Dataset, batch: int, runs: int, *, together: bool) -> Rate:
    """Return the rate of the batched environment."""
    env = BatchedPortfolioEnv(dataset, Settings(), batch, together=together)
    random = np.random.default_rng(2)
    actions = random.random((4, batch, len(dataset.symbols)), dtype=np.float32)

    def play() -> tuple[int, int]:
        decided = sessions = 0
        env.reset(seed=0)
        while True:
            _, _, _, truncated, infos = env.step(actions[decided // batch % 4])
            decided, sessions = decided + batch, sessions + int(infos["sessions"].sum())
            if truncated.any():
                return decided, sessions

    return rate(f"batched, `BatchedPortfolioEnv` of {batch}", play, runs)


def finrl(stocks: int, days: int) -> list[Rate]:
    """Return the rates of FinRL's environment, and of ours with its arguments."""
    random = np.random.default_rng(3)
    tics = [f"S{i:04d}" for i in range(stocks)]
    dates = pd.bdate_range("2024-01-02", periods=days).strftime("%Y-%m-%d")
    close = 50.0 * np.exp(np.cumsum(random.normal(0, 0.02, (days, stocks)), axis=0))
    table = pd.DataFrame({"date": np.repeat(dates, stocks), "tic": np.tile(tics, days)})
    for name in ("open", "high", "low", "close", "volume", "macd", "rsi_30"):
        table[name] = close.ravel()
    table.index = pd.Index(table["date"].factorize()[0])
    arguments = {
        "df": table,
        "stock_dim": stocks,
        "hmax": 100,
        "initial_amount": 1e9,
        "num_stock_shares": [0] * stocks,
        "buy_cost_pct": [0.001] * stocks,
        "sell_cost_pct": [0.001] * stocks,
        "reward_scaling": 1e-4,
        "state_space": 1 + 4 * stocks,
        "action_space": stocks,
        "tech_indicator_list": ["macd", "rsi_30"],
    }
    actions = random.uniform(-1, 1, (days, stocks)).astype(np.float32)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load_drl_agent()
        module = importlib.import_module("finrl.meta.env_stock_trading.env_stocktrading")
        kinds = {"FinRL's StockTradingEnv": module.StockTradingEnv}
        kinds["`FinRLTradingEnv`, same arguments"] = FinRLTradingEnv
        for name, kind in kinds.items():
            env = kind(**arguments)

            def play(env: FinRLTradingEnv = env) -> tuple[int, int]:
                env.reset()
                for action in actions[:-1]:
                    env.step(action)
                return days - 1, days - 1

            rates.append(rate(f"{name}, {stocks:,} stocks", play, 1))
    return rates


def report(rates: list[Rate]) -> bool:
    """Print the tables; tell whether the demands hold, by the clock or by one core's CPU time."""
    print("\n| environment | decisions/s | decisions/CPU-s | sessions/CPU-s |")
    print("|---|---|---|---|")
    for r in rates:
        print(
            f"| {r.name} | {r.per_second:,.1f} | {r.per_cpu_second:,.1f} "
            f"| {r.sessions_per_cpu_second:,.0f} |"
        )
    one, many = rates[0], rates[1]
    print("\n| demand | measured | holds |")
    print("|---|---|---|")
    held = []
    for what, least, found in (("single", SINGLE, one), ("batched", BATCHED, many)):
        best = max(found.per_second, found.per_cpu_second)
        held.append(best >= least)
        answer = "yes" if held[-1] else "no"
        print(f"| {what}: at least {least:,.0f} decisions/s | {best:,.0f} | {answer} |")
    return all(held)


def main() -> int:
    """Measure and print; 1 where a demand is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, default=SLOTS)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--finrl-days", type=int, default=4, help="0 leaves FinRL out")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    dataset = market(options.slots, MONTHS)
    rates = [
        single(dataset, options.runs),
        batched(dataset, options.batch, options.runs, together=True),
    ]
    if options.finrl_days:
        rates += finrl(options.slots, options.finrl_days)
    if options.json:
        options.json.write_text(json.dumps([asdict(r) for r in rates], indent=1))
    held = report(rates)
    return 0 if held or options.slots != SLOTS else 1


if __name__ == "__main__":
    raise SystemExit(main())
