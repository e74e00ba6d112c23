"""The month's bill: a line for each thing that is charged, made of the registered resources."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from trading.cost.free import FREE
from trading.cost.prices import Prices
from trading.cost.resources import PRICED, Charge, Part, Resource, Use
from trading.cost.usage import Usage
from trading.errors import ConfigurationError

# The design's budget, and what of it the market data cost.
DESIGN_USD = 81.0
MARKET_DATA_USD = 50.0
CENT = 0.005


class Limit(StrEnum):
    """What a total is held against."""

    RUNNING = "without front door and way out"
    ALL = "with front door and way out"


# Of production, without market data, at the design's use.
LIMITS_USD = {Limit.RUNNING: 31.0, Limit.ALL: 55.0}


@dataclass(frozen=True)
class Line:
    """One line of the bill.

    Attributes
    ----------
    service, item : whose, and for what
    part : which of the totals it counts in
    quantity, unit, price_usd, usd : `usd` is quantity times price
    resources : how many registered resources it is for
    """

    service: str
    item: str
    part: Part
    quantity: float
    unit: str
    price_usd: float
    usd: float
    resources: int


@dataclass(frozen=True)
class Bill:
    """A month's bill of one environment, market data apart."""

    lines: tuple[Line, ...]

    def total(self, *parts: Part) -> float:
        """Return US dollars of some parts, of all by default."""
        wanted = parts or tuple(Part)
        return sum(line.usd for line in self.lines if line.part in wanted)


def bill(resources: Sequence[Resource], usage: Usage, prices: Prices) -> Bill:
    """Return the bill of a program's resources.

    Parameters
    ----------
    resources : every resource of AWS that the program registers

    Raises
    ------
    ConfigurationError
        When nothing is known of what a resource type costs, or a price is missing.
    """
    unknown = sorted({one.type for one in resources} - set(PRICED) - set(FREE))
    if unknown:
        raise ConfigurationError(
            f"nothing is known of what {', '.join(unknown)} costs:"
            " add it to PRICED in trading/cost/resources.py or to FREE in trading/cost/free.py"
        )
    use = Use(usage, tuple(resources))
    lines: dict[tuple[str, str, str], Line] = {}
    for one in resources:
        if one.type not in PRICED:
            continue
        for charge in PRICED[one.type](one, use):
            line = _line(charge, prices)
            key = (line.service, line.item, line.part)
            lines[key] = _added(lines[key], line) if key in lines else line
    return Bill(tuple(sorted(lines.values(), key=lambda line: (-line.usd, line.service))))


def _line(charge: Charge, prices: Prices) -> Line:
    price = prices.of(charge.price)
    return Line(
        service=charge.service,
        item=charge.item,
        part=charge.part,
        quantity=charge.quantity,
        unit=price.per,
        price_usd=price.usd,
        usd=charge.quantity * price.usd,
        resources=1,
    )


def _added(one: Line, other: Line) -> Line:
    return replace(
        one,
        quantity=one.quantity + other.quantity,
        usd=one.usd + other.usd,
        resources=one.resources + other.resources,
    )


def growth(now: Bill, then: Bill) -> list[tuple[Line, float]]:
    """Return the lines that grow between two bills, and by how much, the most first."""
    before = {(line.service, line.item, line.part): line.usd for line in now.lines}
    grown = [
        (line, line.usd - before.get((line.service, line.item, line.part), 0.0))
        for line in then.lines
    ]
    return sorted(((a, b) for a, b in grown if b >= CENT), key=lambda pair: -pair[1])
