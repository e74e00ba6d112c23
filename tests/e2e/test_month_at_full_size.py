"""A month as it comes, 3,600 slots and every algorithm, with every role's policy enforced."""

import sys

import pytest
from trading_home import TradingHome, finished

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
AS_OF, LONGEST_MONTH = "2026-11-02", 3000


def test_a_month_at_full_size_prints_its_audit(
    home: TradingHome, capsys: pytest.CaptureFixture[str]
) -> None:
    month = finished(home.start("month", "--json", "--as-of", AS_OF), LONGEST_MONTH)
    assert month.code == 0, month.errors
    told = month.json
    assert told["status"] == "SUCCEEDED"
    assert 50 <= told["signals"]["buy"] <= 100
    assert [mail["state"] for mail in told["email"]["mails"]] == ["SENT"]
    audit = told["audit"]
    assert audit["denied"] == 0
    assert audit["allowed"] > 1000
    assert home.run("audit", "--denied", "--json").output == ""
    by_role = {role["role"]: role for role in audit["roles"]}
    assert by_role["trading-dev-score-batch"]["used"] > 0
    summary = home.run("audit")
    assert summary.code == 0
    assert f"0 refused; of {audit['granted']} grants" in summary.output
    with capsys.disabled():
        sys.stdout.write(f"\n{summary.output}")
