from datetime import date

import pytest

from trading.errors import ConflictError
from trading.month.ledger import Ledger, RunRecord
from trading.month.payloads import ChampionRef
from trading.month.resources import Resources


@pytest.fixture
def ledger(resources: Resources) -> Ledger:
    return resources.ledger


def champion(month: str, version: str = "v") -> ChampionRef:
    return ChampionRef(
        version=f"{version}-{month}", kind="ensemble", prefix=f"production/{month}", month=month
    )


def record(month: str = "2019-10", run: int = 1, status: str = "RUNNING") -> RunRecord:
    return RunRecord.model_validate(
        {"month": month, "as_of": date(2019, 10, 1), "run": run, "status": status}
    )


def test_a_run_is_claimed_once(ledger: Ledger) -> None:
    ledger.claim_run(record(run=1))
    with pytest.raises(ConflictError, match="run 1 of 2019-10"):
        ledger.claim_run(record(run=1).model_copy(update={"correlation_id": "another"}))
    ledger.claim_run(record(run=2))
    assert ledger.run_of("2019-10") == record(run=2)


def test_an_old_run_cannot_close_a_newer_one(ledger: Ledger) -> None:
    ledger.claim_run(record(run=2))
    with pytest.raises(ConflictError, match="newer run"):
        ledger.update_run(record(run=1), record(run=1, status="FAILED"))
    ledger.update_run(record(run=2), record(run=2, status="SUCCEEDED"))
    assert ledger.run_of("2019-10") == record(run=2, status="SUCCEEDED")


def test_a_run_that_has_ended_meanwhile_keeps_its_end(ledger: Ledger) -> None:
    ledger.claim_run(record())
    read = ledger.run_of("2019-10")
    assert read is not None
    ledger.update_run(read, record(status="FAILED"))
    with pytest.raises(ConflictError, match="is not RUNNING any more"):
        ledger.update_run(read, record(status="SUCCEEDED"))
    assert ledger.run_of("2019-10") == record(status="FAILED")


def test_runs_are_listed_by_month(ledger: Ledger) -> None:
    for month in ("2019-11", "2019-10"):
        ledger.claim_run(record(month))
    assert [run.month for run in ledger.runs()] == ["2019-10", "2019-11"]


def test_the_champion_moves_once(ledger: Ledger) -> None:
    assert ledger.champion() is None
    assert ledger.promote(champion("2019-10"), "r1")
    assert not ledger.promote(champion("2019-10"), "r2")
    assert ledger.champion_before("2019-10") is None
    assert ledger.champion_before("2019-11") == champion("2019-10")


def test_a_rerun_replaces_what_its_month_promoted(ledger: Ledger) -> None:
    ledger.promote(champion("2019-10"), "r1")
    ledger.promote(champion("2019-11", "first"), "r1")
    ledger.promote(champion("2019-11", "second"), "r2")
    pointer = ledger.champion()
    assert pointer is not None
    assert pointer.history == (champion("2019-10"),)
    assert ledger.champion_before("2019-11") == champion("2019-10")


def test_a_failed_month_undoes_its_promotion(ledger: Ledger) -> None:
    ledger.promote(champion("2019-10"), "r1")
    ledger.promote(champion("2019-11"), "r1")
    assert not ledger.undo_promotion("2019-12")
    assert ledger.undo_promotion("2019-11")
    pointer = ledger.champion()
    assert pointer is not None
    assert pointer.ref() == champion("2019-10")
    assert ledger.undo_promotion("2019-10")
    assert ledger.champion() is None


def test_the_operator_rolls_back_one_by_one(ledger: Ledger) -> None:
    for month in ("2019-10", "2019-11", "2019-12"):
        ledger.promote(champion(month), "r1")
    assert ledger.roll_back() == champion("2019-11")
    assert ledger.roll_back() == champion("2019-10")
    with pytest.raises(ConflictError, match="no earlier champion"):
        ledger.roll_back()


def test_two_promotions_at_once_do_not_overwrite(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.promote(champion("2019-10"), "r1")
    seen = ledger.champion()
    ledger.promote(champion("2019-11"), "r1")
    monkeypatch.setattr(ledger, "champion", lambda: seen)
    with pytest.raises(ConflictError, match="another process"):
        ledger.promote(champion("2019-11", "other"), "r1")
