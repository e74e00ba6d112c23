"""A universe that changes under a policy that does not: `python -m benchmarks.churn`.

A policy learns on 3,000 members of a planted market and is then run, never retrained, for three
years in which 250 members a year are replaced by names it has not seen. Printed are what it earns
with and without the changes, what they force it to sell, and how many slots change their name.
"""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

from benchmarks.planted import planted_dataset, without_luck  # noqa: E402
from trading.agents.ensemble import Ensemble  # noqa: E402
from trading.agents.training import train_policy  # noqa: E402
from trading.config import Algorithm, CostSettings, Settings, UniverseSettings  # noqa: E402
from trading.data.simulation.regimes import (  # noqa: E402
    PlantedMarket,
    PlantedMarketSettings,
    plant_market,
)
from trading.evaluation.out_of_fold import ensemble_scorer, production_target  # noqa: E402
from trading.evaluation.track import follow_decisions  # noqa: E402
from trading.evaluation.walk_forward import outcome_ends  # noqa: E402
from trading.features.dataset import Dataset  # noqa: E402
from trading.universe.slots import SlotMap, allocate  # noqa: E402

LEARN, JUDGED, YEAR = 84, 36, 12
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
Mayhold = Callable[[int, FloatArray], BoolArray]


@dataclass(frozen=True)
class Membership:
    """Who is a member when, and who was one lately.

    Attributes
    ----------
    members : (D, N) bool
    remembered : (D, N) bool, left within the last 12 months
    """

    members: BoolArray
    remembered: BoolArray


def memberships(count: int, names: int, active: int, replaced: int, first: int) -> Membership:
    """Return memberships of which `replaced` a year go, and as many names come that never were.

    The changes are made at decision `first` and every twelve judged ones after it; leavers are
    drawn evenly.
    """
    random = np.random.default_rng(0)
    members = np.zeros((count, names), dtype=bool)
    remembered = np.zeros((count, names), dtype=bool)
    inside, fresh, left = np.arange(active), active, np.empty(0, dtype=np.int64)
    for month in range(count):
        if first <= month < first + JUDGED and (month - first) % YEAR == 0:
            gone = random.choice(active, replaced, replace=False)
            left = inside[gone]
            inside = np.append(np.delete(inside, gone), np.arange(fresh, fresh + replaced))
            fresh += replaced
        members[month, inside] = True
        remembered[month, left] = True
    return Membership(members, remembered)


def follow_policy(
    market: PlantedMarket, dataset: Dataset, ensemble: Ensemble, may: Mayhold, settings: Settings
) -> dict[str, float]:
    """Follow the judged months; `may(decision, held)` tells which names may be held."""
    judged = np.arange(LEARN, LEARN + JUDGED)
    scorer, forced = ensemble_scorer(dataset, ensemble), 0.0

    def choose(at: int, held: FloatArray, nav: float) -> FloatArray:
        nonlocal forced
        allowed = may(at, held)
        forced += float(held[~allowed].sum())
        score, sure = scorer(at, held)
        score = np.where(allowed, score, np.nan)
        return production_target(dataset, at, score, sure, held, nav, settings)

    expected = without_luck(dataset, market)
    run = follow_decisions(expected, judged, choose, settings)
    even = follow_decisions(
        expected,
        judged,
        lambda at, _held, _nav: _even(
            dataset.eligible[at] & may(at, np.zeros(len(dataset.symbols)))
        ),
        settings,
    )
    years = JUDGED / YEAR
    return {
        "net excess % a year": 100.0
        * float(run.net_returns.sum() - even.net_returns.sum())
        / years,
        "turnover a year": float(run.turnover.sum()) / years,
        "forced turnover % a year": 100.0 * forced / years,
        "names": float(run.names.mean()),
    }


def _even(allowed: BoolArray) -> FloatArray:
    return allowed / max(int(allowed.sum()), 1)


