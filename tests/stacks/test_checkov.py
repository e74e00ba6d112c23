"""An independent scan of the plan of every environment."""

from dataclasses import replace
from pathlib import Path

import pytest

from stackcheck.errors import StackCheckError
from stackcheck.plan import Terraform
from stackcheck.recording import Recording
from stackcheck.scan import checkov, excuses, scan

MOST = 10


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    try:
        checkov()
        return Terraform(tmp_path_factory.mktemp("terraform"))
    except StackCheckError as error:
        pytest.skip(f"the plan cannot be scanned here: {error}")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_failed_rule_has_a_reason(
    terraform: Terraform, recording: Recording, tmp_path: Path
) -> None:
    failed = scan(terraform.plan(recording, referenced=True), tmp_path)
    unexcused = sorted({(one.rule, one.says, one.resource) for one in failed} - _excused(failed))
    assert unexcused == []
    if recording.stack == "prod":
        assert {one.rule for one in failed} == set(excuses()), "an excuse that nothing needs"


def _excused(failed: list) -> set[tuple[str, str, str]]:
    return {(one.rule, one.says, one.resource) for one in failed if one.rule in excuses()}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_scan_sees_a_careless_program(
    terraform: Terraform, dev: Recording, tmp_path: Path
) -> None:
    careless = replace(
        dev,
        resources=tuple(
            one
            for one in dev.resources
            if one.type != "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
        ),
    )
    failed = scan(terraform.plan(careless, referenced=True), tmp_path)
    assert "CKV2_AWS_6" in {one.rule for one in failed}


def test_few_rules_are_excused_and_each_with_a_sentence() -> None:
    found = excuses()
    assert 0 < len(found) <= MOST
    for rule, reason in found.items():
        assert reason.endswith("."), rule
        assert len(reason.split()) > 8, rule


def test_a_table_that_is_not_there_excuses_nothing(tmp_path: Path) -> None:
    document = tmp_path / "security.md"
    document.write_text("| CKV_AWS_1 | no reason |\n| CKV_AWS_2 | here |  |\n", encoding="utf-8")
    assert excuses(document) == {}


def test_a_scan_without_a_plan_is_no_scan(tmp_path: Path) -> None:
    try:
        checkov()
    except StackCheckError as error:
        pytest.skip(str(error))
    with pytest.raises(StackCheckError, match="checkov"):
        scan({}, tmp_path)
