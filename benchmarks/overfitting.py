"""Measure the probability of backtest overfitting where there is nothing, and where there is.

    .venv/bin/python benchmarks/overfitting.py            # 40 markets of each kind, 2 minutes
    .venv/bin/python benchmarks/overfitting.py --agents   # with PPO, A2C and SAC too

Every market has 1,000 names and 120 months; candidates learn from the first half and are compared
over the rest by cross-validation of their monthly information beyond beta, size and illiquidity.
They are least squares on the features' products with one number of the context, for each of the
eight, and with all of them (on the plant two of these nine have skill); every ranked feature as a
factor (none has skill by itself); two that draw lots; with `--agents` the three algorithms. Ends
with 1 if the mean lies outside .40 to .60 on noise, or above .10 on the plant.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.gate_market import study_settings
from benchmarks.gate_study import ridge
from benchmarks.planted import planted_dataset
from trading.agents.ensemble import Ensemble
from trading.data.simulation.regimes import PlantedMarketSettings, plant_market
from trading.evaluation.evidence import candidate_information
from trading.evaluation.out_of_fold import Scorer, ensemble_scorer
from trading.evaluation.overfitting import probability_of_overfitting
from trading.evaluation.skill import monthly_outcomes
from trading.evaluation.walk_forward import make_folds
from trading.features.dataset import Dataset

NAMES, MONTHS, ORACLE = 1000, 120, 0.05
REGIMES = ("state", "volatility", "continuous")
NOISE_RANGE, MOST_ON_PLANT = (0.40, 0.60), 0.10


def judge(seed: int, oracle: float, *, agents: bool, slot_steps: int) -> dict[str, Any]:
    """Return the estimate on one market, as plain JSON values."""
    started = time.process_time()
    settings = study_settings(NAMES, slot_steps=slot_steps, folds=1)
    market = plant_market(
        PlantedMarketSettings(
            seed=seed,
            names=NAMES,
            months=MONTHS,
            information=oracle,
            regime=REGIMES[seed % len(REGIMES)],
        )
    )
    dataset = planted_dataset(market)
    folds = make_folds(dataset, settings.training)
    every = range(dataset.context.shape[1])
    members: dict[str, Sequence[Scorer]] = {
        f"ridge-{number}": [ridge(dataset, fold, context=(number,), plain=False) for fold in folds]
        for number in every
    }
    members["ridge-all"] = [ridge(dataset, fold, context=every) for fold in folds]
    members |= {f"lots-{k}": [_lots(dataset, seed, k)] * len(folds) for k in range(2)}
    if agents:
        from trading.agents.training import train_policy

        for name in settings.training.algorithms:
            members[name] = [
                ensemble_scorer(
                    dataset,
                    Ensemble((train_policy(dataset, name, 0, settings, fold.train).policy,)),
                )
                for fold in folds
            ]
    indices = np.concatenate([fold.test for fold in folds])
    found = candidate_information(dataset, folds, monthly_outcomes(dataset, indices), members)
    chosen = probability_of_overfitting(np.column_stack(list(found.values())))
    assert chosen is not None
    return {
        "seed": seed,
        "oracle": oracle,
        "agents": agents,
        "slot_steps": slot_steps if agents else None,
        "probability": chosen.probability,
        "candidates": chosen.candidates,
        "months": len(indices),
        "means": {name: float(np.nanmean(values)) for name, values in found.items()},
        "cpu_seconds": time.process_time() - started,
    }


def _lots(dataset: Dataset, seed: int, number: int) -> Scorer:
    drawn = np.random.default_rng([seed, number]).standard_normal(dataset.eligible.shape)
    return lambda index, _held: (drawn[index], None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markets", type=int, default=40, help="of each kind")
    parser.add_argument("--agents", action="store_true")
    parser.add_argument("--slot-steps", type=int, default=400_000)
    parser.add_argument("--log", type=Path, help="a line a market; read again on the next run")
    given = parser.parse_args(arguments)
    options = {"agents": given.agents, "slot_steps": given.slot_steps}
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, oracle in (("noise", 0.0), (f"planted, oracle {ORACLE}", ORACLE)):
        rows[name] = []
        for seed in range(given.markets):
            row = _kept(given.log, seed, oracle, options) or judge(seed, oracle, **options)
            rows[name].append(row)
            print(f"\r{name}: {seed + 1}/{given.markets}", end="", flush=True)
        print()
    for line in table(rows):
        print(line)
    noise, plant = (
        float(np.mean([row["probability"] for row in found])) for found in rows.values()
    )
    holds = NOISE_RANGE[0] <= noise <= NOISE_RANGE[1] and plant <= MOST_ON_PLANT
    print(f".40 to .60 on noise and at most .10 on the plant: {'holds' if holds else 'MISSED'}")
    return 0 if holds else 1


def _kept(log: Path | None, seed: int, oracle: float, options: dict[str, Any]) -> Any:
    """Return the market's line of the log, after adding it if it is not there yet."""
    if log is None:
        return None
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    budget = options["slot_steps"] if options["agents"] else None
    wanted = (seed, oracle, options["agents"], budget)
    for row in map(json.loads, lines):
        if (row["seed"], row["oracle"], row["agents"], row["slot_steps"]) == wanted:
            return row
    row = judge(seed, oracle, **options)
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    return row


def table(rows: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return the lines of the Markdown table."""
    lines = [
        "| markets | n | candidates | months | probability of overfitting, mean | "
        "standard error | lowest | highest |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, found in rows.items():
        values = np.array([row["probability"] for row in found])
        error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
        lines.append(
            f"| {name} | {len(values)} | {found[0]['candidates']} | {found[0]['months']} | "
            f"{values.mean():.3f} | {error:.3f} | {values.min():.2f} | {values.max():.2f} |"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
