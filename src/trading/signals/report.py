"""`MonthReport`: everything that the mail, the command and the dashboard show of a month.

The month's run writes it as `reports/YYYY-MM.json` in the runs store; readers only read it and
compute no figure of their own. What is not known is None and is shown as "no data".
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from trading.data.store.base import ObjectStore
from trading.errors import DataError
from trading.signals.model import (
    Fraction,
    Month,
    MonthlySignal,
    MonthPerformance,
    Record,
    SuccessRate,
)
from trading.signals.oversight import DriftSummary, ShadowSummary
from trading.strategy.signals import Action

Figure = float | int | str | bool | None


class ModelSummary(Record):
    """The model that gave the signals.

    `promoted` tells whether this month's challenger became the champion; `kind` is `baseline`
    while no challenger ever passed the gate. `previous` is the champion before the month.
    """

    version: str = Field(min_length=1)
    kind: Literal["ensemble", "baseline"]
    algorithms: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    promoted: bool
    trained_through: date | None = None
    previous: str | None = None
    description: str = ""


class GateCheck(Record):
    """One check of the deployment gate: `value` against `threshold`, and why it went so."""

    name: str
    value: Figure = None
    threshold: Figure = None
    passed: bool
    reason: str = ""


class GateVerdict(Record):
    """What the gate said of the challenger, as its JSON has it.

    `figures` maps each contender (`candidate`, each baseline, the champion) to its figures, net of
    costs; `label` among them says in words who it is.
    """

    passed: bool
    summary: str = ""
    reasons: tuple[str, ...] = ()
    checks: tuple[GateCheck, ...] = ()
    figures: dict[str, dict[str, Figure]] = Field(default_factory=dict)

    @classmethod
    def from_json(cls, verdict: Mapping[str, Any]) -> Self:
        """Return the part of a verdict's JSON that is shown; other keys and lists are left out."""
        return cls(
            passed=verdict["passed"],
            summary=verdict.get("summary", ""),
            reasons=tuple(verdict.get("reasons", ())),
            checks=tuple(
                GateCheck(**{key: check[key] for key in GateCheck.model_fields if key in check})
                for check in verdict.get("checks", ())
            ),
            figures={
                name: {
                    key: value
                    for key, value in figures.items()
                    if value is None or isinstance(value, (float, int, str))
                }
                for name, figures in verdict.get("figures", {}).items()
            },
        )


class Risk(Record):
    """Risk of the model portfolio; None where there is no data.

    Attributes
    ----------
    basis : what the figures are of, in words ("the month's weights over the last 252 sessions")
    volatility : annualised
    max_drawdown : deepest fall from a peak, 0..1
    var_95 : historical one-day loss that 95 % of the sessions stayed within, a positive fraction
    sessions : daily returns that the figures rest on
    """

    basis: str
    volatility: float | None = Field(None, ge=0.0)
    max_drawdown: Fraction | None = None
    var_95: float | None = None
    sessions: int = Field(0, ge=0)


class PortfolioSummary(Record):
    """The model portfolio after the month's orders.

    Attributes
    ----------
    history : a record a month from inception on, the last one this month's
    since_inception, benchmark_since_inception, equal_weight_since_inception : total returns
    benchmark_name : what the benchmark is; None where there is none
    risk : see `Risk`; None where there is no history
    """

    history: tuple[MonthPerformance, ...] = ()
    since_inception: float | None = None
    benchmark_since_inception: float | None = None
    equal_weight_since_inception: float | None = None
    benchmark_name: str | None = None
    risk: Risk | None = None

    @field_validator("history")
    @classmethod
    def _ascending(cls, history: tuple[MonthPerformance, ...]) -> tuple[MonthPerformance, ...]:
        months = [point.month for point in history]
        if months != sorted(set(months)):
            raise ValueError("the history must hold each month once, the earliest first")
        return history

    @property
    def current(self) -> MonthPerformance | None:
        """The last record of the history."""
        return self.history[-1] if self.history else None


class DataSummary(Record):
    """The data the month rests on; `notes` are sentences on its quality."""

    source: str = Field(min_length=1)
    simulated: bool
    symbols: int = Field(ge=0)
    sessions: int = Field(ge=0)
    first_session: date | None = None
    coverage: Fraction | None = Field(
        None, description="Share of the universe with a bar in the last session."
    )
    notes: tuple[str, ...] = ()


