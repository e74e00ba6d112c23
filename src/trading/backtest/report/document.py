"""The report as JSON: every field is described here, and `schema()` is its JSON schema."""

from datetime import date, datetime
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from trading import __version__
from trading.backtest.distribution import monthly_returns
from trading.backtest.report import description, wording
from trading.backtest.report.curves import survived_returns
from trading.backtest.report.description import RunDescription
from trading.backtest.report.evidence import Evidence
from trading.backtest.result import BacktestResult

SCHEMA_VERSION = 1
FigureValues = dict[str, float | int | None]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StrategyPart(_Part):
    """One strategy."""

    strategy_id: str = Field(description="Unique in the run.")
    name: str = Field(description="Registered name.")
    version: str = Field(description="Of the strategy's logic.")
    parameters: dict[str, Any]
    fraction: float = Field(description="Share of the capital, 0..1.")


class RunPart(_Part):
    """What was run, on which data, under which rules."""

    strategies: list[StrategyPart]
    universe: str = Field(description="In words.")
    symbols: int = Field(description="Symbols in the bars that were replayed.")
    first_session: date | None
    last_session: date | None
    sessions: int
    bars: int = Field(description="Rows that were replayed; equals sessions for daily bars.")
    interval: str = Field(description="Length of a bar: 1d, 1h or 1m.")
    source: str = Field(description="Where the bars come from.")
    simulated: bool = Field(description="Whether the market is invented.")
    benchmark: str | None
    fill: str = Field(description="When market orders fill: same_close, next_open, next_close.")
    costs: str = Field(description="In words; `settings` has the numbers.")
    limits: list[str] = Field(description="In words; `settings` has the numbers.")
    warnings: list[str] = Field(description="What makes the figures less true than they look.")
    failures: dict[str, str] = Field(description="By strategy id: why it stopped deciding.")
    command: str | None = Field(description="The command line that repeats the run.")


class FiguresPart(_Part):
    """Figures by the names of `docs/metrics.md`; null is "no data"."""

    strategy: FigureValues
    benchmark: FigureValues | None
    relative: FigureValues | None = Field(description="The strategy against the benchmark.")
    significance: FigureValues | None = Field(
        description="Paired bootstraps, and the Sharpe ratio deflated by the number of trials."
    )
    trades: FigureValues = Field(description="Of the closed round trips; money in USD.")
    annual_turnover: float | None = Field(description="One way, a multiple of equity a year.")


class AccountPart(_Part):
    """Money, USD."""

    initial_cash: float
    final_equity: float | None
    commissions: float
    slippage_charges: float = Field(description="Beyond the bars' ranges; the rest is in prices.")
    borrow_cost: float
    dividends: float


class SeriesPart(_Part):
    """Curves by session; every list is as long as `dates`."""

    dates: list[date]
    equity: list[float] = Field(description="USD at the session's end.")
    returns: list[float | None] = Field(description="Simple, net.")
    benchmark: list[float | None] | None = Field(description="USD, grown from the same start.")
    drawdown: list[float | None] = Field(description="0..1.")
    gross_exposure: list[float | None] = Field(description="Fraction of equity.")
    net_exposure: list[float | None] = Field(description="Fraction of equity.")
    turnover: list[float | None] = Field(description="One way, fraction of equity.")


class CountsPart(_Part):
    """How many of each kind the ledger holds."""

    orders: dict[str, int] = Field(description="By status.")
    fills: int
    trades: int = Field(description="Closed round trips.")
    closings: dict[str, int] = Field(description="By reason.")
    risk_events: dict[str, int] = Field(
        description="By limit and outcome, as `max_position resized`."
    )


class ReportDocument(_Part):
    """A backtest report."""

    schema_version: int = SCHEMA_VERSION
    trading_version: str = __version__
    made_at: datetime
    run: RunPart
    settings: dict[str, Any] = Field(description="Execution, risk and sizer, as configured.")
    account: AccountPart
    figures: FiguresPart
    monthly_returns: dict[str, float] = Field(description="By YYYY-MM.")
    counts: CountsPart
    series: SeriesPart


def schema() -> dict[str, Any]:
    """Return the JSON schema of the report."""
    return ReportDocument.model_json_schema()


def make_document(
    result: BacktestResult, evidence: Evidence, run: RunDescription, made_at: datetime
) -> ReportDocument:
    """Return the report of a result."""
    return ReportDocument(
        made_at=made_at,
        run=_run(result, evidence, run),
        settings=result.settings.model_dump(mode="json"),
        account=AccountPart(
            initial_cash=result.initial_cash,
            final_equity=float(result.equity[-1]) if len(result.equity) else None,
            commissions=result.commissions,
            slippage_charges=result.slippage_charges,
            borrow_cost=result.borrow_cost,
            dividends=result.dividends,
        ),
        figures=_figures(evidence),
        monthly_returns=_monthly(result),
        counts=_counts(result),
        series=_series(result, evidence),
    )


def _run(result: BacktestResult, evidence: Evidence, run: RunDescription) -> RunPart:
    days = evidence.curves.days.tolist()
    return RunPart(
        strategies=[
            StrategyPart(
                strategy_id=one.strategy_id,
                name=one.name,
                version=one.version,
                parameters=one.parameters,
                fraction=one.fraction,
            )
            for one in result.strategies
        ],
        universe=run.universe,
        symbols=len(result.symbols),
        first_session=days[0] if days else None,
        last_session=days[-1] if days else None,
        sessions=len(days),
        bars=len(result.timestamps),
        interval=result.feed.data.interval.value,
        source=run.source,
        simulated=run.simulated,
        benchmark=evidence.benchmark or None,
        fill=result.fill,
        costs=description.cost_words(result.settings.execution),
        limits=list(description.limit_words(result.settings.risk)),
        warnings=list(wording.warnings(result, evidence, run)),
        failures=dict(result.failures),
        command=run.command or None,
    )


def _figures(evidence: Evidence) -> FiguresPart:
    other, relative = evidence.benchmark_figures, evidence.relative
    significance = evidence.significance
    return FiguresPart(
        strategy=evidence.figures.to_dict(),
        benchmark=None if other is None else other.to_dict(),
        relative=None if relative is None else relative.to_dict(),
        significance=None if significance is None else significance.to_dict(),
        trades=evidence.trades.to_dict(),
        annual_turnover=evidence.annual_turnover,
    )


def _monthly(result: BacktestResult) -> dict[str, float]:
    months, returns = monthly_returns(survived_returns(result), result.session_dates)
    return {
        str(month): float(value)
        for month, value in zip(months, returns, strict=True)
        if np.isfinite(value)
    }


def _counts(result: BacktestResult) -> CountsPart:
    events = result.risk_events
    named = events["limit"].astype("str") + " " + events["outcome"].astype("str")
    return CountsPart(
        orders=_by(result.orders["status"]),
        fills=len(result.fills),
        trades=len(result.trades),
        closings=_by(result.closings["reason"]),
        risk_events=_by(named),
    )


def _by(names: Any) -> dict[str, int]:
    return {str(name): int(count) for name, count in names.value_counts(sort=False).items()}


def _series(result: BacktestResult, evidence: Evidence) -> SeriesPart:
    curves = evidence.curves
    return SeriesPart(
        dates=curves.days.tolist(),
        equity=curves.equity.tolist(),
        returns=_plain(result.session_returns),
        benchmark=None if curves.benchmark is None else _plain(curves.benchmark),
        drawdown=_plain(curves.drawdown),
        gross_exposure=_plain(curves.gross),
        net_exposure=_plain(curves.net),
        turnover=_plain(curves.turnover),
    )


def _plain(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
