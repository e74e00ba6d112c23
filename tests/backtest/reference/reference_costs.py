"""Slippage and commission."""

from datetime import date
from math import sqrt

from tests.backtest.reference.reference_units import MICRO
from trading.execution.settings import CommissionSettings, SlippageSettings

UNKNOWN_VOLATILITY = 0.05
MOST_PARTICIPATION = 4.0


def slippage_rate(
    settings: SlippageSettings,
    quantity: int,
    price: float,
    volume: float,
    volatility: float | None,
    dollar_volume: float | None,
) -> float:
    """The fraction of the price that `quantity` micro-shares lose against `price`."""
    if settings.model == "none":
        return 0.0
    linear = settings.bps * 1e-4
    if settings.model == "fixed":
        return min(linear, 1.0)
    shares = quantity / MICRO
    if settings.model == "volume_share":
        participation = min(shares / volume, 1.0) if volume > 0.0 else 1.0
        return min(linear + settings.coefficient * participation * participation, 1.0)
    sigma = UNKNOWN_VOLATILITY if volatility is None else volatility
    participation = MOST_PARTICIPATION
    if dollar_volume is not None and dollar_volume >= 1.0:
        participation = min(shares * price / dollar_volume, MOST_PARTICIPATION)
    return min(linear + settings.coefficient * sigma * sqrt(participation), 1.0)


class CommissionDesk:
    """Charges fills, and counts the shares of the calendar month for the tiers."""

    def __init__(self, settings: CommissionSettings) -> None:
        self._settings = settings
        self._month = (0, 0)
        self._traded = 0

    def commission(self, quantity: int, worth: int, day: date) -> int:
        """Micro-dollars for `quantity` micro-shares worth `worth` micro-dollars."""
        settings = self._settings
        minimum = settings.minimum * MICRO
        if settings.model == "none":
            return 0
        if settings.model == "per_trade":
            return round(settings.rate * MICRO)
        if settings.model == "bps":
            return round(max(worth * settings.rate / 1e4, minimum))
        rate = settings.rate
        if settings.model == "tiered":
            traded = self._traded_in(day)
            for tier in settings.tiers:
                if traded >= tier.from_shares * MICRO:
                    rate = tier.per_share
        return round(min(max(quantity * rate, minimum), settings.maximum_share * worth))

    def count(self, quantity: int, day: date) -> None:
        """Remember a fill."""
        self._traded = self._traded_in(day) + quantity
        self._month = (day.year, day.month)

    def _traded_in(self, day: date) -> int:
        return self._traded if self._month == (day.year, day.month) else 0
