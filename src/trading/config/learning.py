"""The sections of learning: reward, training, costs, the gate and the model portfolio."""

from typing import Self

from pydantic import Field, model_validator

from trading.config.section import Algorithm, Fraction, Positive, Section


class RewardSettings(Section):
    """The hybrid reward."""

    return_weight: float = 0.6
    sharpe_weight: float = 0.3
    drawdown_weight: float = 0.1
    sharpe_clip: float = Field(3.0, gt=0)


class TrainingSettings(Section):
    """What is trained, on how much, and how long."""

    algorithms: tuple[Algorithm, ...] = Field(("ppo", "a2c", "sac"), min_length=1)
    seeds: tuple[int, ...] = Field(
        (0,), min_length=1, description="One model per algorithm and seed."
    )
    folds: Positive = Field(3, description="Walk-forward folds of the validation.")
    embargo_sessions: int = Field(21, ge=0, description="Sessions left out before each fold.")
    phases: Positive = Field(4, description="Monthly decision grids, evenly shifted, to train on.")
    hidden: tuple[Positive, ...] = Field((32, 32), description="Widths of the shared slot network.")
    slot_steps: Positive = Field(
        1_200_000, description="Budget of one fit: monthly decisions x slots, docs/learning.md."
    )
    hyperparameters: dict[Algorithm, dict[str, float]] = Field(
        {}, description="Overrides by algorithm of what agents/algorithms.py documents."
    )
    warm_start: bool = Field(True, description="The final fit starts from the champion's weights.")
    max_runtime_seconds: Positive = 6 * 3600
    instance_type: str = "ml.m5.2xlarge"
    spot: bool = True
    max_parallel_jobs: Positive = Field(
        9, description="Jobs that train at once; the account's quota of the instance type caps it."
    )


class CostSettings(Section):
    """What trading costs; basis points of the traded value."""

    commission_bps: float = Field(1.0, ge=0)
    slippage_bps: float = Field(5.0, ge=0, description="Half spread and delay.")
    impact_coefficient: float = Field(
        0.1, ge=0, description="Square-root impact: this x daily volatility x sqrt(participation)."
    )
    capital_usd: float = Field(10_000_000.0, gt=0, description="Capital of the model portfolio.")


class GateSettings(Section):
    """What a challenger must show out of sample to be deployed."""

    min_months: Positive = Field(6, description="Least out-of-sample months.")
    min_sharpe: float = Field(
        0.0,
        description="Annualised, net of costs; a Sharpe ratio that is lower by no more than its "
        "standard error passes.",
    )
    max_drawdown: Fraction = 0.50
    min_excess_return: float = Field(0.0, description="Annualised, over each baseline.")
    min_information_coefficient: float = Field(0.0, description="Mean monthly rank correlation.")
    max_confidence_p: Fraction = Field(
        0.20, description="Largest one-sided bootstrap p-value against equal weight."
    )
    max_skill_p: Fraction = Field(
        0.025,
        description="Largest one-sided p-value of having no information beyond beta, size and "
        "illiquidity, trials counted: the gate's nominal level.",
    )
    min_net_alpha: float = Field(
        0.0, description="Annual, net of costs, beyond constant beta, size and illiquidity."
    )
    min_deflated_sharpe: Fraction = Field(
        0.5, description="Of the return over equal weight, by the number of trials."
    )
    max_overfitting: Fraction = Field(
        0.5, description="Probability of backtest overfitting among members and factors."
    )
    champion_margin: float = Field(0.0, description="Annualised excess return over the champion.")
    bootstrap_samples: Positive = 2000


class PortfolioSettings(Section):
    """The model portfolio."""

    min_names: Positive = 50
    max_names: Positive = 100
    buy_fraction: Fraction = Field(0.03, description="Share of ranked names that enters as BUY.")
    hold_fraction: Fraction = Field(
        0.08, description="A holding stays while it ranks within this share."
    )
    max_weight: Fraction = Field(0.04, description="Largest weight of one name.")
    confidence_tilt: Fraction = Field(
        0.5, description="0: equal weights; t: a weight runs from 1 - t to 1 + t with confidence."
    )
    max_participation: float = Field(
        0.10, gt=0, description="Largest purchase, as a share of a day's dollar volume."
    )
    min_dollar_volume_usd: float = Field(
        100_000.0,
        ge=0,
        description="Median daily value traded, 21 sessions, that a name needs to be held; there "
        "is no floor of price, which splits change with hindsight.",
    )
    exclude: tuple[str, ...] = Field((), description="Symbols that are never bought.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_names > self.max_names:
            raise ValueError(f"min_names ({self.min_names}) exceeds max_names ({self.max_names})")
        if self.buy_fraction > self.hold_fraction:
            raise ValueError("buy_fraction exceeds hold_fraction")
        return self
