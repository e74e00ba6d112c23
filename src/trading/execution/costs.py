"""The rules of execution as numbers, and what a fill costs, compiled.

The square-root impact is the formula of `slippage.CostModel`; a test holds the two together.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading.compiled import compiled
from trading.execution.book import MICRO, NEXT_CLOSE, NEXT_OPEN, SAME_CLOSE
from trading.execution.settings import ExecutionSettings
from trading.execution.slippage import BASIS_POINT, PARTICIPATION_CAP, UNKNOWN_VOLATILITY

FloatArray = npt.NDArray[np.float64]

NO_SLIPPAGE, FIXED, VOLUME_SHARE, SQUARE_ROOT = 0, 1, 2, 3
NO_COMMISSION, PER_SHARE, PER_TRADE, BPS, TIERED = 0, 1, 2, 3, 4
TIMINGS = {"same_close": SAME_CLOSE, "next_open": NEXT_OPEN, "next_close": NEXT_CLOSE}
_SLIPPAGES = {
    "none": NO_SLIPPAGE,
    "fixed": FIXED,
    "volume_share": VOLUME_SHARE,
    "square_root": SQUARE_ROOT,
}
_COMMISSIONS = {
    "none": NO_COMMISSION,
    "per_share": PER_SHARE,
    "per_trade": PER_TRADE,
    "bps": BPS,
    "tiered": TIERED,
}
_ORDER_TYPES = {"market": 0, "limit": 1, "stop": 2, "stop_limit": 3}
_TIMES = {"DAY": 0, "GTC": 1, "IOC": 2, "FOK": 3}


class Rules(NamedTuple):
    """`ExecutionSettings` as plain numbers; money in micro-dollars, rates as fractions."""

    lot: int
    cash_account: bool
    initial_base: bool
    timing: int
    volume_share: float
    slippage: int
    slippage_rate: float
    slippage_coefficient: float
    commission: int
    commission_rate: float
    commission_minimum: float
    commission_maximum: float
    tier_starts: FloatArray
    tier_rates: FloatArray
    min_trade: float
    borrow_rate: float
    delisting_return: float
    max_stale: int
    order_type: int
    order_time: int
    limit_offset: float
    stop_offset: float

    @classmethod
    def of(cls, settings: ExecutionSettings) -> "Rules":
        """Return the rules that the settings describe."""
        slippage, commission, order = settings.slippage, settings.commission, settings.order
        tiers = commission.tiers
        return cls(
            lot=1 if settings.fractional else MICRO,
            cash_account=settings.account == "cash",
            initial_base=settings.sizing_base == "initial",
            timing=TIMINGS[settings.fill],
            volume_share=-1.0 if settings.max_volume_share is None else settings.max_volume_share,
            slippage=_SLIPPAGES[slippage.model],
            slippage_rate=slippage.bps * BASIS_POINT,
            slippage_coefficient=slippage.coefficient,
            commission=_COMMISSIONS[commission.model],
            commission_rate=commission.rate,
            commission_minimum=commission.minimum * MICRO,
            commission_maximum=commission.maximum_share,
            tier_starts=np.array([float(tier.from_shares) for tier in tiers]),
            tier_rates=np.array([tier.per_share for tier in tiers], dtype=np.float64),
            min_trade=settings.min_trade_usd * MICRO,
            borrow_rate=settings.borrow_rate,
            delisting_return=settings.delisting_return,
            max_stale=settings.max_stale_sessions,
            order_type=_ORDER_TYPES[order.type],
            order_time=_TIMES[order.time_in_force],
            limit_offset=order.limit_offset_bps * BASIS_POINT,
            stop_offset=order.stop_offset_bps * BASIS_POINT,
        )


@compiled
def value_of(quantity: int, price: float) -> int:
    """Return micro-dollars of micro-shares at USD a share, rounded half to even."""
    return int(np.rint(quantity * price))


@compiled
def whole_lots(quantity: float, lot: int) -> int:
    """Return micro-shares truncated toward zero to whole lots, a billionth of a lot forgiven."""
    if quantity >= 0.0:
        return int(np.floor(quantity / lot + 1e-9)) * lot
    return -int(np.floor(-quantity / lot + 1e-9)) * lot


@compiled
def slippage_of(
    rules: Rules,
    quantity: int,
    price: float,
    volume: float,
    volatility: float,
    dollar_volume: float,
) -> float:
    """Return the fraction of the price that a fill loses.

    Parameters
    ----------
    quantity : micro-shares that fill
    price : USD, the reference price
    volume : shares of the fill's bar
    volatility, dollar_volume : daily, known at acceptance; NaN where unknown
    """
    if rules.slippage == NO_SLIPPAGE:
        return 0.0
    rate = rules.slippage_rate
    shares = quantity / MICRO
    if rules.slippage == VOLUME_SHARE:
        participation = min(shares / volume, 1.0) if volume > 0.0 else 1.0
        rate += rules.slippage_coefficient * participation * participation
    elif rules.slippage == SQUARE_ROOT:
        known = dollar_volume >= 1.0 and not np.isinf(dollar_volume)
        participation = shares * price / dollar_volume if known else PARTICIPATION_CAP
        sigma = volatility if volatility >= 0.0 else UNKNOWN_VOLATILITY
        rate += rules.slippage_coefficient * sigma * np.sqrt(min(participation, PARTICIPATION_CAP))
    return min(rate, 1.0)


@compiled
def commission_of(rules: Rules, quantity: int, value: int, month_shares: int) -> int:
    """Return the commission in micro-dollars.

    Parameters
    ----------
    quantity, value : micro-shares and micro-dollars of the fill
    month_shares : micro-shares traded in the calendar month before it
    """
    if rules.commission == NO_COMMISSION:
        return 0
    if rules.commission == PER_TRADE:
        return int(np.rint(rules.commission_rate * MICRO))
    if rules.commission == BPS:
        share = value * rules.commission_rate / 10_000.0
        return int(np.rint(max(share, rules.commission_minimum)))
    rate = rules.commission_rate
    if rules.commission == TIERED:
        reached = month_shares / MICRO
        for tier in range(len(rules.tier_starts)):
            if reached >= rules.tier_starts[tier]:
                rate = rules.tier_rates[tier]
    charge = max(quantity * rate, rules.commission_minimum)
    return int(np.rint(min(charge, rules.commission_maximum * value)))
