"""Rejected challengers in shadow, drift, lineage and withdrawal, over months that really ran."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pytest
from month_runner import NOTHING_PASSES, MonthRunner, State, small_settings
from month_tables import make_tables, resources_at
from moto import mock_aws

from trading.config import Settings
from trading.errors import ConflictError, MonthError, NotFoundError, StoreError
from trading.month.lifecycle import roll_back_champion
from trading.month.lineage import Lineage, trace
from trading.month.notify import mails_of, preview_key
from trading.month.provenance import read_provenance
from trading.month.shadow import in_shadow, shadow_history
from trading.month.withdraw import withdraw_month, withdrawals
from trading.signals.report import read_report
from trading.strategy.signals import Action

pytestmark = pytest.mark.slow
DAYS = (date(2024, 1, 2), date(2024, 2, 1), date(2024, 3, 1))
LINKS = ["data", "dataset", "model", "context", "score", "rank", "signal", "mail"]


@dataclass
class Rejected:
    """Three months whose challengers lost."""

    runner: MonthRunner
    states: tuple[State, ...]
    folder: Path


@pytest.fixture(scope="module")
def rejected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rejected]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        with mock_aws():
            boto3.client("ses").verify_email_identity(EmailAddress="signals@trading.example")
            folder = tmp_path_factory.mktemp("oversight")
            make_tables("oversight-")
            resources = resources_at(folder, small_settings(NOTHING_PASSES), "oversight-")
            runner = MonthRunner(resources, folder / "ml")
            states = []
            for day in DAYS:
                runner.fill_lake(day)
                states.append(runner.run(day))
            yield Rejected(runner, tuple(states), folder)


def verdict(found: Rejected, month: int) -> dict[str, Any]:
    state = found.states[month]
    folder = f"runs/{state['month']['month']}/{state['month']['execution']}"
    loaded: dict[str, Any] = json.loads(
        found.runner.resources.runs.get(f"{folder}/evidence/verdict.json").body
    )
    return loaded


def test_every_loser_is_scored_from_its_month_on(rejected: Rejected) -> None:
    resources = rejected.runner.resources
    losers = [state["validated"]["version"] for state in rejected.states]
    for place, loser in enumerate(losers):
        keys = list(resources.runs.keys(f"scores/{loser}/"))
        months = [key.rpartition("/")[2] for key in keys]
        assert months == [f"{day:%Y-%m}.npz" for day in DAYS[place:]]
    assert [record.version for record in in_shadow("2024-02", resources)] == losers[1::-1]
    history = shadow_history("2024-03", resources)
    assert history is not None
    assert history.months == ("2024-01", "2024-02")


def test_their_track_is_shown_beside_the_champions(rejected: Rejected) -> None:
    report = rejected.runner.report(DAYS[2])
    assert [shadow.month for shadow in report.shadow] == ["2024-03", "2024-02", "2024-01"]
    assert [shadow.months for shadow in report.shadow] == [0, 0, 1]
    assert report.shadow[2].net_return is not None
    assert report.shadow[2].champion_return is not None
    page = rejected.runner.resources.runs.get(preview_key("2024-03")).body.decode()
    assert report.shadow[2].version in page
    assert "Watched beside the signals" in page


def test_the_next_gate_takes_the_shadow_into_account(rejected: Rejected) -> None:
    names = [[check["name"] for check in verdict(rejected, i)["checks"]] for i in range(3)]
    assert ["shadow_margin" in name for name in names] == [False, False, True]
    found = verdict(rejected, 2)
    check = next(one for one in found["checks"] if one["name"] == "shadow_margin")
    assert check["passed"]
    assert "1 live month(s) are fewer than 3" in check["reason"]
    assert found["figures"]["shadow"]["months"] == 1
    assert list(found["monthly_returns"]["shadow"]) == ["2024-01"]


def test_drift_is_checked_against_what_the_champion_was_made_from(rejected: Rejected) -> None:
    report = rejected.runner.report(DAYS[1])
    drift = report.drift
    assert drift is not None
    assert drift.verdict in ("ok", "warn")
    assert drift.reference_months >= 30
    kinds = [finding.kind for finding in drift.findings]
    assert (kinds.count("feature"), kinds.count("context"), kinds.count("score")) == (17, 8, 1)
    for finding in drift.findings:
        assert finding.drifted == bool(finding.reason)


def test_the_chain_of_every_signal_holds(rejected: Rejected) -> None:
    report = rejected.runner.report(DAYS[1])
    bought = report.with_action(Action.BUY)[:1]
    held = report.with_action(Action.HOLD)[:1]
    sold = report.with_action(Action.SELL)[:1]
    for signal in (*bought, *held, *sold):
        lineage = traced(rejected, signal.symbol)
        assert lineage.verified, lineage
        assert [link.name for link in lineage.links] == LINKS
    state = rejected.states[1]
    identities = {link.name: link.identity for link in lineage.links}
    assert identities["data"] == state["resolved"]["data_hash"]
    assert identities["dataset"] == state["prepared"]["dataset_hash"]
    assert identities["model"] == state["champion"]["version"]
    assert "analyst@trading.example SENT" in lineage.links[-1].detail


def traced(found: Rejected, symbol: str) -> Lineage:
    return trace("2024-02", symbol, found.runner.resources)


@pytest.mark.parametrize(
    ("part", "broken"),
    [
        ("dataset", {"dataset", "context"}),
        ("model", {"model", "score"}),
        ("context", {"context", "score", "rank"}),
        ("scores", {"score", "rank"}),
        ("signals", {"rank"}),
    ],
)
def test_an_altered_part_is_found(rejected: Rejected, part: str, broken: set[str]) -> None:
    resources = rejected.runner.resources
    found = read_provenance("2024-02", resources)
    run = f"runs/2024-02/{found.execution}"
    signal = rejected.runner.report(DAYS[1]).with_action(Action.BUY)[0]
    batch = signal.slot // resources.settings.universe.batch
    store, key = {
        "dataset": (resources.runs, f"{run}/dataset/dataset.npz"),
        "model": (resources.models, f"{found.model_prefix}/final.npz"),
        "context": (resources.runs, f"{run}/context.npz"),
        "scores": (resources.runs, f"{run}/scores/batch-{batch}.npy"),
        "signals": (resources.runs, f"{run}/signals.json"),
    }[part]
    whole = store.get(key).body
    altered = whole.replace(b"within", b"beyond") if part == "signals" else _flip(whole)
    try:
        store.put(key, altered)
        lineage = traced(rejected, signal.symbol)
    finally:
        store.put(key, whole)
    assert not lineage.verified
    assert {link.name for link in lineage.links if not link.verified} == broken
    assert traced(rejected, signal.symbol).verified


def _flip(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :]


def test_what_has_no_signal_has_no_lineage(rejected: Rejected) -> None:
    with pytest.raises(NotFoundError, match="has no signal of 'NOBODY'"):
        traced(rejected, "NOBODY")
    with pytest.raises(NotFoundError, match="2023-01 has not run"):
        trace("2023-01", "NOBODY", rejected.runner.resources)


def test_a_month_that_others_stand_on_or_that_was_mailed_is_not_withdrawn(
    rejected: Rejected,
) -> None:
    resources = rejected.runner.resources
    with pytest.raises(MonthError, match="2024-03 stand on 2024-02"):
        withdraw_month("2024-02", "wrong bars", "operator", resources)
    with pytest.raises(MonthError, match="has gone out to 1 recipient.*--mail-again"):
        withdraw_month("2024-03", "wrong bars", "operator", resources)
    with pytest.raises(ConflictError, match="nothing to withdraw"):
        withdraw_month("2024-04", "wrong bars", "operator", resources)
    assert resources.signals.months() == ("2024-01", "2024-02", "2024-03")


def test_a_withdrawn_month_runs_again_with_other_settings(rejected: Rejected) -> None:
    before = rejected.runner.resources
    stored = before.signals.read_month("2024-03")
    changed = before.settings.model_dump() | {
        "portfolio": before.settings.portfolio.model_dump() | {"max_names": 11}
    }
    resources = resources_at(rejected.folder, Settings.model_validate(changed), "oversight-")
    runner = MonthRunner(resources, rejected.folder / "again")
    with pytest.raises(StoreError, match="trading withdraw 2024-03"):
        runner.run(DAYS[2], run=2, until="store")
    for _ in range(2):  # a crash half-way is mended by withdrawing again
        taken = withdraw_month("2024-03", "too many names", "operator", resources, mail_again=True)
        assert taken.signals == stored.signals
        record = resources.ledger.run_of("2024-03")
        assert record is not None
        assert (record.status, record.reason) == (
            "WITHDRAWN",
            "withdrawn by operator: too many names",
        )
        assert resources.signals.months() == ("2024-01", "2024-02")
        resources.ledger.update_run(record, record.model_copy(update={"status": "SUCCEEDED"}))
    runner.run(DAYS[2], run=3)
    again = resources.signals.read_month("2024-03")
    assert again.performance.names == 11
    assert len(stored.signals) > len(again.signals)
    report = read_report(resources.runs, "2024-03")
    assert report.correction is not None
    assert "too many names" in report.correction
    assert "CORRECTED" in resources.runs.get(preview_key("2024-03")).body.decode()
    assert [mail.state for mail in mails_of("2024-03", resources)] == ["SENT"]
    assert [one.run for one in withdrawals("2024-03", resources)] == [2]


def test_a_champion_by_hand_is_scored_no_more_in_shadow(rejected: Rejected) -> None:
    resources = rejected.runner.resources
    loser = rejected.states[0]["validated"]["version"]
    roll_back_champion(loser, "by hand", "operator", resources)
    assert loser not in [record.version for record in in_shadow("2024-03", resources)]
    pointer = resources.ledger.champion()
    assert pointer is not None
    assert pointer.version == loser