class CostAssumptions(Record):
    """What trading is assumed to cost; see `CostSettings`."""

    commission_bps: float
    slippage_bps: float
    impact_coefficient: float
    capital_usd: float


class MonthReport(Record):
    """One month, complete.

    Attributes
    ----------
    month, as_of, last_session : the month, its decision day, and the last session it saw
    environment, execution : where it ran; the execution's name
    data, model, verdict, portfolio, costs : see their classes; `verdict` is None when no
        challenger was judged
    signals : every BUY, SELL and HOLD, in any order; symbols are unique
    success : success rates over the last 12 months
    drift : the month against what the model learnt from; None where it was not checked
    shadow : rejected challengers that are scored on, the latest first
    correction : what it corrects, where the month was mailed before and then withdrawn
    fill_rule : when orders are assumed to fill, in words
    """

    month: Month
    as_of: date
    last_session: date
    environment: str
    execution: str | None = None
    model: ModelSummary
    verdict: GateVerdict | None = None
    signals: tuple[MonthlySignal, ...]
    portfolio: PortfolioSummary
    success: tuple[SuccessRate, ...] = ()
    drift: DriftSummary | None = None
    shadow: tuple[ShadowSummary, ...] = ()
    correction: str | None = None
    data: DataSummary
    fill_rule: str
    costs: CostAssumptions

    @model_validator(mode="after")
    def _of_one_month(self) -> Self:
        if self.last_session >= self.as_of:
            raise ValueError(f"last_session {self.last_session} must lie before {self.as_of}")
        foreign = {signal.month for signal in self.signals} - {self.month}
        if foreign:
            raise ValueError(f"signals of {', '.join(sorted(foreign))} in {self.month}")
        if len({signal.symbol for signal in self.signals}) != len(self.signals):
            raise ValueError("two signals of one symbol")
        current = self.portfolio.current
        if current is not None and current.month != self.month:
            raise ValueError(f"the history ends in {current.month}, not in {self.month}")
        return self

    def with_action(self, *actions: Action) -> tuple[MonthlySignal, ...]:
        """Return the signals of some actions: ranked first by rank, then the others by symbol."""
        chosen = [signal for signal in self.signals if signal.action in actions]
        return tuple(
            sorted(
                chosen,
                key=lambda s: (s.rank is None, 0 if s.rank is None else s.rank, s.symbol),
            )
        )

    @property
    def counts(self) -> dict[Action, int]:
        """Number of signals of each action."""
        return {action: len(self.with_action(action)) for action in Action}

    @property
    def largest_weight(self) -> float | None:
        """Largest weight of one name; None without a portfolio."""
        return max((s.weight for s in self.signals if s.weight > 0), default=None)

    @property
    def invested(self) -> float:
        """Share of the net asset value that is not cash."""
        return sum(signal.weight for signal in self.signals)

    def largest_changes(self, count: int = 5) -> tuple[MonthlySignal, ...]:
        """Return the signals whose weight changed most, the largest first, ties by symbol."""
        changed = [signal for signal in self.signals if signal.change != 0]
        return tuple(sorted(changed, key=lambda s: (-abs(s.change), s.symbol))[:count])

    @property
    def outcome(self) -> str:
        """What became of the challenger, in one plain sentence."""
        if self.model.promoted:
            return "Challenger promoted: it passed every check and is the champion now."
        if self.verdict is None:
            return "No challenger was judged this month: champion kept."
        kept = "baseline strategy in place" if self.model.kind == "baseline" else "champion kept"
        return f"Challenger rejected: {kept}."

    def to_json(self) -> bytes:
        """Return the report as JSON, the same bytes for the same report."""
        return self.model_dump_json(indent=1).encode()

    @classmethod
    def from_json(cls, body: bytes) -> "MonthReport":
        """Read what `to_json` wrote; raises `DataError` for anything else."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "its top level"
            raise DataError(
                f"the month report is not readable at {where}: {first['msg']}; rerun the month"
            ) from error


def report_key(month: str) -> str:
    """Return the key of a month's report in the runs store."""
    return f"reports/{month}.json"


def write_report(store: ObjectStore, report: MonthReport) -> str:
    """Write a month's report and return its key; the same report may be written again."""
    key = report_key(report.month)
    store.put(key, report.to_json())
    return key


def read_report(store: ObjectStore, month: str) -> MonthReport:
    """Return a month's report; raises `NotFoundError` or `DataError`."""
    return MonthReport.from_json(store.get(report_key(month)).body)
