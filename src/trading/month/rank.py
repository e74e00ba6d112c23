"""Rank: raw scores become BUY, HOLD and SELL, checked by the limits."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from trading.agents.ensemble import Scores, combine, join_batches
from trading.errors import DataError
from trading.evaluation.score_history import ScoreHistory
from trading.month.champion_record import calibration_of, record_live_scores
from trading.month.cross_section import CrossSection, Float32Array
from trading.month.payloads import Context, Ranked, RankRequest, Scored
from trading.month.pointers import key_of, uri_of
from trading.month.provenance import keep_provenance
from trading.month.resources import Resources
from trading.month.score import load_section
from trading.risk.limits import LimitedPortfolio, enforce_limits
from trading.signals.model import MonthlySignal
from trading.signals.portfolio import Selection, select
from trading.strategy.signals import Action


def rank(request: RankRequest, resources: Resources) -> Ranked:
    """Write the month's signals; raises `DataError` when a limit rejects the portfolio."""
    settings = resources.settings
    section = load_section(request.context, resources)
    scores = combine(
        raw_scores(request.scored, request.context, resources),
        section.eligible,
        calibration_of(request.champion.prefix, resources),
    )
    selection = select(
        scores.score,
        scores.confidence,
        section.eligible,
        section.held,
        settings.portfolio,
        section.symbols,
    )
    limited = enforce_limits(
        selection.weights,
        section.held,
        section.symbols,
        section.dollar_volume,
        settings.portfolio,
        nav_usd=section.nav * settings.costs.capital_usd,
    )
    if not limited.accepted:
        refused = [c.reason for c in limited.checks if c.outcome == "rejected"]
        raise DataError("the portfolio was rejected: " + "; ".join(refused))
    signals = _signals(request.month.month, section, scores, selection, limited)
    key = f"{request.month.folder}/signals.json"
    resources.runs.put(
        key, json.dumps([s.model_dump(mode="json") for s in signals], indent=1).encode()
    )
    resources.runs.put(
        f"{request.month.folder}/limits.json",
        json.dumps([asdict(check) for check in limited.checks], indent=1).encode(),
    )
    record_live_scores(
        request.month, request.champion.version, _history(request, section, scores), resources
    )
    keep_provenance(request, key, resources)
    count = {action: sum(s.action is action for s in signals) for action in Action}
    return Ranked(
        signals_uri=uri_of(resources.runs, key),
        count=len(signals),
        buy=count[Action.BUY],
        sell=count[Action.SELL],
        hold=count[Action.HOLD],
    )


def confidence_of(scores: Scores, slot: int) -> float:
    """Return what a signal tells of its confidence: the calibrated probability where there is one.

    Weights are tilted by the conviction of the members all the same, as the gate judged it.
    """
    told = scores.confidence if scores.probability is None else scores.probability
    return float(told[slot])


def load_signals(ranked: Ranked, resources: Resources) -> tuple[MonthlySignal, ...]:
    """Return the signals that `rank` wrote."""
    body = resources.runs.get(key_of(resources.runs, ranked.signals_uri)).body
    return tuple(MonthlySignal.model_validate(item) for item in json.loads(body))


def _history(request: RankRequest, section: CrossSection, scores: Scores) -> ScoreHistory:
    named = np.array([bool(symbol) for symbol in section.symbols])
    confidence = np.where(section.eligible, scores.confidence, np.nan)
    return ScoreHistory(
        months=(request.month.month,),
        symbols=tuple(symbol for symbol in section.symbols if symbol),
        scores=scores.score[named][None],
        confidence=confidence[named][None],
    )


def raw_scores(scored: Sequence[Scored], context: Context, resources: Resources) -> Float32Array:
    """Join the batches in order; raises `DataError` when one is missing or was altered."""
    found = {one.batch: one for one in scored}
    if sorted(found) != sorted(context.batches):
        raise DataError(f"scores of batches {sorted(found)} for {context.batches}")
    batches = []
    for batch in sorted(found):
        body = resources.runs.get(key_of(resources.runs, found[batch].scores_uri)).body
        if hashlib.sha256(body).hexdigest() != found[batch].sha256:
            raise DataError(f"the scores of batch {batch} were altered; run the month again")
        batches.append(np.load(io.BytesIO(body), allow_pickle=False))
    return join_batches(batches)


def _signals(
    month: str,
    section: CrossSection,
    scores: Scores,
    selection: Selection,
    limited: LimitedPortfolio,
) -> list[MonthlySignal]:
    weights, held = limited.weights, section.held
    return [
        _signal(month, int(slot), section, scores, selection, float(weights[slot]))
        for slot in np.flatnonzero((weights > 0.0) | (held > 0.0))
    ]


def _signal(
    month: str,
    slot: int,
    section: CrossSection,
    scores: Scores,
    selection: Selection,
    weight: float,
) -> MonthlySignal:
    held, ranked = float(section.held[slot]), int(selection.ranks[slot]) > 0
    action = Action.SELL if weight == 0.0 else Action.HOLD if held > 0.0 else Action.BUY
    reason = selection.reason(slot)
    if str(selection.actions[slot]) != action:
        reason = "taken out of the portfolio by a risk limit"
    price = float(section.price[slot])
    return MonthlySignal(
        month=month,
        symbol=section.symbols[slot],
        slot=slot,
        action=action,
        rank=int(selection.ranks[slot]) if ranked else None,
        score=float(scores.score[slot]) if ranked else None,
        confidence=confidence_of(scores, slot) if ranked else None,
        weight=weight,
        previous_weight=held,
        price=price if np.isfinite(price) and price > 0.0 else None,
        reason=reason,
    )
