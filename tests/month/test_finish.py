"""The month's end: which run may call its month done."""

from datetime import date
from typing import Any

import pytest

from trading.errors import ConflictError
from trading.month.finish import finish
from trading.month.ledger import Ledger, RunRecord
from trading.month.payloads import FinishRequest
from trading.month.resources import Resources
from trading.month.standing import StaleRunError

MONTH = {
    "month": "2019-12",
    "as_of": "2019-12-02",
    "run": 2,
    "execution": "monthly-2019-12-r2",
    "correlation_id": "c",
}
URI = "s3://runs/key"
REQUEST = FinishRequest.model_validate(
    {
        "month": MONTH,
        "resolved": {
            "complete": True,
            "last_session": "2019-11-29",
            "source": "files",
            "simulated": False,
        },
        "validated": {
            "passed": True,
            "version": "v1",
            "challenger_prefix": "p",
            "baseline_prefix": "",
            "verdict_uri": URI,
            "reasons": [],
        },
        "champion": {
            "version": "v1",
            "kind": "ensemble",
            "prefix": "p",
            "promoted": True,
            "message": "promoted",
        },
        "ranked": {"signals_uri": URI, "count": 1, "buy": 1, "sell": 0, "hold": 0},
        "measured": {"report_uri": URI, "recipients": [0]},
        "notified": [{"recipient": 0, "state": "SENT", "message_id": "m"}],
    }
)


def begun(run: int = 2, status: str = "RUNNING") -> RunRecord:
    return RunRecord.model_validate(
        {"month": "2019-12", "as_of": date(2019, 12, 2), "run": run, "status": status}
    )


def test_the_run_that_its_month_waits_for_ends_it_as_often_as_it_is_asked(
    resources: Resources,
) -> None:
    resources.ledger.claim_run(begun())
    for _ in range(2):
        assert finish(REQUEST, resources).status == "SUCCEEDED"
        record = resources.ledger.run_of("2019-12")
        assert record is not None
        assert (record.status, record.model_version) == ("SUCCEEDED", "v1")


@pytest.mark.parametrize("status", ["FAILED", "WITHDRAWN"])
def test_a_run_that_was_stopped_or_taken_back_stays_so(resources: Resources, status: str) -> None:
    ended = begun(status=status).model_copy(update={"reason": "stopped by operator: x"})
    resources.ledger.claim_run(ended)
    with pytest.raises(StaleRunError, match=rf"says {status} \(stopped by operator: x\); start a"):
        finish(REQUEST, resources)
    assert resources.ledger.run_of("2019-12") == ended


@pytest.mark.slow
@pytest.mark.parametrize("run", [None, 1, 3], ids=["none", "older", "newer"])
def test_another_run_is_left_alone(resources: Resources, run: int | None) -> None:
    if run is not None:
        resources.ledger.claim_run(begun(run))
    with pytest.raises(StaleRunError, match="not the run that the ledger waits for"):
        finish(REQUEST, resources)
    assert resources.ledger.run_of("2019-12") == (None if run is None else begun(run))


def test_a_stop_at_the_same_moment_wins(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator stops the run after the station has read the ledger and before it writes."""
    resources.ledger.claim_run(begun())
    read = Ledger.run_of

    def stopped_after(ledger: Ledger, month: str) -> Any:
        record = read(ledger, month)
        assert record is not None
        monkeypatch.undo()
        ledger.update_run(record, begun(status="FAILED"))
        return record

    monkeypatch.setattr(Ledger, "run_of", stopped_after)
    with pytest.raises(ConflictError, match="is not RUNNING any more"):
        finish(REQUEST, resources)
    assert resources.ledger.run_of("2019-12") == begun(status="FAILED")
