"""Champions come and go by conditional writes; records and registry follow the pointer."""

import json

import pytest
from small_models import store_model

from trading.errors import ConflictError, NotFoundError
from trading.month.lifecycle import (
    EVIDENCE,
    enter_model,
    promote_model,
    roll_back_champion,
    settle,
)
from trading.month.payloads import ChampionRef
from trading.month.resources import Resources
from trading.month.shadow import in_shadow

MONTHS = ("2024-01", "2024-02", "2024-03")


def promoted(resources: Resources, month: str) -> ChampionRef:
    ref = store_model(resources, month)
    enter_model(ref, "CANDIDATE", f"run-{month}", "judged", resources)
    promote_model(ref, f"run-{month}", "passed the gate", resources)
    return ref


def rejected(resources: Resources, month: str) -> ChampionRef:
    ref = store_model(resources, month, "archive")
    enter_model(ref, "REJECTED", f"run-{month}", "Sharpe ratio too low", resources)
    return ref


def statuses(resources: Resources) -> dict[str, str]:
    return {record.month: record.status for record in resources.ledger.models.all()}


def approvals(resources: Resources) -> dict[str, str]:
    return {
        record.month: resources.registry.describe(record.package_arn or "")["ModelApprovalStatus"]
        for record in resources.ledger.models.all()
    }


def test_a_promotion_archives_the_champion_before(resources: Resources) -> None:
    for month in MONTHS:
        promoted(resources, month)
    assert statuses(resources) == dict(
        zip(MONTHS, ("ARCHIVED", "ARCHIVED", "CHAMPION"), strict=True)
    )
    assert set(approvals(resources).values()) == {"Approved"}
    record = resources.ledger.models.all()[0]
    assert [change.status for change in record.changes] == ["CANDIDATE", "CHAMPION", "ARCHIVED"]
    assert "replaced by" in record.reason


def test_a_package_tells_identity_lineage_and_evidence(resources: Resources) -> None:
    ref = store_model(resources, "2024-01")
    resources.models.put(f"{EVIDENCE}/2024-01/{ref.version}/verdict.json", b"{}")
    record = enter_model(ref, "CANDIDATE", "run", "judged", resources)
    package = resources.registry.describe(record.package_arn or "")
    told = package["CustomerMetadataProperties"]
    assert (told["version"], told["data_hash"]) == (ref.version, "data of 2024-01")
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].endswith("/verdict.json")
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["ModelDataSource"]["S3DataSource"]["S3Uri"].endswith(f"{ref.prefix}/")


def test_entering_twice_makes_one_package(resources: Resources) -> None:
    ref = promoted(resources, "2024-01")
    before = resources.ledger.models.read(ref.version)
    assert enter_model(ref, "CANDIDATE", "again", "judged", resources) == before
    promote_model(ref, "again", "passed the gate", resources)
    assert resources.ledger.models.read(ref.version) == before


def test_the_operator_rolls_back_to_the_champion_before(resources: Resources) -> None:
    refs = [promoted(resources, month) for month in MONTHS]
    assert roll_back_champion(None, "odd weights", "operator", resources) == refs[1].version
    pointer = resources.ledger.champion()
    assert pointer is not None
    assert (pointer.version, pointer.reason) == (refs[1].version, "odd weights")
    assert statuses(resources)["2024-03"] == "REJECTED"
    assert approvals(resources)["2024-03"] == "Rejected"
    assert "odd weights" in resources.ledger.models.read(refs[2].version).reason
    latest = json.loads(resources.models.get("production/latest/champion.json").body)
    assert latest["version"] == refs[1].version


def test_the_operator_rolls_back_to_any_version(resources: Resources) -> None:
    champion = promoted(resources, "2024-01")
    loser = rejected(resources, "2024-02")
    assert statuses(resources) == {"2024-01": "CHAMPION", "2024-02": "REJECTED"}
    assert roll_back_champion(loser.version[:8], "by hand", "operator", resources) == loser.version
    assert statuses(resources) == {"2024-01": "REJECTED", "2024-02": "CHAMPION"}
    pointer = resources.ledger.champion()
    assert pointer is not None
    assert pointer.history == (champion,)
    assert roll_back_champion(champion.version, "was right", "operator", resources)
    assert statuses(resources) == {"2024-01": "CHAMPION", "2024-02": "REJECTED"}


