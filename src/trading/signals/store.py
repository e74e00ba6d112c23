"""The stored months: signals and performance in DynamoDB, each month written whole and once.

The performance item of a month is its seal. It is put first, as `writing` with a hash of the
month's content; then come the signals, each with that hash; last it becomes `complete`. Readers
see complete months only. A run that died half-way is finished by the next one; a run with other
content takes over a month that was never complete and gets `ConflictError` once it was.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from trading.errors import ConflictError, NotFoundError, StoreError
from trading.signals.items import ConditionFailedError, call, from_item, pages, to_item
from trading.signals.model import MonthlySignal, MonthPerformance, Record, SuccessRate

BATCH = 25
TRIES = 8
FIRST_WAIT_SECONDS = 0.05
WRITING, COMPLETE = "writing", "complete"
_AnyRecord = TypeVar("_AnyRecord", bound=Record)


@dataclass(frozen=True)
class StoredMonth:
    """A complete month as it was stored; signals are sorted by symbol."""

    month: str
    model_version: str
    signals: tuple[MonthlySignal, ...]
    performance: MonthPerformance
    success: tuple[SuccessRate, ...]


class SignalStore:
    """Reads and writes months.

    Parameters
    ----------
    signals_table, performance_table
        `boto3.resource("dynamodb").Table(...)`; keys (`month`, `symbol`) and `month`.
    sleep
        Waits, in seconds, between the tries of a throttled batch.
    """

    def __init__(
        self,
        signals_table: Any,
        performance_table: Any,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._signals = signals_table
        self._performance = performance_table
        self._sleep = sleep

    def write_month(self, signals: Sequence[MonthlySignal], performance: MonthPerformance) -> bool:
        """Store a month whole; False when exactly this month was complete already.

        Raises `ConflictError` when the month is complete with other content (of another model
        version, say) or when another run writes it meanwhile.
        """
        month = performance.month
        _require_one_month(month, signals)
        content = content_hash(signals, performance)
        if not self._seal(performance, content):
            return False
        puts = [
            {"PutRequest": {"Item": to_item(signal.model_dump(), content=content)}}
            for signal in sorted(signals, key=lambda signal: signal.symbol)
        ]
        wanted = {signal.symbol for signal in signals}
        stale = [
            {"DeleteRequest": {"Key": {"month": month, "symbol": item["symbol"]}}}
            for item in self._items(month)
            if item["symbol"] not in wanted
        ]
        self._batch(stale + puts)
        self._complete(month, content)
        return True

    def record_success(self, month: str, rates: Sequence[SuccessRate]) -> None:
        """Keep the success rates known at a month's run; the last write wins.

        Raises `NotFoundError` when the month is not complete.
        """
        try:
            call(
                self._performance.update_item,
                Key={"month": month},
                UpdateExpression="SET #r = :rates",
                ConditionExpression="#s = :complete",
                ExpressionAttributeNames={"#s": "state", "#r": "success"},
                ExpressionAttributeValues={
                    ":rates": [to_item(rate.model_dump()) for rate in rates],
                    ":complete": COMPLETE,
                },
            )
        except ConditionFailedError as error:
            raise _absent(month) from error

    def withdraw_month(self, month: str) -> StoredMonth | None:
        """Take a complete month back and return it; None when it is not complete.

        Its seal is opened by one conditional write: readers see the month no more, and the next run
        writes it anew over what is left.
        """
        try:
            stored = self.read_month(month)
        except NotFoundError:
            return None
        content = content_hash(stored.signals, stored.performance)
        try:
            call(
                self._performance.update_item,
                Key={"month": month},
                UpdateExpression="SET #s = :writing",
                ConditionExpression="#s = :complete AND #c = :content",
                ExpressionAttributeNames={"#s": "state", "#c": "content"},
                ExpressionAttributeValues={
                    ":writing": WRITING,
                    ":complete": COMPLETE,
                    ":content": content,
                },
            )
        except ConditionFailedError as error:
            raise ConflictError(
                f"{month} was changed by another process while it was withdrawn; try again"
            ) from error
        return stored

    def read_month(self, month: str) -> StoredMonth:
        """Return a complete month; raises `NotFoundError` when there is none.

        Raises `StoreError` when items were changed or removed after the month was written.
        """
        seal = self._complete_seal(month)
        items = self._items(month)
        signals = tuple(_record(MonthlySignal, item) for item in items)
        performance = _record(MonthPerformance, seal)
        if content_hash(signals, performance) != seal["content"]:
            raise StoreError(
                f"the stored signals of {month} ({len(signals)} found) do not match their seal: "
                "items were changed by hand; restore the tables to a point before that"
            )
        success = tuple(_record(SuccessRate, rate) for rate in seal.get("success", ()))
        return StoredMonth(month, performance.model_version, signals, performance, success)

    def months(self) -> tuple[str, ...]:
        """Return the complete months, the earliest first."""
        return tuple(point.month for point in self.history())

    def latest(self, *, before: str | None = None) -> StoredMonth | None:
        """Return the last complete month (strictly before `before`); None when there is none."""
        earlier = self.history(before=before)
        return self.read_month(earlier[-1].month) if earlier else None

    def performance(self, month: str) -> MonthPerformance:
        """Return a month's performance; raises `NotFoundError` when it is not complete."""
        return _record(MonthPerformance, self._complete_seal(month))

    def history(self, *, before: str | None = None) -> tuple[MonthPerformance, ...]:
        """Return the performance of the complete months (strictly before `before`), in order."""
        seals = pages(self._performance.scan, ConsistentRead=True)
        points = [_record(MonthPerformance, s) for s in seals if s.get("state") == COMPLETE]
        wanted = [point for point in points if before is None or point.month < before]
        return tuple(sorted(wanted, key=lambda point: point.month))

    def _seal(self, performance: MonthPerformance, content: str) -> bool:
        """Put the seal as `writing`; False when it is complete with the same content."""
        month = performance.month
        try:
            call(
                self._performance.put_item,
                Item=to_item(performance.model_dump(), state=WRITING, content=content),
                ConditionExpression="attribute_not_exists(#m) OR #s = :writing",
                ExpressionAttributeNames={"#m": "month", "#s": "state"},
                ExpressionAttributeValues={":writing": WRITING},
            )
        except ConditionFailedError as error:
            stored = self._complete_seal(month)
            if stored["content"] == content:
                return False
            raise ConflictError(
                f"{month} is stored already, by model {stored['model_version']}, and this run of "
                f"model {performance.model_version} has other content; a stored month is never "
                "rewritten: rerun with the data, code and settings of the first run, or take the "
                f"stored one back by `trading withdraw {month}`"
            ) from error
        return True

    def _complete(self, month: str, content: str) -> None:
        """Turn the seal to `complete` if the items are this run's, all of them."""
        taken_over = ConflictError(
            f"another run is writing {month} too; let that one finish, then rerun"
        )
        seal = self._read_seal(month)
        signals = [_record(MonthlySignal, item) for item in self._items(month)]
        if seal is None or content_hash(signals, _record(MonthPerformance, seal)) != content:
            raise taken_over
        try:
            call(
                self._performance.update_item,
                Key={"month": month},
                UpdateExpression="SET #s = :complete",
                ConditionExpression="#c = :content",
                ExpressionAttributeNames={"#s": "state", "#c": "content"},
                ExpressionAttributeValues={":complete": COMPLETE, ":content": content},
            )
        except ConditionFailedError as error:
            raise taken_over from error

    def _read_seal(self, month: str) -> dict[str, Any] | None:
        return call(self._performance.get_item, Key={"month": month}, ConsistentRead=True).get(
            "Item"
        )

    def _complete_seal(self, month: str) -> dict[str, Any]:
        seal = self._read_seal(month)
        if seal is None or seal.get("state") != COMPLETE:
            raise _absent(month)
        return seal

    def _items(self, month: str) -> list[dict[str, Any]]:
        return pages(
            self._signals.query,
            ConsistentRead=True,
            KeyConditionExpression="#m = :month",
            ExpressionAttributeNames={"#m": "month"},
            ExpressionAttributeValues={":month": month},
        )

    def _batch(self, requests: list[dict[str, Any]]) -> None:
        """Write in batches of 25; what DynamoDB leaves undone is tried again, ever slower."""
        table, client = self._signals.name, self._signals.meta.client
        for start in range(0, len(requests), BATCH):
            left = requests[start : start + BATCH]
            for attempt in range(TRIES):
                if attempt:
                    self._sleep(FIRST_WAIT_SECONDS * 2**attempt)
                answer = call(client.batch_write_item, RequestItems={table: left})
                left = answer.get("UnprocessedItems", {}).get(table, [])
                if not left:
                    break
            else:
                raise StoreError(
                    f"DynamoDB left {len(left)} items of {table} unwritten after {TRIES} tries "
                    "(throttled); rerun the month, it goes on where it stopped"
                )


def content_hash(signals: Iterable[MonthlySignal], performance: MonthPerformance) -> str:
    """Return the sha256 of a month's content as it is stored, in whatever order signals come."""
    ordered = sorted(signals, key=lambda signal: signal.symbol)
    content = [from_item(to_item(record.model_dump())) for record in (performance, *ordered)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _require_one_month(month: str, signals: Sequence[MonthlySignal]) -> None:
    foreign = {signal.month for signal in signals} - {month}
    if foreign:
        raise StoreError(f"a month is stored alone: {month} came with signals of {sorted(foreign)}")
    if len({signal.symbol for signal in signals}) != len(signals):
        raise StoreError(f"{month} has two signals of one symbol; each symbol gets one")


def _record(kind: type[_AnyRecord], item: dict[str, Any]) -> _AnyRecord:
    fields = from_item(item)
    return kind(**{name: fields.get(name) for name in kind.model_fields})


def _absent(month: str) -> NotFoundError:
    return NotFoundError(f"there are no complete signals of {month}; run that month first")
