"""Does it learn? PPO, A2C and SAC on planted markets: `python -m benchmarks.learning`.

Every market has its own seed. Agents and ridge regression learn from the first 84 months, less an
embargo; the 36 months after them are judged through production's own selection, limits and
simulator, at 10 basis points a side. Luck is taken out by simulating the same decisions on the
market's conditional means; what the drawn returns made of them stands beside it.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

from benchmarks.planted import planted_dataset, without_luck  # noqa: E402
from trading.agents.ensemble import Ensemble  # noqa: E402
from trading.agents.training import train_policy  # noqa: E402
from trading.config import Algorithm, CostSettings, Settings  # noqa: E402
from trading.data.simulation.regimes import (  # noqa: E402
    PlantedMarket,
    PlantedMarketSettings,
    plant_market,
)
from trading.evaluation.baselines import choose_factor, equal_weight, factor_scorer  # noqa: E402
from trading.evaluation.information import feature_information, realised_returns  # noqa: E402
from trading.evaluation.out_of_fold import Scorer, ensemble_scorer, replay  # noqa: E402
from trading.evaluation.walk_forward import outcome_ends  # noqa: E402
from trading.features.dataset import Dataset  # noqa: E402

LEARN, JUDGED = 84, 36
MONTHS_A_YEAR = 12
COSTS = CostSettings(commission_bps=10.0, slippage_bps=0.0, impact_coefficient=0.0)
RIDGE_PENALTIES = (1e2, 1e3, 1e4, 1e5)
DEMANDED_SHARE, DEMANDED_SEEDS = 0.5, 0.9
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
Who = Literal["ppo", "a2c", "sac", "ensemble", "ridge", "ridge x context", "factor", "oracle"]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Line:
    """What one score earned in one market; excess is a year's, in percent, over equal weight.

    Attributes
    ----------
    seed, who : the market and whose score
    excess : net of costs, on the conditional means
    realised : net of costs, on the returns that were drawn
    information : mean monthly rank correlation with the returns that were drawn
    likeness : mean correlation of the score with the oracle's
    turnover : one way, a year
    seconds : CPU time of the fit
    """

    seed: int
    who: str
    excess: float
    realised: float
    information: float
    likeness: float
    turnover: float
    seconds: float


def judge_market(settings: PlantedMarketSettings, configuration: Settings) -> list[Line]:
    """Return every score's line in one market."""
    market = plant_market(settings)
    dataset = planted_dataset(market)
    judged = np.arange(LEARN, LEARN + JUDGED)
    ends = outcome_ends(dataset)
    last = int(dataset.decisions[judged[0]]) - configuration.training.embargo_sessions
    learn = np.flatnonzero((ends >= 0) & (ends <= last))
    lines = []
    for who, scorer, seconds in _scorers(market, dataset, learn, configuration):
        lines.append(_line(market, dataset, judged, who, scorer, seconds, configuration))
    return lines


def _scorers(
    market: PlantedMarket, dataset: Dataset, learn: IntArray, settings: Settings
) -> Iterator[tuple[Who, Scorer, float]]:
    yield "oracle", lambda at, _held: (market.signal[at].astype(np.float64), None), 0.0
    factor = choose_factor(feature_information(dataset), learn)
    yield "factor", factor_scorer(dataset, factor.index, factor.sign), 0.0
    for who, inputs in (("ridge", _plain), ("ridge x context", _crossed)):
        started = time.process_time()
        weights = _ridge(dataset, learn, inputs)
        scorer = partial(_linear_score, dataset, weights, inputs)
        yield who, scorer, time.process_time() - started  # type: ignore[misc]
    policies = []
    for algorithm in ALGORITHMS:
        started = time.process_time()
        trained = train_policy(dataset, algorithm, market.settings.seed, settings, learn)
        policies.append(trained.policy)
        scorer = ensemble_scorer(dataset, Ensemble((trained.policy,)))
        yield algorithm, scorer, time.process_time() - started
    yield "ensemble", ensemble_scorer(dataset, Ensemble(tuple(policies))), 0.0


def _line(
    market: PlantedMarket,
    dataset: Dataset,
    judged: IntArray,
    who: Who,
    scorer: Scorer,
    seconds: float,
    settings: Settings,
) -> Line:
    expected = without_luck(dataset, market)
    excess = []
    for world in (expected, dataset):
        track = replay(world, judged, scorer, settings, name=who, label=who).track
        even = equal_weight(world, judged, settings)
        gained = float(np.sum(track.net_returns) - np.sum(even.net_returns))
        excess.append(100.0 * gained * MONTHS_A_YEAR / len(judged))
    nothing = np.zeros(len(dataset.symbols))
    likeness = [np.corrcoef(scorer(int(at), nothing)[0], market.signal[at])[0, 1] for at in judged]
    return Line(
        seed=market.settings.seed,
        who=who,
        excess=excess[0],
        realised=excess[1],
        information=float(np.nanmean(track.information)),
        likeness=float(np.mean(likeness)),
        turnover=float(track.turnover.sum()) * MONTHS_A_YEAR / len(judged),
        seconds=seconds,
    )


