"""From candidate to champion and back: the pointer first, then the records, then the registry.

The champion pointer of the ledger is the truth and moves by one conditional write. What is said of
the versions beside it (their records, the registry's approval) is brought to it afterwards by
`settle`, which may be repeated: after a crash between the two the next call finishes the work.
"""

import json

from trading.agents.artifact import MANIFEST, Manifest
from trading.errors import ConflictError
from trading.month.champion_record import RECORD
from trading.month.model_record import ModelRecord, ModelStatus
from trading.month.payloads import ChampionRef
from trading.month.pointers import uri_of
from trading.month.resources import Resources

LATEST = "production/latest/champion.json"
EVIDENCE = "backtest-results"
VERDICT = "verdict.json"
METRICS = "metrics.json"
"""What is known of a model that no gate has judged."""


def evidence_prefix(ref: ChampionRef) -> str:
    """Return where the evidence on a version lies in the models store."""
    return f"{EVIDENCE}/{ref.month}/{ref.version}"


def enter_model(
    ref: ChampionRef, status: ModelStatus, by: str, reason: str, resources: Resources
) -> ModelRecord:
    """Enter a model that lies in the models store into ledger and registry; safe to repeat."""
    records = resources.ledger.models
    return _publish(records.enter(ref, status, by, reason), resources)


def promote_model(ref: ChampionRef, execution: str, reason: str, resources: Resources) -> None:
    """Make an entered model champion, and archive the one before it; safe to repeat."""
    resources.ledger.promote(ref, execution)
    settle(execution, reason, resources)


def roll_back_champion(version: str | None, reason: str, by: str, resources: Resources) -> str:
    """Make an earlier model champion again by the operator's decision; return its version.

    Parameters
    ----------
    version : of any model that is archived or was rejected, or the beginning of one; None for the
        champion before the present one
    reason : why; it is kept with the pointer, the records and the registry
    by : who decided

    Raises
    ------
    ConflictError
        There is no such champion to go back to, it is champion already, or another process moved
        the pointer meanwhile.
    NotFoundError
        No model is of that version.
    """
    ledger = resources.ledger
    target = None if version is None else _target(version, resources)
    settle(by, "the records are brought to the pointer", resources)
    champion = ledger.roll_back(target, reason)
    settle(by, reason, resources, demoted="REJECTED")
    return champion.version


def settle(
    by: str, reason: str, resources: Resources, demoted: ModelStatus = "ARCHIVED"
) -> ChampionRef | None:
    """Bring records, registry and the copy in the models store to the champion pointer.

    Parameters
    ----------
    by, reason : kept with every record that changes
    demoted : what a model becomes that was champion and is no more
    """
    ledger = resources.ledger
    pointer = ledger.champion()
    for record in ledger.models.all():
        if pointer is not None and record.version == pointer.version:
            _follow(record, "CHAMPION", by, reason, resources)
        elif record.status == "CHAMPION":
            after = f"replaced by {pointer.version}" if pointer else "no champion is left"
            _follow(record, demoted, by, f"{after}: {reason}", resources)
    if pointer is None:
        return None
    resources.models.put(LATEST, json.dumps(pointer.ref().to_json(), indent=1).encode())
    return pointer.ref()


def _evidence(ref: ChampionRef, resources: Resources) -> str | None:
    """Return the URI of the verdict on a model, else of its metrics, else None."""
    models = resources.models
    places = (f"{evidence_prefix(ref)}/{name}" for name in (VERDICT, METRICS))
    return next((uri_of(models, place) for place in places if models.exists(place)), None)


def _follow(
    record: ModelRecord, status: ModelStatus, by: str, reason: str, resources: Resources
) -> None:
    if record.status != status:
        _publish(resources.ledger.models.move(record, status, by, reason), resources)


def _publish(record: ModelRecord, resources: Resources) -> ModelRecord:
    """Bring the registry to a record; a package that is not there, or no more, is made."""
    registry, models = resources.registry, resources.models
    if record.package_arn is None or not registry.holds(record.package_arn):
        manifest = Manifest.model_validate_json(models.get(f"{record.prefix}/{MANIFEST}").body)
        folder = f"{uri_of(models, record.prefix)}/"
        arn = registry.register(record, manifest, folder, _evidence(record.ref(), resources))
        record = resources.ledger.models.keep_package(record, arn)
    registry.follow(record)
    return record


def _target(version: str, resources: Resources) -> ChampionRef:
    """Return the pointer to a version whose files are all there."""
    record = resources.ledger.models.read(version)
    if not resources.models.exists(f"{record.prefix}/{MANIFEST}"):
        raise ConflictError(
            f"the files of model {record.version} are gone from {record.prefix}; "
            "choose another version (`trading models`)"
        )
    if record.kind == "ensemble" and not resources.models.exists(f"{record.prefix}/{RECORD}"):
        raise ConflictError(
            f"model {record.version} was never judged: it has no out-of-sample record, which the"
            " next gate would need of a champion"
        )
    return record.ref()
