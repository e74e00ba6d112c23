"""`trading cost`: what the environments cost a month, by the program's own resources."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from trading.cli.cloud import SOURCE_ROOT
from trading.cli.options import AsJson
from trading.cli.output import DONE, FAILED, print_json, result, table
from trading.cost.bill import DESIGN_USD, LIMITS_USD, MARKET_DATA_USD, Bill, Limit, bill, growth
from trading.cost.prices import Prices, load_prices
from trading.cost.resources import Part, Resource
from trading.cost.usage import Usage
from trading.errors import ConfigurationError

PRODUCTION = "prod"
SECONDS = 300
GROWTH_LINES = 5


def cost_command(
    stack: Annotated[
        list[str] | None, typer.Option(help="dev, staging, prod; may be repeated (default: all).")
    ] = None,
    times: Annotated[
        float, typer.Option(min=0.01, max=1000.0, help="So many times the design's use.")
    ] = 1.0,
    as_json: AsJson = False,
) -> int:
    """Print the month's bill, line by line, by list prices without free tiers.

    Exit code 1: production is above what the design allows at its use.
    """
    prices, usage = load_prices(), Usage()
    stacks = tuple(dict.fromkeys(stack or known_stacks()))
    resources = {one: registered(one) for one in stacks}
    bills = {one: bill(found, usage.times(times), prices) for one, found in resources.items()}
    grown = {one: bill(found, usage.times(10 * times), prices) for one, found in resources.items()}
    if as_json:
        print_json(_told(bills, grown, prices, usage.times(times)))
    else:
        for one in stacks:
            _print(one, bills[one], grown[one])
        result.print(
            f"List prices of {prices.region} as of {prices.dated}, no free tiers;"
            f" use is {times:g} times the design's. docs/cost.md says what it is made of."
        )
    within = PRODUCTION not in bills or times != 1.0 or not _above(bills[PRODUCTION])
    return DONE if within else FAILED


def known_stacks() -> list[str]:
    """Return the environments, of which each has a `Pulumi.<stack>.yaml`; production is last."""
    found = sorted(path.name.split(".")[1] for path in SOURCE_ROOT.glob("Pulumi.*.yaml"))
    return sorted(found, key=lambda one: one == PRODUCTION)


def registered(stack: str) -> list[Resource]:
    """Return what the program registers for an environment.

    Raises
    ------
    ConfigurationError
        When there is no such environment, no program, or it fails.
    """
    if stack not in known_stacks():
        known = ", ".join(known_stacks()) or "none; run it from a checkout"
        raise ConfigurationError(f"there is no environment {stack!r}; there are {known}")
    command = [sys.executable, "-m", "stackcheck.monitor", stack, "{}", str(SOURCE_ROOT)]
    path = os.pathsep.join([str(SOURCE_ROOT), str(SOURCE_ROOT / "src")])
    try:
        finished = subprocess.run(  # noqa: S603 - our own program, no shell
            command,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": path},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(f"the program of {stack} took longer than {SECONDS} s") from error
    if finished.returncode:
        last = (finished.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ConfigurationError(f"the program of {stack} failed: {last}")
    return [
        Resource(one["type"], one["name"], one["inputs"])
        for one in json.loads(finished.stdout)["resources"]
        if one["custom"] and one["type"].startswith("aws:")
    ]


def _totals(one: Bill) -> dict[Limit, float]:
    return {Limit.RUNNING: one.total(Part.RUNNING), Limit.ALL: one.total()}


def _above(one: Bill) -> bool:
    return any(total > LIMITS_USD[limit] for limit, total in _totals(one).items())


def _print(stack: str, now: Bill, then: Bill) -> None:
    grid = table(
        f"{stack}: US dollars a month",
        *("service", "item", "quantity", "unit", "price", "USD"),
        right=("quantity", "price", "USD"),
    )
    for line in now.lines:
        where = "" if line.part is Part.RUNNING else f" ({line.part})"
        grid.add_row(
            *(line.service, line.item + where, f"{line.quantity:,.5g}", line.unit),
            *(f"{line.price_usd:.10g}", f"{line.usd:.2f}"),
        )
    result.print(grid)
    for limit, total in _totals(now).items():
        allowed = f" (design: at most {LIMITS_USD[limit]:.2f})" if stack == PRODUCTION else ""
        result.print(f"  {limit}: {total:.2f}{allowed}")
    if stack == PRODUCTION:
        without_door = now.total(Part.RUNNING) + MARKET_DATA_USD
        result.print(
            f"  with market data for {MARKET_DATA_USD:.2f}: {without_door:.2f} without front door"
            f" and way out (design's budget: {DESIGN_USD:.2f})"
        )
    first = ", ".join(
        f"{line.service} {line.item} +{more:.2f}" for line, more in growth(now, then)[:GROWTH_LINES]
    )
    result.print(f"  ten times the use: {then.total():.2f}; it goes first to {first}\n")


def _told(
    bills: dict[str, Bill], grown: dict[str, Bill], prices: Prices, usage: Usage
) -> dict[str, Any]:
    return {
        "currency": "USD",
        "region": prices.region,
        "prices_dated": prices.dated,
        "usage": asdict(usage),
        "design": {"total": DESIGN_USD, "market_data": MARKET_DATA_USD, "limits": LIMITS_USD},
        "environments": {
            stack: {
                "lines": [asdict(line) for line in one.lines],
                "totals": _totals(one),
                "ten_times": {
                    "total": grown[stack].total(),
                    "growth": [
                        {"service": line.service, "item": line.item, "usd": more}
                        for line, more in growth(one, grown[stack])
                    ],
                },
            }
            for stack, one in bills.items()
        },
    }
