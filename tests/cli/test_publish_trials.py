"""Trials of a tuning on this machine reach the deployment's gates, where there is one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from trading.agents.trials import TrialCount, TrialRecord
from trading.cli import train_run
from trading.config import Settings
from trading.data.store.folder import FolderStore
from trading.month.tuning_record import stored_trials


def trials_of(study: str, count: int) -> TrialCount:
    records = tuple(TrialRecord(study, number, "ppo", {}, 0.1, 12) for number in range(count))
    return TrialCount().with_study(study, records)


def test_local_trials_are_published_once_each(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    resources = SimpleNamespace(models=FolderStore(tmp_path / "models"))

    @contextmanager
    def deployed(_settings: Settings) -> Iterator[SimpleNamespace]:
        yield resources

    monkeypatch.setattr(train_run, "_deployed", deployed)
    monkeypatch.setenv("TRADING_LEDGER_TABLE", "ledger")
    for trials in (trials_of("one", 2), trials_of("one", 3), trials_of("two", 4)):
        assert train_run.publish_to_deployment(trials, Settings())
    assert stored_trials(resources).count == 7


def test_without_a_deployment_nothing_is_published(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TRADING_LEDGER_TABLE", raising=False)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    assert not train_run.publish_to_deployment(trials_of("one", 2), Settings())
    assert not (tmp_path / "home").exists()
