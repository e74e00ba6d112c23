"""Deploy the challenger, or keep the champion; the pointer moves by one conditional write."""

import json

from trading.agents.artifact import MANIFEST
from trading.data.store import ObjectStore
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

LATEST = "production/latest/champion.json"


def deploy(request: DeployRequest, resources: Resources) -> Champion:
    """Copy the challenger into production and make it champion; safe to repeat."""
    month, validated = request.month, request.validated
    champion = _install(month, validated.challenger_prefix, "ensemble", resources)
    _keep_evidence(month, validated, "backtest-results", resources)
    return Champion(
        version=champion.version,
        kind=champion.kind,
        prefix=champion.prefix,
        promoted=True,
        message=f"{month.month}: challenger {champion.version} passed the gate and is champion",
    )


def keep_champion(request: KeepRequest, resources: Resources) -> Champion:
    """Keep the champion; where there is none, install the baseline that validation prepared."""
    month, validated = request.month, request.validated
    _keep_evidence(month, validated, "backtest-results", resources)
    _keep_evidence(month, validated, "archive", resources)
    champion = request.resolved.champion
    if champion is None:
        champion = _install(month, validated.baseline_prefix, "baseline", resources)
    why = "; ".join(validated.reasons)
    kept = "the baseline" if champion.kind == "baseline" else f"champion {champion.version}"
    return Champion(
        version=champion.version,
        kind=champion.kind,
        prefix=champion.prefix,
        promoted=False,
        message=f"{month.month}: the challenger was rejected and {kept} stays: {why}"[:2000],
    )


def _install(month: MonthRun, prefix: str, kind: str, resources: Resources) -> ChampionRef:
    files = get_folder(resources.runs, prefix)
    version = str(json.loads(files[MANIFEST])["version"])
    target = f"production/{month.month}/{version}"
    put_folder(resources.models, target, files, MANIFEST)
    champion = ChampionRef.model_validate(
        {"version": version, "kind": kind, "prefix": target, "month": month.month}
    )
    resources.ledger.promote(champion, month.execution)
    write_latest(resources.models, champion)
    return champion


def write_latest(models: ObjectStore, champion: ChampionRef) -> None:
    """Leave a copy of the pointer where people look for it; the ledger's is the true one."""
    models.put(LATEST, champion.model_dump_json(indent=1).encode())


def _keep_evidence(
    month: MonthRun, validated: Validated, folder: str, resources: Resources
) -> None:
    verdict = resources.runs.get(key_of(resources.runs, validated.verdict_uri)).body
    target = f"{folder}/{month.month}/{validated.version}"
    resources.models.put(f"{target}/verdict.json", verdict)
    if folder == "archive":
        challenger = get_folder(resources.runs, validated.challenger_prefix)
        put_folder(resources.models, target, challenger, MANIFEST)
