"""What a month's signals were made of, kept beside them for `trading lineage` to check."""

import hashlib
from datetime import date

from pydantic import BaseModel, ConfigDict

from trading.errors import DataError, NotFoundError
from trading.month.payloads import RankRequest, Scored
from trading.month.pointers import key_of, uri_of
from trading.month.resources import Resources

FILE = "provenance.json"


class Provenance(BaseModel):
    """The hashes from data to signals of one run of a month.

    Attributes
    ----------
    month, as_of, execution : which run; bars strictly before `as_of` were seen
    data_hash : of the lake's bars, see `Lake.data_hash`
    dataset_uri, dataset_hash, slots_version, recipe : what was prepared of them
    model, model_prefix : the champion that scored, in the models store
    context_uri, context_sha256 : the cross-section that was scored
    scored : the raw scores, batch by batch, with the sha256 of each
    signals_uri, signals_sha256 : what ranking made of them
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    month: str
    as_of: date
    execution: str
    data_hash: str
    dataset_uri: str
    dataset_hash: str
    slots_version: str
    recipe: str
    model: str
    model_prefix: str
    context_uri: str
    context_sha256: str
    scored: tuple[Scored, ...]
    signals_uri: str
    signals_sha256: str


def keep_provenance(request: RankRequest, signals_key: str, resources: Resources) -> None:
    """Write what the month's signals, which lie at `signals_key`, were made of."""
    runs = resources.runs
    signals_uri = uri_of(runs, signals_key)
    found = Provenance(
        month=request.month.month,
        as_of=request.month.as_of,
        execution=request.month.execution,
        data_hash=request.resolved.data_hash or "",
        dataset_uri=request.prepared.dataset_uri,
        dataset_hash=request.prepared.dataset_hash,
        slots_version=request.prepared.slots_version,
        recipe=request.prepared.recipe,
        model=request.champion.version,
        model_prefix=request.champion.prefix,
        context_uri=request.context.context_uri,
        context_sha256=sha256_of(request.context.context_uri, resources),
        scored=request.scored,
        signals_uri=signals_uri,
        signals_sha256=sha256_of(signals_uri, resources),
    )
    runs.put(f"{request.month.folder}/{FILE}", found.model_dump_json(indent=1).encode())


def read_provenance(month: str, resources: Resources) -> Provenance:
    """Return what the signals of a month's latest run were made of; raises `NotFoundError`."""
    record = resources.ledger.run_of(month)
    if record is None:
        raise NotFoundError(f"{month} has not run here; `trading signals` tells the months")
    key = f"runs/{month}/{record.execution}/{FILE}"
    try:
        body = resources.runs.get(key).body
    except NotFoundError as error:
        raise NotFoundError(
            f"{record.execution} left no {FILE}: it failed before it ranked, or is too old"
        ) from error
    return Provenance.model_validate_json(body)


def sha256_of(uri: str, resources: Resources) -> str:
    """Return the sha256 of an object of the runs store; raises `DataError` where it is gone."""
    try:
        body = resources.runs.get(key_of(resources.runs, uri)).body
    except NotFoundError as error:
        raise DataError(f"{uri} is gone; run the month again") from error
    return hashlib.sha256(body).hexdigest()
