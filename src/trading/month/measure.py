"""Measure: the success of earlier signals, and the month's report."""

import json
from datetime import date, timedelta

import numpy as np

from trading.backtest.simulator import FILL
from trading.config import Settings
from trading.execution.slippage import CostModel
from trading.features.dataset import Dataset
from trading.month.drift import load_summary
from trading.month.measures import benchmark_name, portfolio_risk
from trading.month.payloads import Measured, MeasureRequest
from trading.month.pointers import get_folder, key_of, uri_of
from trading.month.prepare import load_dataset
from trading.month.resources import Resources
from trading.month.score import stored_before
from trading.month.shadow import load_summaries
from trading.month.withdraw import correction
from trading.signals.report import (
    CostAssumptions,
    DataSummary,
    GateVerdict,
    ModelSummary,
    MonthReport,
    PortfolioSummary,
    report_key,
    write_report,
)
from trading.signals.store import StoredMonth
from trading.signals.success import MONTHS, PastSignal, success_rates

FILL_RULES = {"next_close": "orders fill at the close of the session after the decision"}


def measure(request: MeasureRequest, resources: Resources) -> Measured:
    """Measure the success of the stored months, keep it, and write the month's report."""
    month, settings = request.month.month, resources.settings
    dataset = load_dataset(request.prepared, resources)
    stored = resources.signals.read_month(month)
    earlier = stored_before(month, resources)
    rates = success_rates(
        _past_signals(earlier),
        resources.lake.panel(before=request.month.as_of, start=_first_needed(earlier, dataset)),
        CostModel.from_settings(settings.costs),
        actions=resources.lake.corporate_actions(before=request.month.as_of),
    )
    resources.signals.record_success(month, rates)
    report = MonthReport(
        month=month,
        as_of=request.month.as_of,
        last_session=request.resolved.last_session,
        environment=settings.environment,
        execution=request.month.execution,
        model=_model(request, resources),
        verdict=_verdict(request, resources),
        signals=stored.signals,
        portfolio=PortfolioSummary(
            history=(*(m.performance for m in earlier), stored.performance),
            since_inception=_total(stored.performance.nav),
            benchmark_since_inception=_total(stored.performance.benchmark),
            equal_weight_since_inception=_total(stored.performance.equal_weight),
            benchmark_name=benchmark_name(dataset, resources),
            risk=portfolio_risk(stored.signals, dataset, settings),
        ),
        success=rates,
        data=_data(request, dataset, resources),
        drift=load_summary(request.drift, resources),
        shadow=load_summaries(request.shadow, resources),
        correction=correction(month, resources),
        fill_rule=FILL_RULES[FILL],
        costs=_costs(settings),
    )
    write_report(resources.runs, report)
    return Measured(
        report_uri=uri_of(resources.runs, report_key(month)),
        recipients=tuple(range(len(settings.notifications.recipients))),
    )


def _past_signals(earlier: tuple[StoredMonth, ...]) -> list[PastSignal]:
    return [
        PastSignal(month.month, signal.symbol, signal.action, month.performance.session)
        for month in earlier
        for signal in month.signals
    ]


def _first_needed(earlier: tuple[StoredMonth, ...], dataset: Dataset) -> date:
    """Return a session some weeks before the oldest month that can count."""
    first = earlier[-MONTHS - 2 :][0].performance.session if earlier else None
    last: date = dataset.sessions[-1].astype(object)
    return (first or last) - timedelta(days=40)


def _model(request: MeasureRequest, resources: Resources) -> ModelSummary:
    champion = request.champion
    manifest = json.loads(get_folder(resources.models, champion.prefix)["manifest.json"])
    previous = request.resolved.champion
    factor = manifest["metrics"].get("factor")
    return ModelSummary(
        version=champion.version,
        kind=champion.kind,
        algorithms=tuple(manifest["algorithms"]),
        seeds=tuple(manifest["seeds"]),
        promoted=champion.promoted,
        trained_through=manifest["trained_through"],
        previous=previous.version if previous else None,
        description=f"best single factor: {factor}" if factor else "",
    )


def _verdict(request: MeasureRequest, resources: Resources) -> GateVerdict | None:
    if not request.validated.verdict_uri:
        return None
    body = resources.runs.get(key_of(resources.runs, request.validated.verdict_uri)).body
    return GateVerdict.from_json(json.loads(body))


def _data(request: MeasureRequest, dataset: Dataset, resources: Resources) -> DataSummary:
    manifests = resources.lake.manifests()
    repaired = [m for m in manifests if m.verdict != "clean"]
    notes = [
        f"{m.source}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items())
        for m in repaired[-3:]
        if (counts := {**m.report.get("repairs", {}), **m.report.get("dropped", {})})
    ]
    active = int(dataset.active.sum())
    tradable = int((dataset.active & dataset.eligible[-1]).sum())
    notes.append(f"{tradable:,} of {active:,} active names pass the limits of price and volume")
    return DataSummary(
        source=request.resolved.source,
        simulated=request.resolved.simulated,
        symbols=sum(1 for symbol in dataset.symbols if symbol),
        sessions=len(dataset.sessions),
        first_session=dataset.sessions[0].astype(object),
        coverage=_coverage(dataset),
        notes=tuple(notes),
    )


def _coverage(dataset: Dataset) -> float | None:
    """Return the share of active names with a return on the last session."""
    active = dataset.active
    if not active.any():
        return None
    known = np.isfinite(dataset.returns[-1])
    return float(known[active].mean())


def _costs(settings: Settings) -> CostAssumptions:
    return CostAssumptions(**settings.costs.model_dump(include=set(CostAssumptions.model_fields)))


def _total(level: float | None) -> float | None:
    return None if level is None else level - 1.0
