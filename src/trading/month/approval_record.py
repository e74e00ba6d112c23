"""The ledger's record of a challenger that waits for a person's decision."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class PendingApproval(BaseModel):
    """A challenger that waits for a decision; moments are UTC."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    month: str
    execution: str
    version: str
    asked_at: datetime
    ends_at: datetime
    token: str


class Approvals:
    """The pending approvals of the ledger table, one a month.

    Parameters
    ----------
    table : the boto3 DynamoDB table of the ledger
    """

    def __init__(self, table: Any) -> None:
        self._table = table

    def keep(self, pending: PendingApproval) -> None:
        """Keep a request; one of an earlier run or try of the month is replaced."""
        self._table.put_item(Item={**_key(pending.month), **pending.model_dump(mode="json")})

    def read(self, month: str) -> PendingApproval | None:
        """Return the month's request; None when there is none."""
        item = self._table.get_item(Key=_key(month), ConsistentRead=True).get("Item")
        return None if item is None else PendingApproval.model_validate(item)

    def forget(self, month: str) -> None:
        """Remove the month's request."""
        self._table.delete_item(Key=_key(month))


def _key(month: str) -> Mapping[str, str]:
    return {"pk": f"month#{month}", "sk": "approval"}