def test_what_cannot_be_rolled_back_to_is_refused(resources: Resources) -> None:
    with pytest.raises(ConflictError, match="no earlier champion"):
        roll_back_champion(None, "why", "operator", resources)
    champion = promoted(resources, "2024-01")
    with pytest.raises(ConflictError, match="champion already"):
        roll_back_champion(champion.version, "why", "operator", resources)
    with pytest.raises(NotFoundError, match=champion.version):
        roll_back_champion("nothing", "why", "operator", resources)
    lost = rejected(resources, "2024-02")
    resources.models.delete(f"{lost.prefix}/manifest.json")
    with pytest.raises(ConflictError, match="files of model .* are gone"):
        roll_back_champion(lost.version, "why", "operator", resources)
    assert statuses(resources)["2024-01"] == "CHAMPION"


def test_a_crash_between_pointer_and_records_is_mended(resources: Resources) -> None:
    first, second = promoted(resources, "2024-01"), store_model(resources, "2024-02")
    enter_model(second, "CANDIDATE", "run", "judged", resources)
    resources.ledger.promote(second, "run")
    assert statuses(resources) == {"2024-01": "CHAMPION", "2024-02": "CANDIDATE"}
    for _ in range(2):
        assert settle("run", "passed the gate", resources) == second
        assert statuses(resources) == {"2024-01": "ARCHIVED", "2024-02": "CHAMPION"}
    assert resources.ledger.models.read(first.version).revision == 4


def test_a_rollback_that_changes_nothing_mends_the_records_too(resources: Resources) -> None:
    promoted(resources, "2024-01")
    second = store_model(resources, "2024-02")
    enter_model(second, "CANDIDATE", "run", "judged", resources)
    resources.ledger.promote(second, "run")
    with pytest.raises(ConflictError, match="champion already"):
        roll_back_champion(second.version, "why", "operator", resources)
    assert statuses(resources) == {"2024-01": "ARCHIVED", "2024-02": "CHAMPION"}


def test_two_writers_of_a_record_do_not_overwrite(resources: Resources) -> None:
    ref = promoted(resources, "2024-01")
    records = resources.ledger.models
    seen = records.read(ref.version)
    records.move(seen, "ARCHIVED", "one", "first")
    with pytest.raises(ConflictError, match="another process"):
        records.move(seen, "REJECTED", "other", "second")
    assert records.read(ref.version).status == "ARCHIVED"


def test_only_the_last_run_of_a_month_is_in_shadow(resources: Resources) -> None:
    for run in (1, 2):
        ref = ChampionRef(version=f"r{run}", kind="ensemble", prefix="archive", month="2024-02")
        resources.ledger.models.enter(ref, "REJECTED", f"run-{run}", "lost")
    older = ChampionRef(version="old", kind="ensemble", prefix="archive", month="2024-01")
    resources.ledger.models.enter(older, "REJECTED", "run-0", "lost")
    shadows = [record.version for record in in_shadow("2024-02", resources)]
    assert shadows == ["r2", "old"]
    assert [record.version for record in in_shadow("2024-01", resources)] == ["old"]


@pytest.mark.slow
def test_a_package_that_was_deleted_by_hand_is_made_again(resources: Resources) -> None:
    first, second = (promoted(resources, month) for month in MONTHS[:2])
    record = resources.ledger.models.read(first.version)
    resources.ledger.models.keep_package(record, f"{record.package_arn}00")
    assert roll_back_champion(first.version, "why", "operator", resources) == first.version
    assert approvals(resources) == {"2024-01": "Approved", "2024-02": "Rejected"}
    assert statuses(resources) == {"2024-01": "CHAMPION", "2024-02": "REJECTED"}
    assert second.version != first.version
