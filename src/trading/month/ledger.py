"""The ledger: which months ran and which model is champion, every change a conditional write."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Literal, NoReturn

import boto3
from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict

from trading.errors import ConflictError
from trading.month.approval_record import Approvals
from trading.month.model_record import ModelRecords
from trading.month.payloads import ChampionRef, Overrides
from trading.month.switch import KillSwitch

RunStatus = Literal["RUNNING", "SUCCEEDED", "FAILED", "WITHDRAWN"]
HISTORY = 24
_POINTER = {"pk": "champion", "sk": "pointer"}


class RunRecord(BaseModel):
    """One month's entry: its latest run, and as what it was asked for.

    `WITHDRAWN` is a stored month that was taken back.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    month: str
    as_of: date
    run: int
    status: RunStatus
    execution_arn: str | None = None
    correlation_id: str = ""
    reason: str = ""
    model_version: str | None = None
    exclude: tuple[str, ...] = ()
    overrides: Overrides = Overrides()

    @property
    def execution(self) -> str:
        """Name of the run's execution of the state machine."""
        return f"monthly-{self.month}-r{self.run}"


class ChampionPointer(ChampionRef):
    """The champion, the execution that promoted it, and the champions before it, newest first.

    `execution` is `rollback` after the operator moved the pointer, and `reason` says why.
    """

    execution: str
    reason: str = ""
    history: tuple[ChampionRef, ...] = ()

    def ref(self) -> ChampionRef:
        """Return the pointer without its history."""
        return ChampionRef(**self.model_dump(include=set(ChampionRef.model_fields)))


