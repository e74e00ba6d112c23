"""Drift: a month's inputs and scores against what the champion learnt from; a warning, no more."""

import numpy as np

from trading.errors import ModelError, NotFoundError
from trading.monitoring.drift import check_drift
from trading.monitoring.reference import Profile, Reference
from trading.month.cross_section import CrossSection, Float32Array
from trading.month.drift_reference import REFERENCE, load_profile, member_names
from trading.month.oversight_requests import DriftRequest
from trading.month.payloads import Watched
from trading.month.pointers import key_of, uri_of
from trading.month.rank import raw_scores
from trading.month.resources import Resources
from trading.month.score import load_section
from trading.signals.oversight import DriftSummary


def drift(request: DriftRequest, resources: Resources) -> Watched:
    """Hold the month against the champion's reference and write the summary."""
    month = request.month
    section = load_section(request.context, resources)
    raw = raw_scores(request.scored, request.context, resources)
    summary = check_drift(
        _reference(request.champion.prefix, resources),
        load_profile(month, resources).months(slice(-1, None)),
        section.context.astype(np.float64),
        _score_profile(raw, section),
        resources.settings.monitoring.drift,
    )
    key = f"{month.folder}/drift.json"
    resources.runs.put(key, summary.model_dump_json(indent=1).encode())
    return Watched(outcome=summary.verdict, reason=summary.reason, uri=uri_of(resources.runs, key))


def load_summary(watched: Watched, resources: Resources) -> DriftSummary:
    """Return the summary that `drift` wrote; where the check failed, that there is no data."""
    if not watched.uri:
        return DriftSummary(verdict="no data", reason=watched.reason)
    body = resources.runs.get(key_of(resources.runs, watched.uri)).body
    return DriftSummary.model_validate_json(body)


def _reference(prefix: str, resources: Resources) -> Reference | None:
    """Return the champion's reference; None for a model of before there were any."""
    try:
        body = resources.models.get(f"{prefix}/{REFERENCE}").body
    except NotFoundError:
        return None
    return Reference.from_bytes(body)


def _score_profile(raw: Float32Array, section: CrossSection) -> Profile:
    if raw.shape[1] != len(section.symbols):
        raise ModelError(f"{raw.shape[1]} slots were scored, the month has {len(section.symbols)}")
    return Profile.of(member_names(len(raw)), raw.T[None], section.eligible[None])
