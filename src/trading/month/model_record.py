"""The life of a model version: candidate, champion, archived or rejected, each step with a reason.

One ledger item a version (pk `model#<version>`, sk `model`). The champion pointer says which model
is champion and moves first; the records follow it, each by a conditional write, and a station that
is repeated brings them to where the pointer is. The approval status of the model registry follows
the records (`month/registry.py`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, Field

from trading.errors import ConflictError, NotFoundError
from trading.month.payloads import ChampionRef

ModelStatus = Literal["CANDIDATE", "CHAMPION", "ARCHIVED", "REJECTED"]
REASON_LIMIT = 500
_SORT_KEY = "model"


class Change(BaseModel):
    """One step of a model's life: when (UTC), to what, by whom and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    status: ModelStatus
    by: str
    reason: str


class ModelRecord(BaseModel):
    """What became of a model version.

    Attributes
    ----------
    version, kind, month, prefix : as in `ChampionRef`; the prefix lies in the models store
    status : where it stands; `changes` tells how it came there, the oldest first
    package_arn : its entry in the model registry
    revision : counts the writes; a write is conditional on it
    """

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    version: str
    kind: Literal["ensemble", "baseline"]
    month: str
    prefix: str
    status: ModelStatus
    changes: tuple[Change, ...]
    package_arn: str | None = None
    revision: int = Field(1, ge=1)

    def ref(self) -> ChampionRef:
        """Return the pointer to this version."""
        return ChampionRef(**self.model_dump(include=set(ChampionRef.model_fields)))

    @property
    def reason(self) -> str:
        """Why it stands where it stands."""
        return self.changes[-1].reason


class ModelRecords:
    """The records of the ledger table.

    Parameters
    ----------
    table : the boto3 DynamoDB table of the ledger
    """

    def __init__(self, table: Any) -> None:
        self._table = table

    def find(self, version: str) -> ModelRecord | None:
        """Return the record of a version; None when there is none."""
        key = {"pk": f"model#{version}", "sk": _SORT_KEY}
        item = self._table.get_item(Key=key, ConsistentRead=True).get("Item")
        return None if item is None else _record(item)

    def read(self, version: str) -> ModelRecord:
        """Return the record of a version, or of the only one that begins so.

        Raises `NotFoundError` with the versions that there are.
        """
        found = self.find(version)
        if found is not None:
            return found
        records = self.all()
        alike = [record for record in records if version and record.version.startswith(version)]
        if len(alike) == 1:
            return alike[0]
        known = ", ".join(f"{r.version} ({r.month}, {r.status})" for r in records) or "none"
        count = "no" if not alike else f"{len(alike)}"
        raise NotFoundError(f"{count} models are of version {version!r}; there are {known}")

    def all(self) -> tuple[ModelRecord, ...]:
        """Return every record, the oldest month first."""
        found: list[ModelRecord] = []
        arguments: dict[str, Any] = {
            "FilterExpression": "sk = :model",
            "ExpressionAttributeValues": {":model": _SORT_KEY},
            "ConsistentRead": True,
        }
        while True:
            page = self._table.scan(**arguments)
            found += [_record(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return tuple(sorted(found, key=lambda r: (r.month, r.changes[0].at, r.version)))
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def enter(self, ref: ChampionRef, status: ModelStatus, by: str, reason: str) -> ModelRecord:
        """Enter a version, or bring the one that is there to `status` and place; safe to repeat.

        The champion keeps its status: only the pointer's move ends it.

        Raises `ConflictError` when another process wrote the record meanwhile.
        """
        found = self.find(ref.version)
        if found is None:
            record = ModelRecord(
                **ref.model_dump(), status=status, changes=(_change(status, by, reason),)
            )
            return self._put(record, None)
        if found.ref() != ref:
            found = self._put(found.model_copy(update=ref.model_dump()), found)
        return found if found.status == "CHAMPION" else self.move(found, status, by, reason)

    def move(self, record: ModelRecord, status: ModelStatus, by: str, reason: str) -> ModelRecord:
        """Give a record another status by one conditional write; no step where it has it already.

        Raises `ConflictError` when another process wrote the record meanwhile.
        """
        if record.status == status:
            return record
        changes = (*record.changes, _change(status, by, reason))
        return self._put(record.model_copy(update={"status": status, "changes": changes}), record)

    def keep_package(self, record: ModelRecord, arn: str) -> ModelRecord:
        """Keep the registry's name of a version."""
        if record.package_arn == arn:
            return record
        return self._put(record.model_copy(update={"package_arn": arn}), record)

    def _put(self, record: ModelRecord, before: ModelRecord | None) -> ModelRecord:
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if before is not None:
            record = record.model_copy(update={"revision": before.revision + 1})
            condition = {
                "ConditionExpression": "#r = :before",
                "ExpressionAttributeNames": {"#r": "revision"},
                "ExpressionAttributeValues": {":before": before.revision},
            }
        key = {"pk": f"model#{record.version}", "sk": _SORT_KEY}
        item = key | record.model_dump(mode="json", exclude_none=True)
        try:
            self._table.put_item(Item=item, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            # boto3 repeats a request whose answer was lost: what is in the way may be our own.
            if self._table.get_item(Key=key, ConsistentRead=True).get("Item") == item:
                return record
            raise ConflictError(
                f"the record of model {record.version} was written by another process; try again"
            ) from error
        return record


def _change(status: ModelStatus, by: str, reason: str) -> Change:
    now = datetime.now(UTC).replace(microsecond=0)
    return Change(at=now, status=status, by=by, reason=reason[:REASON_LIMIT])


def _record(item: Mapping[str, Any]) -> ModelRecord:
    return ModelRecord.model_validate({k: v for k, v in item.items() if k not in ("pk", "sk")})