class Ledger:
    """The ledger table (`pk`, `sk`).

    Parameters
    ----------
    table : name of the DynamoDB table
    resource : boto3 DynamoDB resource; made when absent

    Attributes
    ----------
    models : the records of the model versions
    switch : pauses everything
    approvals : challengers that wait for a person's decision
    """

    def __init__(self, table: str, resource: Any = None) -> None:
        self._table = (resource or boto3.resource("dynamodb")).Table(table)
        self.models = ModelRecords(self._table)
        self.switch = KillSwitch(self._table)
        self.approvals = Approvals(self._table)

    def run_of(self, month: str) -> RunRecord | None:
        """Return the latest run of a month."""
        item = self._get(f"month#{month}", "run")
        return RunRecord.model_validate(item) if item else None

    def runs(self) -> list[RunRecord]:
        """Return the latest run of every month, oldest month first."""
        found: list[RunRecord] = []
        arguments: dict[str, Any] = {
            "FilterExpression": "sk = :run",
            "ExpressionAttributeValues": {":run": "run"},
        }
        while True:
            page = self._table.scan(ConsistentRead=True, **arguments)
            found += [RunRecord.model_validate(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return sorted(found, key=lambda record: record.month)
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def claim_run(self, record: RunRecord) -> None:
        """Enter a new run; raises `ConflictError` if another process entered one meanwhile."""
        self._put(
            {"pk": f"month#{record.month}", "sk": "run", **_plain(record)},
            "attribute_not_exists(pk) OR #run < :run",
            {"#run": "run"},
            {":run": record.run},
            f"run {record.run} of {record.month} was entered by another process",
        )

    def update_run(self, before: RunRecord, after: RunRecord) -> None:
        """Replace a run's entry as it was read.

        Raises `ConflictError` if a newer run has entered or the run's status has changed since.
        """
        self._put(
            {"pk": f"month#{after.month}", "sk": "run", **_plain(after)},
            "#run = :run AND #status = :status",
            {"#run": "run", "#status": "status"},
            {":run": before.run, ":status": before.status},
            f"run {before.run} of {before.month} is not {before.status} any more, or has a newer"
            " run: another process changed the entry meanwhile",
        )

    def champion(self) -> ChampionPointer | None:
        """Return the champion pointer."""
        item = self._get(**_POINTER)
        return ChampionPointer.model_validate(_without_keys(item)) if item else None

    def champion_before(self, month: str) -> ChampionRef | None:
        """Return the champion that the month began with, whatever its own runs promoted."""
        pointer = self.champion()
        if pointer is None:
            return None
        line = (pointer.ref(), *pointer.history)
        return next((champion for champion in line if champion.month < month), None)

    def promote(self, champion: ChampionRef, execution: str) -> bool:
        """Point at a new champion by one conditional write; False if it already is the champion.

        What an earlier run of the same month promoted is replaced, not kept in the history.
        """
        current = self.champion()
        if current is not None and current.ref() == champion:
            return False
        line = () if current is None else (current.ref(), *current.history)
        history = tuple(ref for ref in line if ref.month < champion.month)[:HISTORY]
        pointer = ChampionPointer(**champion.model_dump(), execution=execution, history=history)
        self._point(current, pointer)
        return True

    def undo_promotion(self, month: str) -> bool:
        """Put the pointer back if a run of `month` moved it; tell whether one had."""
        current = self.champion()
        if current is None or current.month != month:
            return False
        if current.history:
            self._step_back(current)
        else:
            self._change(current, self._table.delete_item, Key=_POINTER)
        return True

    def roll_back(self, to: ChampionRef | None = None, reason: str = "") -> ChampionRef:
        """Point at `to`, by default the champion before the present one; return it.

        Of the line of champions those stay that are older than the new one. Raises `ConflictError`
        when there is none before, when `to` is champion already, or when another process moved the
        pointer meanwhile.
        """
        current = self.champion()
        if current is None or (to is None and not current.history):
            raise ConflictError("there is no earlier champion to roll back to")
        if to is None:
            return self._step_back(current, reason)
        if to == current.ref():
            raise ConflictError(f"model {to.version} of {to.month} is the champion already")
        line = (current.ref(), *current.history)
        older = tuple(ref for ref in line if ref.month < to.month)
        self._turn_to(current, to, older, reason)
        return to

    def _step_back(self, current: ChampionPointer, reason: str = "") -> ChampionRef:
        previous, *rest = current.history
        self._turn_to(current, previous, tuple(rest), reason)
        return previous

    def _turn_to(
        self,
        current: ChampionPointer,
        champion: ChampionRef,
        history: tuple[ChampionRef, ...],
        reason: str,
    ) -> None:
        pointer = ChampionPointer(
            **champion.model_dump(), execution="rollback", reason=reason, history=history
        )
        self._point(current, pointer)

    def _point(self, current: ChampionPointer | None, pointer: ChampionPointer) -> None:
        item = _POINTER | pointer.model_dump(mode="json")
        self._change(current, self._table.put_item, Item=item)

    def _change(
        self, current: ChampionPointer | None, write: Callable[..., Any], **what: Any
    ) -> None:
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if current is not None:
            condition = {
                "ConditionExpression": "version = :version AND execution = :execution",
                "ExpressionAttributeValues": {
                    ":version": current.version,
                    ":execution": current.execution,
                },
            }
        try:
            write(**what, **condition)
        except ClientError as error:
            wanted = what.get("Item")
            if not self._is_written(error, _POINTER, wanted):
                _raise(error, "the champion pointer was moved by another process")

    def _get(self, pk: str, sk: str) -> Mapping[str, Any] | None:
        found = self._table.get_item(Key={"pk": pk, "sk": sk}, ConsistentRead=True)
        item: Mapping[str, Any] | None = found.get("Item")
        return item

    def _put(
        self,
        item: Mapping[str, Any],
        condition: str,
        names: Mapping[str, str],
        values: Mapping[str, Any],
        conflict: str,
    ) -> None:
        try:
            self._table.put_item(
                Item=item,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if not self._is_written(error, {"pk": item["pk"], "sk": item["sk"]}, item):
                _raise(error, conflict)

    def _is_written(
        self, error: ClientError, key: Mapping[str, str], wanted: Mapping[str, Any] | None
    ) -> bool:
        """Tell whether a conditional write failed because it had been carried out before.

        boto3 repeats a request whose answer was lost, and then its own write is in the way.
        """
        return _is_conflict(error) and self._get(key["pk"], key["sk"]) == wanted


def _plain(record: RunRecord) -> dict[str, Any]:
    return record.model_dump(mode="json", exclude_none=True)


def _without_keys(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in ("pk", "sk")}


def _is_conflict(error: ClientError) -> bool:
    return bool(error.response["Error"]["Code"] == "ConditionalCheckFailedException")


def _raise(error: ClientError, conflict: str) -> NoReturn:
    if _is_conflict(error):
        raise ConflictError(conflict) from error
    raise error
