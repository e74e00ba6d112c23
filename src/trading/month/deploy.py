"""Deploy the challenger, or keep the champion; the pointer moves by one conditional write."""

import json

from trading.agents.artifact import MANIFEST
from trading.errors import MonthError
from trading.month.lifecycle import VERDICT, enter_model, evidence_prefix, promote_model
from trading.month.payloads import (
    Champion,
    ChampionRef,
    DeployRequest,
    KeepRequest,
    MonthRun,
    Validated,
)
from trading.month.pointers import get_folder, key_of, put_folder
from trading.month.resources import Resources
from trading.month.standing import require_standing

ARCHIVE = "archive"
PRODUCTION = "production"
MESSAGE_LIMIT = 2000


def deploy(request: DeployRequest, resources: Resources) -> Champion:
    """Copy the challenger into production and make it champion; safe to repeat."""
    month, validated = request.month, request.validated
    require_standing(month, resources)
    champion = _copy(month, validated.challenger_prefix, "ensemble", PRODUCTION, resources)
    _keep_evidence(champion, validated, resources)
    approved = f", approved: {request.decision.reason}" if request.decision.by == "operator" else ""
    reason = f"{month.month}: passed the gate{approved}"
    enter_model(champion, "CANDIDATE", month.execution, reason, resources)
    promote_model(champion, month.execution, reason, resources)
    return Champion(
        version=champion.version,
        kind=champion.kind,
        prefix=champion.prefix,
        promoted=True,
        message=f"{month.month}: challenger {champion.version} passed the gate and is champion",
    )


def keep_champion(request: KeepRequest, resources: Resources) -> Champion:
    """Archive the challenger and keep the champion; without one, install the baseline.

    Raises `MonthError` when there is neither a champion nor, training having been skipped, a
    baseline.
    """
    month, validated = request.month, request.validated
    require_standing(month, resources)
    why = _why_kept(request)
    if validated.challenger_prefix:
        rejected = _copy(month, validated.challenger_prefix, "ensemble", ARCHIVE, resources)
        _keep_evidence(rejected, validated, resources)
        enter_model(rejected, "REJECTED", month.execution, f"{month.month}: {why}", resources)
    champion = request.resolved.champion
    if champion is None and not validated.baseline_prefix:
        raise MonthError(
            f"{month.month} has no champion to score with, and training was skipped; start it"
            " without --skip-training"
        )
    if champion is None:
        champion = _copy(month, validated.baseline_prefix, "baseline", PRODUCTION, resources)
        reason = f"{month.month}: no challenger has passed the gate yet"
        enter_model(champion, "CANDIDATE", month.execution, reason, resources)
        promote_model(champion, month.execution, reason, resources)
    kept = "the baseline" if champion.kind == "baseline" else f"champion {champion.version}"
    what = "the challenger was rejected" if validated.challenger_prefix else "nothing was trained"
    message = f"{month.month}: {what} and {kept} stays: {why}"
    return Champion(
        version=champion.version,
        kind=champion.kind,
        prefix=champion.prefix,
        promoted=False,
        message=message[:MESSAGE_LIMIT],
    )


def _why_kept(request: KeepRequest) -> str:
    """Return who kept the champion, and why: the gate, the operator, or nobody's approval."""
    if not request.validated.passed:
        return "; ".join(request.validated.reasons)
    by = "by the operator" if request.decision.by == "operator" else "without approval"
    return f"it passed the gate and was kept out {by}: {request.decision.reason}"


def _copy(
    month: MonthRun, prefix: str, kind: str, folder: str, resources: Resources
) -> ChampionRef:
    """Copy a model of the run into the models store and return the pointer to it."""
    files = get_folder(resources.runs, prefix)
    version = str(json.loads(files[MANIFEST])["version"])
    target = f"{folder}/{month.month}/{version}"
    put_folder(resources.models, target, files, MANIFEST)
    return ChampionRef.model_validate(
        {"version": version, "kind": kind, "prefix": target, "month": month.month}
    )


def _keep_evidence(ref: ChampionRef, validated: Validated, resources: Resources) -> None:
    """Keep verdict, evaluation and model card of a challenger, whatever became of it."""
    folder = key_of(resources.runs, validated.verdict_uri).rpartition("/")[0]
    files = get_folder(resources.runs, folder)
    put_folder(resources.models, evidence_prefix(ref), files, VERDICT)