Inputs = Callable[[Dataset, int], FloatArray]


def _plain(dataset: Dataset, at: int) -> FloatArray:
    return dataset.features[at].astype(np.float64)


def _crossed(dataset: Dataset, at: int) -> FloatArray:
    features, context = _plain(dataset, at), dataset.context[at].astype(np.float64)
    products = features[:, :, None] * context
    return np.concatenate([features, products.reshape(len(features), -1)], axis=1)


def _ridge(dataset: Dataset, learn: IntArray, inputs: Inputs) -> FloatArray:
    """Return ridge weights; the penalty is the one that does best on the last year of `learn`."""
    ends = outcome_ends(dataset)
    parts = []
    for at in learn:
        outcome = realised_returns(dataset, int(at), int(ends[at]))
        seen = inputs(dataset, int(at))
        goal = (outcome - outcome.mean()) / outcome.std()
        parts.append((seen.T @ seen, seen.T @ goal))
    grams, moments = (np.stack(values) for values in zip(*parts, strict=True))
    early = len(learn) - MONTHS_A_YEAR

    def solve(count: int, penalty: float) -> FloatArray:
        gram = grams[:count].sum(axis=0) + penalty * np.eye(grams.shape[1])
        return np.asarray(np.linalg.solve(gram, moments[:count].sum(axis=0)))

    def quality(penalty: float) -> float:
        weights = solve(early, penalty)
        gained = weights @ moments[early:].sum(axis=0)
        return float(gained / np.sqrt(weights @ grams[early:].sum(axis=0) @ weights))

    return solve(len(learn), max(RIDGE_PENALTIES, key=quality))


def _linear_score(
    dataset: Dataset, weights: FloatArray, inputs: Inputs, at: int, _held: FloatArray
) -> tuple[FloatArray, None]:
    return inputs(dataset, at) @ weights, None


def report(lines: list[Line], seeds: int) -> bool:
    """Print the tables; tell whether every algorithm does what is demanded."""
    by = {(line.seed, line.who): line for line in lines}
    names = list(dict.fromkeys(line.who for line in lines))
    print("| score | net excess % a year | share of oracle | seeds >= half and > factor ", end="")
    print("| realised % | rank IC | like oracle | turnover a year | CPU-s |")
    print("|---|---|---|---|---|---|---|---|---|")
    passed = True
    for who in names:
        own = [by[seed, who] for seed in sorted({line.seed for line in lines})]
        shares = [line.excess / by[line.seed, "oracle"].excess for line in own]
        held = [
            share >= DEMANDED_SHARE and line.excess > by[line.seed, "factor"].excess
            for share, line in zip(shares, own, strict=True)
        ]
        if who in ALGORITHMS:
            passed &= sum(held) >= DEMANDED_SEEDS * seeds

        def mean(name: str, own: list[Line] = own) -> float:
            return float(np.mean([getattr(line, name) for line in own]))

        print(
            f"| {who} | {mean('excess'):.2f} | {np.mean(shares):.2f} (least {min(shares):.2f}) "
            f"| {sum(held)} of {seeds} | {mean('realised'):.2f} | {mean('information'):.3f} "
            f"| {mean('likeness'):.2f} | {mean('turnover'):.1f} | {mean('seconds'):.1f} |"
        )
    return passed


def main(arguments: list[str] | None = None) -> int:
    """Run the study; ends with 1 when a demand is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--slot-steps", type=int, help="budget of a fit; default the settings'")
    parser.add_argument("--json", type=Path, help="write every line there, as markets are judged")
    for name, value in asdict(PlantedMarketSettings()).items():
        if name != "seed":
            flag = f"--{name}"
            parser.add_argument(flag, type=type(value), default=value, help="of the market")
    given = vars(parser.parse_args(arguments))
    market = {
        name: value
        for name, value in given.items()
        if name in PlantedMarketSettings.__dataclass_fields__
    }
    settings = Settings(costs=COSTS)
    if given["slot_steps"]:
        training = settings.training.model_copy(update={"slot_steps": given["slot_steps"]})
        settings = settings.model_copy(update={"training": training})
    base = PlantedMarketSettings(**market | {"months": LEARN + JUDGED})
    first = given["first_seed"]
    markets = [replace(base, seed=seed) for seed in range(first, first + given["seeds"])]
    lines: list[Line] = []
    with ProcessPoolExecutor(given["processes"], mp_context=get_context("spawn")) as pool:
        for done in pool.map(partial(judge_market, configuration=settings), markets):
            lines += done
            shares = {line.who: round(line.excess / done[0].excess, 2) for line in done}
            print(
                f"seed {done[0].seed}, share of the oracle: {shares}", file=sys.stderr, flush=True
            )
            if given["json"]:
                given["json"].write_text(json.dumps([asdict(line) for line in lines], indent=1))
    default = asdict(PlantedMarketSettings())
    changed = {name: value for name, value in market.items() if value != default[name]}
    kind, budget = changed or "as default", settings.training.slot_steps
    print(f"{len(markets)} markets, {kind}, budget {budget:,}\n")
    return 0 if report(lines, len(markets)) else 1


if __name__ == "__main__":
    sys.exit(main())
