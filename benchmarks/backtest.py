"""Measure the backtest engine beside vectorbt, bt and backtrader, or prove that they agree.

    python benchmarks/backtest.py                     all scenarios, all engines
    python benchmarks/backtest.py --without backtrader,bt --scenarios daily
    python benchmarks/backtest.py --check             equal equity at equal fill timing

Every engine runs in a process of its own, one after another, on the same simulated bars, which are
read before the clock starts. Times are CPU-seconds of the process (user and system, all threads),
the least of several runs for engines that compile, after one run to warm them. benchmarks/README.md
says what lies inside the timed call of each.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.case import Case
from benchmarks.equality import compare, comparisons
from benchmarks.market import MINUTES_A_SESSION, simulate
from benchmarks.measure import PEERS, EngineError, Measured, measure
from benchmarks.peers import FOLDER, SetupError, peers_python


@dataclass(frozen=True, slots=True)
class Scenario:
    """Bars and a strategy, which engines run it, and what it must hold.

    Attributes
    ----------
    faster_than : by peer, how many times faster this engine must be
    most_seconds, most_mb : CPU-seconds and resident memory that it may take
    """

    name: str
    symbols: int
    bars: int
    case: Case
    peers: tuple[str, ...] = ()
    minutes: bool = False
    faster_than: tuple[tuple[str, float], ...] = ()
    most_seconds: float | None = None
    most_mb: float | None = None


FASTER = (("vectorbt", 3.0), ("bt", 50.0), ("backtrader", 1000.0))
SCENARIOS = (
    Scenario("daily", 500, 2520, Case("trend"), PEERS, faster_than=FASTER),
    Scenario("momentum", 500, 2520, Case("momentum"), PEERS),
    Scenario("wide", 3000, 2520, Case("trend"), most_seconds=0.6, most_mb=1000.0),
    Scenario("minute", 100, 252 * MINUTES_A_SESSION, Case("trend"), minutes=True, most_seconds=5.0),
    Scenario("plain", 500, 2520, Case("plain"), most_seconds=30.0),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0 if all of it holds, 1 if not."""
    given = parse(arguments)
    try:
        python = None if set(PEERS) <= given.without else peers_python(given.venv)
        return check(given, python) if given.check else speed(given, python)
    except (SetupError, EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare equity instead of time")
    parser.add_argument("--scenarios", default=",".join(names), help="of " + ", ".join(names))
    parser.add_argument("--without", default="", help="peers to leave out, with commas between")
    parser.add_argument("--symbols", type=int, help="instead of each scenario's own number")
    parser.add_argument("--bars", type=int, help="instead of each scenario's own number")
    parser.add_argument("--runs", type=int, default=5, help="measured runs (backtrader, bt: 1)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write everything that was measured here")
    parser.add_argument("--venv", type=Path, default=FOLDER, help="where the peers are installed")
    given = parser.parse_args(arguments)
    given.without = set(filter(None, given.without.split(",")))
    given.scenarios = given.scenarios.split(",")
    for wrong in (given.without - set(PEERS)) | (set(given.scenarios) - set(names)):
        parser.error(f"{wrong!r} is neither one of {', '.join(PEERS)} nor of {', '.join(names)}")
    if min(given.runs, given.symbols or 1, given.bars or 1) < 1:
        parser.error("--runs, --symbols and --bars must be at least 1")
    return given


def speed(given: argparse.Namespace, python: Path | None) -> int:
    """Measure the scenarios, print the table, say what holds."""
    rows, verdicts = [], []
    print(machine())
    for scenario in SCENARIOS:
        if scenario.name not in given.scenarios:
            continue
        measured = list(run_scenario(scenario, given, python))
        rows += [one.to_dict() | {"scenario": scenario.name} for one in measured]
        if given.symbols is None and given.bars is None:
            verdicts += judge(scenario, measured)
    for verdict in verdicts:
        print(("holds  " if verdict["holds"] else "MISSED ") + verdict["what"])
    if given.json:
        report = {"machine": machine(), "measured": rows, "verdicts": verdicts}
        given.json.write_text(json.dumps(report, indent=1))
    return 0 if all(verdict["holds"] for verdict in verdicts) else 1


def run_scenario(
    scenario: Scenario, given: argparse.Namespace, python: Path | None
) -> Iterator[Measured]:
    """Make the bars and run this engine and the scenario's peers on them, one after another."""
    symbols, bars = given.symbols or scenario.symbols, given.bars or scenario.bars
    print(f"\n{scenario.name}: {symbols:,} symbols x {bars:,} bars, {scenario.case.fill}")
    print(f"{'engine':<12}{'CPU s':>10}{'wall s':>10}{'peak MB':>10}{'fills':>10}{'times':>10}")
    with tempfile.TemporaryDirectory() as folder:
        market = Path(folder)
        simulate(symbols, bars, seed=given.seed, minutes=scenario.minutes).save(market)
        own = None
        for engine in ("trading", *scenario.peers):
            if engine in given.without:
                continue
            case = scenario.case
            if engine == "backtrader":
                case = Case(**{**asdict(case), "fractional": False})
            # The plain strategy takes seconds; what compiles is warmed and repeated.
            once = engine in ("bt", "backtrader") or case.strategy == "plain"
            found = measure(
                engine,
                market,
                case,
                python=None if engine == "trading" else python,
                runs=1 if once else given.runs,
                warm=0 if engine in ("bt", "backtrader") else 1 if not once else 0,
            )
            own = own or found.cpu_seconds
            print(
                f"{engine:<12}{found.cpu_seconds:>10.4f}{found.wall_seconds:>10.4f}"
                f"{found.peak_mb:>10.0f}{found.fills:>10,}{found.cpu_seconds / own:>10.1f}",
                flush=True,
            )
            yield found


def judge(scenario: Scenario, measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """Say which of the scenario's demands hold."""
    by_engine = {one.engine: one for one in measured}
    own = by_engine["trading"]
    verdicts = []
    for peer, times in scenario.faster_than:
        if peer in by_engine:
            ratio = by_engine[peer].cpu_seconds / own.cpu_seconds
            what = f"{scenario.name}: {ratio:,.1f} times as fast as {peer} (at least {times:g})"
            verdicts.append({"what": what, "holds": ratio >= times})
    for what, value, most in (
        ("CPU-seconds", own.cpu_seconds, scenario.most_seconds),
        ("MB at the peak", own.peak_mb, scenario.most_mb),
    ):
        if most is not None:
            sentence = f"{scenario.name}: {value:,.3f} {what} (less than {most:g})"
            verdicts.append({"what": sentence, "holds": value < most})
    return verdicts


def check(given: argparse.Namespace, python: Path | None) -> int:
    """Compare the curves with those of vectorbt and backtrader; print how far they are apart."""
    found = []
    print(f"{'peer':<12}{'strategy':<10}{'fill':<12}{'base':<9}{'shares':<12}", end="")
    print(f"{'final':>10}{'curve':>10}{'fills':>9}{'equal':>7}")
    with tempfile.TemporaryDirectory() as folder:
        market = Path(folder)
        simulate(given.symbols or 200, given.bars or 2520, seed=given.seed).save(market)
        for peer, case in comparisons():
            if peer in given.without or python is None:
                continue
            one = compare(peer, case, market, python)
            found.append(one)
            shares = "fractional" if case.fractional else "whole"
            print(f"{peer:<12}{case.strategy:<10}{case.fill:<12}{case.base:<9}{shares:<12}", end="")
            print(
                f"{one.final:>10.1e}{one.curve:>10.1e}{one.fills:>9,}"
                f"{'yes' if one.equal else 'NO':>7}",
                flush=True,
            )
    if given.json:
        report = [asdict(one) | {"equal": one.equal} for one in found]
        given.json.write_text(json.dumps({"machine": machine(), "compared": report}, indent=1))
    return 0 if found and all(one.equal for one in found) else 1


def machine() -> str:
    """Return on what this runs: processor, cores, Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
