"""`models`, `rollback`, `lineage`, `withdraw` on a deployment that the environment names."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from trading.cli.app import main
from trading.month.lifecycle import enter_model, promote_model
from trading.month.payloads import ChampionRef
from trading.month.resources import Resources

Run = Callable[..., tuple[int, str, str]]
TABLES = {"ledger": ("pk", "sk"), "signals": ("month", "symbol"), "performance": ("month",)}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")

    def made(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return int(ended.value.code or 0), out, err

    return made


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Resources]:
    """A deployment with two champions, one after the other, that the environment names."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for store in ("data", "models", "runs"):
        monkeypatch.setenv(f"TRADING_{store.upper()}_STORE", str(tmp_path / store))
    monkeypatch.setenv("TRADING_MODEL_GROUP", "models")
    monkeypatch.setenv("TRADING_TRAINING_IMAGE", "image")
    with mock_aws():
        for table, keys in TABLES.items():
            monkeypatch.setenv(f"TRADING_{table.upper()}_TABLE", table)
            boto3.client("dynamodb").create_table(
                TableName=table,
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind}
                    for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
                AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
                BillingMode="PAY_PER_REQUEST",
            )
        boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName="models")
        resources = Resources.from_environment()
        for month in ("2024-01", "2024-02"):
            _promote(month, resources)
        yield resources


def _promote(month: str, resources: Resources) -> None:
    manifest = {
        "kind": "baseline",
        "members": [{"name": "baseline", "final": "final.npz"}],
        "trained_through": f"{month}-02",
        "features_version": "1",
        "data_hash": "d",
        "slots_version": "s",
    }
    ref = ChampionRef(
        version=f"v{month[-2:]}", kind="baseline", prefix=f"production/{month}", month=month
    )
    resources.models.put(f"{ref.prefix}/manifest.json", json.dumps(manifest).encode())
    enter_model(ref, "CANDIDATE", "run", "judged", resources)
    promote_model(ref, "run", "passed [the] gate", resources)


@pytest.mark.slow
def test_models_and_rollback_tell_what_became_of_them(run: Run, deployed: Resources) -> None:
    code, out, _ = run("models", "--json")
    assert code == 0
    told = [(m["version"], m["status"]) for m in json.loads(out)["models"]]
    assert told == [("v01", "ARCHIVED"), ("v02", "CHAMPION")]
    code, out, _ = run("rollback", "v01", "--reason", "odd [bold]weights", "--json")
    assert (code, json.loads(out)["version"]) == (0, "v01")
    code, out, _ = run("models")
    assert code == 0
    assert "odd [bold]weights" in out
    pointer = deployed.ledger.champion()
    assert pointer is not None
    assert (pointer.version, pointer.reason) == ("v01", "odd [bold]weights")
    code, _, err = run("rollback", "v01")
    assert (code, "champion already" in err) == (3, True)
    code, _, err = run("rollback", "v09")
    assert (code, "no models are of version 'v09'" in err) == (1, True)
    code, out, _ = run("rollback", "v02")
    assert (code, "the champion is v02 of 2024-02 again" in out) == (0, True)


def test_without_signals_there_is_no_lineage_and_nothing_to_withdraw(
    run: Run, deployed: Resources
) -> None:
    assert run("lineage", "AAPL")[0] == 3
    code, _, err = run("withdraw", "2024-02", "--reason", "wrong bars")
    assert (code, "nothing to withdraw" in err) == (3, True)
    assert run("withdraw", "2024-02")[0] == 2


@pytest.mark.parametrize(
    "words",
    [("models",), ("lineage", "AAPL"), ("withdraw", "2024-02", "--reason", "why")],
)
def test_before_the_first_month_there_is_nothing_to_tell(run: Run, words: tuple[str, ...]) -> None:
    code, _, err = run(*words)
    assert (code, "run `trading month`" in err) == (3, True)
