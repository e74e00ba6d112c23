"""How orders are priced, charged and limited by the market: one section for every mode."""

from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from trading.config import Fraction, Section

FillTiming = Literal["same_close", "next_open", "next_close"]


class SlippageSettings(Section):
    """What a market or stop order loses against its reference price."""

    model: Literal["none", "fixed", "volume_share", "square_root"] = Field(
        "fixed", description="Slippage model; docs/backtesting.md gives the formulas."
    )
    bps: float = Field(
        5.0, ge=0.0, description="Half spread and delay, basis points; every model but `none`."
    )
    coefficient: float = Field(
        0.1,
        ge=0.0,
        description="volume_share: times participation squared; square_root: times daily "
        "volatility times the root of participation.",
    )


class CommissionTier(Section):
    """A rate from a number of shares on."""

    from_shares: int = Field(ge=0, description="Shares traded this calendar month so far.")
    per_share: float = Field(ge=0.0, description="USD a share.")


class CommissionSettings(Section):
    """What the broker charges."""

    model: Literal["none", "per_share", "per_trade", "bps", "tiered"] = "bps"
    rate: float = Field(
        5.0, ge=0.0, description="USD a share, USD a fill, or basis points, by the model."
    )
    minimum: float = Field(0.0, ge=0.0, description="Least USD a fill (per_share, bps, tiered).")
    maximum_share: float = Field(
        1.0, gt=0.0, le=1.0, description="Most of a fill's value (per_share, tiered)."
    )
    tiers: tuple[CommissionTier, ...] = Field((), description="Only for `tiered`, ascending.")

    @model_validator(mode="after")
    def _tiers_ascend(self) -> "CommissionSettings":
        starts = [tier.from_shares for tier in self.tiers]
        if self.model == "tiered" and (not starts or starts[0] != 0):
            raise ValueError("tiered commission needs tiers, the first from 0 shares")
        if starts != sorted(set(starts)):
            raise ValueError("the tiers must ascend by from_shares")
        return self


class OrderPolicy(Section):
    """Which orders a target becomes."""

    type: Literal["market", "limit", "stop", "stop_limit"] = "market"
    limit_offset_bps: float = Field(
        0.0,
        gt=-10_000.0,
        lt=10_000.0,
        description="Limit below (buy) or above (sell) the decision's close; or of the stop.",
    )
    stop_offset_bps: float = Field(
        0.0,
        gt=-10_000.0,
        lt=10_000.0,
        description="Stop above (buy) or below (sell) the decision's close.",
    )
    time_in_force: Literal["DAY", "GTC", "IOC", "FOK"] = "DAY"


class ExecutionSettings(Section):
    """The account, the orders and the market that fills them."""

    initial_cash: Decimal = Field(
        Decimal(1_000_000), gt=0, lt=Decimal(10**12), description="USD; an account holds no more."
    )
    account: Literal["cash", "margin"] = Field(
        "cash", description="cash: no borrowing, no shorts; margin: both, within the limits."
    )
    fractional: bool = Field(False, description="Shares to a millionth; else whole shares.")
    sizing_base: Literal["equity", "initial"] = Field(
        "equity", description="What a target weight is a fraction of."
    )
    fill: FillTiming = Field("next_open", description="When a market order fills.")
    max_volume_share: float | None = Field(
        0.1, gt=0.0, le=1.0, description="Most of a bar's volume that orders take; null: no limit."
    )
    order: OrderPolicy = OrderPolicy()
    slippage: SlippageSettings = SlippageSettings()
    commission: CommissionSettings = CommissionSettings()
    min_trade_usd: float = Field(0.0, ge=0.0, description="A smaller change is not traded.")
    borrow_rate: Fraction = Field(0.03, description="A year, of the value of shorts, actual/360.")
    delisting_return: float = Field(
        0.0, ge=-1.0, description="Final return of a name that stops trading without one."
    )
    max_stale_sessions: int = Field(
        5, gt=0, description="Sessions without a bar after which a held name counts as delisted."
    )

    @model_validator(mode="after")
    def _same_close_is_a_market_order(self) -> "ExecutionSettings":
        if self.fill == "same_close" and self.order.type != "market":
            raise ValueError(
                "fill same_close needs order.type market: a price cannot be waited for"
            )
        return self
