"""One market through training and the gate: what `gate.py` and `overfitting.py` count."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gate_market import GateMarket, MarketPlan, simulate, study_settings
from trading.config import Settings
from trading.evaluation.baselines import factor_scorer
from trading.evaluation.information import realised_returns
from trading.evaluation.out_of_fold import Scorer, ensemble_scorer
from trading.evaluation.skill import monthly_outcomes, neutral_skill
from trading.evaluation.validation import validate
from trading.evaluation.walk_forward import Fold, make_folds, outcome_ends
from trading.features.dataset import Dataset

RIDGE_CONTEXT = (1, 2, 3, 4)
RIDGE_PENALTY = 1e3
Candidate = tuple[list[Scorer], dict[str, list[Scorer]]]


@dataclass(frozen=True)
class Study:
    """How each market is judged.

    Attributes
    ----------
    recipe : `agents` (PPO, A2C and SAC, as production trains them, one seed each, and their
        ensemble), `ridge` (least squares on features and their products with the context) or
        `factor` (illiquidity, always: all premium and no skill)
    names, months : of the market; the later half of the months is judged
    slot_steps : training budget of an agent; production's default is `training.slot_steps`
    folds : walk-forward folds
    """

    recipe: str = "agents"
    names: int = 300
    months: int = 120
    slot_steps: int = 300_000
    folds: int = 1


def judge(plan: MarketPlan, study: Study) -> dict[str, Any]:
    """Return what the gate says of one market, as plain JSON values."""
    started = time.process_time()
    settings = study_settings(plan.names, slot_steps=study.slot_steps, folds=study.folds)
    market = simulate(plan, settings)
    folds = make_folds(market.dataset, settings.training)
    scorers, members = RECIPES[study.recipe](market, folds, settings)
    verdict = validate(market.dataset, folds, scorers, settings, members=members).verdict
    evidence = verdict.evidence
    assert evidence is not None
    return {
        "plan": asdict(plan),
        "study": asdict(study),
        "passed": verdict.passed,
        "failed": [check.name for check in verdict.checks if not check.passed],
        "checks": {check.name: check.value for check in verdict.checks},
        "evidence": evidence.model_dump(),
        "oracle": _oracle_skill(market, folds),
        "cpu_seconds": time.process_time() - started,
    }


def _oracle_skill(market: GateMarket, folds: Sequence[Fold]) -> float | None:
    indices = np.concatenate([fold.test for fold in folds])
    found = neutral_skill(market.score[indices], monthly_outcomes(market.dataset, indices))
    return None if found is None else found.mean


def _agents(market: GateMarket, folds: Sequence[Fold], settings: Settings) -> Candidate:
    from trading.agents.ensemble import Ensemble
    from trading.agents.training import train_policy

    dataset = market.dataset
    policies = [
        {
            name: train_policy(dataset, name, 0, settings, fold.train).policy
            for name in settings.training.algorithms
        }
        for fold in folds
    ]
    members: dict[str, list[Scorer]] = {
        name: [ensemble_scorer(dataset, Ensemble((fold[name],))) for fold in policies]
        for name in settings.training.algorithms
    }
    whole = [ensemble_scorer(dataset, Ensemble(tuple(fold.values()))) for fold in policies]
    return whole, members


def _ridge(market: GateMarket, folds: Sequence[Fold], _settings: Settings) -> Candidate:
    return [ridge(market.dataset, fold) for fold in folds], {}


def _factor(market: GateMarket, folds: Sequence[Fold], _settings: Settings) -> Candidate:
    from trading.evaluation.characteristics import ILLIQUIDITY

    return [factor_scorer(market.dataset, ILLIQUIDITY, 1)] * len(folds), {}


RECIPES: dict[str, Callable[[GateMarket, Sequence[Fold], Settings], Candidate]] = {
    "agents": _agents,
    "ridge": _ridge,
    "factor": _factor,
}


def ridge(
    dataset: Dataset,
    fold: Fold,
    penalty: float = RIDGE_PENALTY,
    context: Sequence[int] = RIDGE_CONTEXT,
    *,
    plain: bool = True,
) -> Scorer:
    """Return the least-squares scorer of a fold: features, and their products with the context.

    `plain` is whether the features stand for themselves too.
    """
    ends = outcome_ends(dataset)
    width = dataset.features.shape[2] * (plain + len(context))
    products, moments = penalty * np.eye(width), np.zeros(width)
    for index in fold.train:
        outcome = realised_returns(dataset, int(index), int(ends[index]))
        known = dataset.eligible[index] & np.isfinite(outcome)
        if known.sum() < 20:
            continue
        goal = outcome[known] - np.median(outcome[known])
        goal = np.clip(goal / (goal.std() + 1e-12), -3.0, 3.0)
        table = _expanded(dataset, int(index), context, plain=plain)[known]
        products += table.T @ table
        moments += table.T @ goal
    slopes = np.linalg.solve(products, moments)
    return lambda index, _held: (_expanded(dataset, index, context, plain=plain) @ slopes, None)


def _expanded(dataset: Dataset, index: int, context: Sequence[int], *, plain: bool) -> np.ndarray:
    features = dataset.features[index].astype(np.float64)
    numbers = np.tanh(dataset.context[index].astype(np.float64))
    products = [features * numbers[k] for k in context]
    return np.concatenate([features, *products] if plain else products, axis=1)


def judge_all(plans: Sequence[MarketPlan], study: Study, log: Path | None) -> list[dict[str, Any]]:
    """Judge every market; those that the log holds are read, and each new one is added to it."""
    done = {json.dumps(row["plan"]): row for row in _read(log, study)}
    rows = []
    for number, plan in enumerate(plans, 1):
        key = json.dumps(asdict(plan))
        if key not in done:
            done[key] = judge(plan, study)
            if log is not None:
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(done[key]) + "\n")
        rows.append(done[key])
        print(f"\r{number}/{len(plans)} markets", end="", flush=True)
    print()
    return rows


def _read(log: Path | None, study: Study) -> Iterator[dict[str, Any]]:
    if log is None or not log.exists():
        return
    for line in log.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["study"] == asdict(study):
            yield row