def slot_changes(replaced: int, years: int, universe: UniverseSettings) -> dict[str, float]:
    """Return the share of slots, in percent a year, that come to stand for another name.

    Slots in the order of the alphabet, slots freed at once, and the product's, with an archive.
    """
    random = np.random.default_rng(1)
    pool = [f"N{number:05d}" for number in range(universe.active + replaced * years)]
    order = random.permutation(len(pool))
    members = [pool[place] for place in order[: universe.active]]
    fresh = [pool[place] for place in order[universe.active :]]
    little = universe.model_copy(
        update={"archive": 1, "padding": universe.slots - universe.active - 1}
    )
    maps: dict[str, SlotMap | None] = {"freed at once": None, "with the archive": None}
    changed = {"in the order of the alphabet": 0, "freed at once": 0, "with the archive": 0}
    alphabet: list[str] = []
    for year in range(years + 1):
        if year:
            stay = random.permutation(universe.active)[replaced:]
            members = [members[place] for place in stay] + fresh[:replaced]
            fresh = fresh[replaced:]
        day = date(2010 + year, 7, 1)
        ordered = sorted(members)
        changed["in the order of the alphabet"] += _renamed(alphabet, ordered)
        alphabet = ordered
        for way, settings in (("freed at once", little), ("with the archive", universe)):
            before = maps[way]
            after, _ = allocate(before, members, day, settings)
            if before is not None:
                changed[way] += _renamed(list(before.symbols), list(after.symbols))
            maps[way] = after
    return {way: 100.0 * count / years / universe.slots for way, count in changed.items()}


def _renamed(before: list[str], after: list[str]) -> int:
    return sum(bool(a) and bool(b) and a != b for a, b in zip(before, after, strict=False))


def main(arguments: list[str] | None = None) -> int:
    """Run the study; ends with 1 when the changes cost more than half of the excess return."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--algorithm", default="ppo", choices=("ppo", "a2c", "sac"))
    parser.add_argument("--active", type=int, default=3000)
    parser.add_argument("--replaced", type=int, default=250)
    given = parser.parse_args(arguments)
    algorithm: Algorithm = given.algorithm
    years = JUDGED // YEAR
    names = given.active + given.replaced * years
    market = plant_market(PlantedMarketSettings(names=names, months=LEARN + JUDGED))
    dataset = planted_dataset(market)
    dataset.eligible[:LEARN, given.active :] = False
    settings = Settings(
        costs=CostSettings(commission_bps=10.0, slippage_bps=0.0, impact_coefficient=0.0)
    )
    ends = outcome_ends(dataset)
    last = int(dataset.decisions[LEARN]) - settings.training.embargo_sessions
    learn = np.flatnonzero((ends >= 0) & (ends <= last))
    ensemble = Ensemble((train_policy(dataset, algorithm, 0, settings, learn).policy,))
    count = len(dataset.decisions)
    still = memberships(count, names, given.active, 0, LEARN)
    moving = memberships(count, names, given.active, given.replaced, LEARN)
    ways: dict[str, Mayhold] = {
        "no name replaced": lambda at, _held: still.members[at],
        "replaced, sold when they leave": lambda at, _held: moving.members[at],
        "replaced, holdings kept up to 12 months": lambda at, held: (
            moving.members[at] | (moving.remembered[at] & (held > 0.0))
        ),
    }
    print(
        f"{algorithm}, {given.active:,} members, {given.replaced} replaced a year, not retrained\n"
    )
    found = {
        way: follow_policy(market, dataset, ensemble, may, settings) for way, may in ways.items()
    }
    figures = list(next(iter(found.values())))
    print(f"| universe | {' | '.join(figures)} |\n|---|{'---|' * len(figures)}")
    for way, values in found.items():
        print(f"| {way} | {' | '.join(f'{values[figure]:.2f}' for figure in figures)} |")
    print("\n| slots | come to stand for another name, % a year |\n|---|---|")
    for way, share in slot_changes(given.replaced, 10, settings.universe).items():
        print(f"| {way} | {share:.1f} |")
    kept = [values["net excess % a year"] for values in found.values()]
    return 0 if min(kept[1:]) > 0.5 * kept[0] > 0.0 else 1


if __name__ == "__main__":
    sys.exit(main())
