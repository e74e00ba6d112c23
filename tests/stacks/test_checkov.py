"""What the scan of the plan excuses, and when it is none."""

from pathlib import Path

import pytest

from stackcheck.errors import StackCheckError
from stackcheck.scan import checkov, excuses, scan

MOST = 10


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


@pytest.mark.slow
def test_a_scan_without_a_plan_is_no_scan(tmp_path: Path) -> None:
    try:
        checkov()
    except StackCheckError as error:
        pytest.skip(str(error))
    with pytest.raises(StackCheckError, match="checkov"):
        scan({}, tmp_path)
