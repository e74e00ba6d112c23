"""The kill switch: while it is thrown no month and no day runs, and nothing is stored or mailed.

It is one item of the ledger table (pk `switch`, sk `pause`). The state machines read it first, the
function that starts a month refuses while it is there, and the stations that write what others see
(`month/standing.py`) read it again: a month that runs when the switch is thrown stops at the next
of them and is rolled back.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

KEY: Mapping[str, str] = {"pk": "switch", "sk": "pause"}


class Pause(BaseModel):
    """Since when (UTC), by whom and why everything is paused; `schedules` it has turned off."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: datetime
    by: str
    reason: str
    schedules: tuple[str, ...] = ()


class KillSwitch:
    """The switch of one environment.

    Parameters
    ----------
    table : the boto3 DynamoDB table of the ledger
    """

    def __init__(self, table: Any) -> None:
        self._table = table

    def read(self) -> Pause | None:
        """Return the pause in force; None when everything runs."""
        item = self._table.get_item(Key=dict(KEY), ConsistentRead=True).get("Item")
        return None if item is None else Pause.model_validate(item)

    def pause(self, by: str, reason: str, schedules: tuple[str, ...] = ()) -> Pause:
        """Throw the switch; a pause that is in force already is replaced by this one."""
        now = datetime.now(UTC).replace(microsecond=0)
        pause = Pause(at=now, by=by, reason=reason, schedules=schedules)
        self._table.put_item(Item={**KEY, **pause.model_dump(mode="json")})
        return pause

    def resume(self) -> bool:
        """Take the switch back; tell whether it was thrown."""
        gone = self._table.delete_item(Key=dict(KEY), ReturnValues="ALL_OLD")
        return "Attributes" in gone
