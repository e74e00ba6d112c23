"""Walk-forward results on real bars: every algorithm, the ensemble and all baselines, net of costs.

    .venv/bin/python benchmarks/evaluation.py                  # about 5 minutes of one core
    .venv/bin/python benchmarks/evaluation.py --slot-steps 300000 --json results.json

The bars are those of `$TRADING_REAL_DATA/prices` (2016 to 2019, names that were delisted later
included). Nothing is chosen by these results: settings are the defaults, and the last year was not
looked at for any of them. `--checkpoints` keeps finished fits; an interrupted run goes on there.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.gate_study import ridge
from trading.agents.artifact import Artifact, merge
from trading.agents.job import plan_fits
from trading.agents.recipe import Recipe, train_recipe
from trading.backtest.metrics import sharpe, sharpe_error, total_return
from trading.cli.evaluate import EvaluateOptions
from trading.cli.evaluate_run import evaluation_dataset
from trading.config import Settings
from trading.config.learning import TrainingSettings
from trading.data.benchmark import load_benchmark
from trading.evaluation.baselines import align_benchmark, baseline_tracks, best_factor, momentum
from trading.evaluation.gate import figures_of
from trading.evaluation.model_scorers import fold_scorers, member_scorers
from trading.evaluation.out_of_fold import OutOfSample, score_folds, scores_on
from trading.evaluation.skill import annual, monthly_outcomes, net_alpha, neutral_skill
from trading.evaluation.study import SURVIVORSHIP
from trading.evaluation.track import Track
from trading.evaluation.validation import validate
from trading.evaluation.walk_forward import Fold, make_folds
from trading.features.dataset import Dataset

DATA = Path(os.environ.get("TRADING_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
FILES = ("r3000_2016_2019.parquet", "delisted_2016_2019.parquet")
INDEX = "benchmarks_to_2019.parquet"
AS_OF = date(2020, 1, 2)
LAST_YEAR = "2019"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, judge and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slot-steps", type=int, help="training budget (default: the product's)")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--months", type=int, default=24, help="least months to be judged")
    parser.add_argument("--checkpoints", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    prices = DATA / "prices"
    if not all((prices / name).exists() for name in (*FILES, INDEX)):
        print(f"no real bars at {prices}; set TRADING_REAL_DATA")
        return 1
    settings = _settings(given)
    files = tuple(prices / name for name in FILES)
    dataset, source, _ = evaluation_dataset(EvaluateOptions(bars=files, as_of=AS_OF), settings)
    folds = make_folds(dataset, settings.training, min_months=settings.gate.min_months)
    started = time.process_time()
    artifact = _train(dataset, settings, given.checkpoints)
    print(f"{source}: {sum(map(bool, dataset.symbols)):,} names; trained in "
          f"{time.process_time() - started:,.0f} CPU-seconds")  # fmt: skip
    rows, verdict = _results(dataset, folds, artifact, settings, prices / INDEX)
    print("\n".join(_table(rows)))
    print(f"\nThe gate on the ensemble: {verdict.summary}")
    for check in verdict.checks:
        print(f"- {'holds' if check.passed else 'FAILS'}: {check.reason}")
    print(f"\n{SURVIVORSHIP}")
    if given.json:
        given.json.write_text(json.dumps({"rows": rows, "verdict": verdict.model_dump()}, indent=1))
    return 0


def _settings(given: argparse.Namespace) -> Settings:
    chosen: dict[str, Any] = {"seeds": tuple(range(given.seeds))}
    if given.slot_steps:
        chosen["slot_steps"] = given.slot_steps
    plain = Settings()
    gate = plain.gate.model_copy(update={"min_months": given.months})
    return plain.model_copy(update={"training": TrainingSettings(**chosen), "gate": gate})


def _train(dataset: Dataset, settings: Settings, checkpoints: Path | None) -> Artifact:
    # The final refit scores no judged month; it is left to the last and kept, as in production.
    fits = plan_fits(dataset, settings)
    jobs = []
    for algorithm in settings.training.algorithms:
        for seed in settings.training.seeds:
            recipe = Recipe(algorithm, seed, settings, fits)
            kept = None if checkpoints is None else checkpoints / recipe.member
            jobs.append(train_recipe(dataset, recipe, kept))
            print(f"trained {recipe.member}", file=sys.stderr, flush=True)
    return merge(jobs)


def _results(
    dataset: Dataset,
    folds: Sequence[Fold],
    artifact: Artifact,
    settings: Settings,
    index_file: Path,
) -> tuple[list[dict[str, Any]], Any]:
    found = load_benchmark(index_file, "SPY")
    benchmark = align_benchmark(found.symbol, found.panel(), dataset)
    members = member_scorers(artifact, dataset, folds)
    whole = fold_scorers(artifact, dataset, folds)
    verdict = validate(
        dataset, folds, whole, settings, benchmark=benchmark, members=members
    ).verdict
    scored = {"ensemble": score_folds(dataset, folds, whole, settings)}
    for name, scorers in members.items():
        scored[name] = score_folds(dataset, folds, scorers, settings, name=name, label=name)
    lines = [ridge(dataset, fold) for fold in folds]
    scored["ridge"] = score_folds(dataset, folds, lines, settings, name="ridge", label="ridge")
    scored["best factor"] = best_factor(dataset, folds, settings)
    scored["momentum"] = momentum(dataset, folds, settings)
    tracks = baseline_tracks(dataset, folds, settings, benchmark)
    plain: dict[str, OutOfSample | None] = dict(scored)
    every: dict[str, Track] = {name: record.track for name, record in scored.items()}
    for name in ("equal_weight", "index"):
        every[name], plain[name] = tracks[name], None
    indices = np.concatenate([fold.test for fold in folds])
    outcomes = monthly_outcomes(dataset, indices)
    rows = []
    for name, track in every.items():
        lead = figures_of(tracks["equal_weight"], against=track, samples=2000)
        record = plain[name]
        skill = None if record is None else neutral_skill(scores_on(dataset, record), outcomes)
        alpha = net_alpha(track, dataset, indices, outcomes)
        last = np.array([str(day).startswith(LAST_YEAR) for day in track.sessions])
        rows.append(
            {
                "name": name,
                "label": track.label,
                "figures": figures_of(track).model_dump(),
                "lead": lead.excess_return,
                "lead_p": lead.p_value,
                "information": None if skill is None else (skill.mean, skill.error, skill.p_value),
                "alpha": None if alpha is None else (annual(alpha), annual(alpha, error=True)),
                "last_year": float(total_return(track.net_returns[last])),
                "last_sharpe": float(sharpe(track.net_returns[last])),
                "last_error": float(sharpe_error(track.net_returns[last])),
            }
        )
    return rows, verdict


def _table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| | return a year | Sharpe ± error | drawdown | turnover | over equal weight (p) | "
        "information beyond beta, size, illiquidity ± error (p) | net alpha ± error | "
        f"{LAST_YEAR} alone: return, Sharpe ± error |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        f = row["figures"]
        lead = "" if not row["lead"] else f"{row['lead']:+.1%} ({row['lead_p'] or 1.0:.2f})"
        known = row["information"]
        skill = "" if known is None else f"{known[0]:+.4f} ± {known[1]:.4f} ({known[2]:.2f})"
        alpha = "" if row["alpha"] is None else f"{row['alpha'][0]:+.1%} ± {row['alpha'][1]:.1%}"
        lines.append(
            f"| {row['name'].replace('_', ' ')} | {f['annual_return']:.1%} | {f['sharpe']:.2f} ± "
            f"{f['sharpe_error']:.2f} | {f['max_drawdown']:.1%} | {f['annual_turnover']:.1f} | "
            f"{lead} | {skill} | {alpha} | {row['last_year']:.1%}, {row['last_sharpe']:.2f} ± "
            f"{row['last_error']:.2f} |"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
