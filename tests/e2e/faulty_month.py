"""A small month on a warm embedded cloud that is set back after each run, to be struck by faults.

The month before stands: a champion, its portfolio, its mails. The month that is struck fetches its
last session, promotes a challenger (or, by the operator's hand, keeps the champion), and mails two
recipients. What it must leave is known from runs that nothing struck.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import boto3
import pytest

from localcloud.faults import FaultPlan, clear_plan, random_plan, struck, write_plan
from localcloud.identity.audit import read_audit
from trading.config import Settings, load_settings
from trading.data.providers import open_provider
from trading.month.backfill import continue_simulation
from trading.month.ledger import ChampionPointer, RunRecord
from trading.month.payloads import Overrides, StartRequest
from trading.month.resources import Resources

REPOSITORY = Path(__file__).parents[2]
RECIPIENTS = ("first@trading.example", "second@trading.example")
OPERATOR = "operator@trading.example"
JANUARY, FEBRUARY = date(2024, 1, 2), date(2024, 2, 1)
MONTH = "2024-02"
STORES = ("data", "models", "runs")
TABLES = ("ledger", "signals", "performance", "idempotency")
VARIANTS: Mapping[str, Overrides] = {
    "deploy": Overrides(),
    "keep": Overrides(keep_champion=True),
    "skip": Overrides(skip_training=True),
}
LONGEST_RUN = 600.0
STARTS = 5
NEVER_STARTED = "WITHDRAWN"
"""What the ledger says of the month before each run."""
EVERYTHING_PASSES = {
    "min_months": 2,
    "min_sharpe": -1e6,
    "max_drawdown": 1.0,
    "min_excess_return": -1e6,
    "min_information_coefficient": -1.0,
    "max_confidence_p": 1.0,
    "max_skill_p": 1.0,
    "min_net_alpha": -1e6,
    "min_deflated_sharpe": 0.0,
    "max_overfitting": 1.0,
    "champion_margin": -1e6,
    "bootstrap_samples": 50,
}
SMALL: Mapping[str, Any] = {
    "data": {"simulated": {"symbols": 60, "start": "2020-01-02"}, "min_sessions": 300},
    "universe": {"active": 60, "archive": 10, "padding": 10, "batch": 20},
    "training": {
        "algorithms": ["ppo"],
        "folds": 2,
        "phases": 1,
        "hidden": [4],
        "slot_steps": 400,
        "embargo_sessions": 5,
    },
    "portfolio": {
        "min_names": 5,
        "max_names": 10,
        "max_weight": 0.3,
        "buy_fraction": 0.1,
        "hold_fraction": 0.3,
    },
    "gate": EVERYTHING_PASSES,
    "notifications": {"reconcile_seconds": 2},
}


@dataclass(frozen=True)
class Left:
    """What a month left: its status, and all that others see of it."""

    status: str
    champion: str
    signals: tuple[str, ...]
    mails: Counter[str]
    alerts: tuple[str, ...]


@dataclass
class _Snapshot:
    objects: dict[str, dict[str, bytes]] = field(default_factory=dict)
    items: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


class FaultyMonth:
    """The cloud, the month before, and what undisturbed runs of the month leave."""

    def __init__(self, home: Path, ready: Mapping[str, Any], settings: Settings) -> None:
        self.home = home
        self._outputs: Mapping[str, Any] = ready["outputs"]
        self._resources = Resources(settings, _names(ready))
        self._dynamodb, self._s3 = boto3.client("dynamodb"), boto3.client("s3")
        self._runs = 0
        self._hurry()
        lake = self._resources.lake
        continue_simulation(open_provider(settings), lake, FEBRUARY, settings)
        self._started = time.time()
        self._run_month(JANUARY, Overrides())
        self._before = self._snapshot()
        self.undisturbed: dict[str, Left] = {}
        self.audits: dict[str, list[dict[str, Any]]] = {}
        for variant, overrides in VARIANTS.items():
            self._set_back(train=True)
            begins = sum(1 for _ in read_audit(home / "audit.jsonl"))
            self._run_month(FEBRUARY, overrides)
            decided = list(read_audit(home / "audit.jsonl"))[begins:]
            # S3 and SNS ask the key in a call that is in the audit by itself.
            self.audits[variant] = [d for d in decided if not d["action"].startswith("kms:")]
            self.undisturbed[variant] = self.left()
            if variant == "deploy":
                self._keep_training()

    @property
    def champion_before(self) -> str:
        """Version of the champion that the month begins with."""
        return _version(self._pointer_before())

    def plan(self, seed: int, variant: str) -> FaultPlan:
        """Draw one to three faults among the calls that the variant makes."""
        return random_plan(seed, self.audits[variant], faults=1 + seed % 3)

    def run(self, plan: FaultPlan, variant: str, *, train: bool) -> Left:
        """Set back, run the month under the plan, and return what it left."""
        self._set_back(train=train)
        write_plan(self.home, plan)
        try:
            self._run_month(FEBRUARY, VARIANTS[variant])
        finally:
            clear_plan(self.home)
        return self.left()

    def run_again(self, variant: str) -> Left:
        """Run the month again with nothing in its way, as the operator does."""
        self._run_month(FEBRUARY, VARIANTS[variant])
        return self.left()

    def struck(self) -> list[str]:
        """Return what the faults hit, for the reader of a failed test."""
        return [f"{s['kind']} {s['action']} by {s['principal']}" for s in struck(self.home)]

    def left(self) -> Left:
        """Return what the month has left so far."""
        record = self._resources.ledger.run_of(MONTH)
        found = self._dynamodb.query(
            TableName=self._outputs["signals_table"],
            KeyConditionExpression="#m = :m",
            ExpressionAttributeNames={"#m": "month"},
            ExpressionAttributeValues={":m": {"S": MONTH}},
            ConsistentRead=True,
        )["Items"]
        sealed = MONTH in self._resources.signals.months()
        return Left(
            status=NEVER_STARTED if record is None else record.status,
            champion=_version(self._resources.ledger.champion()),
            signals=tuple(sorted(json.dumps(_plain(i), sort_keys=True) for i in found))
            if sealed
            else (),
            mails=self._mails(),
            alerts=self._alerts(),
        )

    def _run_month(self, as_of: date, overrides: Overrides) -> None:
        """Start the month as the schedule does, which tries again, and wait for its end."""
        key = f"schedule-{time.time_ns()}"
        request = StartRequest(as_of=as_of, overrides=overrides, correlation_id=key)
        for _ in range(STARTS):
            answer = boto3.client("lambda").invoke(
                FunctionName=self._outputs["functions"]["start_month"],
                Payload=request.model_dump_json(),
            )
            if "FunctionError" not in answer:
                break
        deadline = time.monotonic() + LONGEST_RUN
        while self._running():
            assert time.monotonic() < deadline, f"no end in {LONGEST_RUN:.0f} s"
            time.sleep(0.1)

    def _running(self) -> bool:
        listed = boto3.client("stepfunctions").list_executions(
            stateMachineArn=self._outputs["state_machine_arn"], statusFilter="RUNNING"
        )
        return bool(listed["executions"])

    def _mails(self) -> Counter[str]:
        """Count the mails of the run by recipient."""
        files = self.home.glob("mail/*.eml")
        new = (f for f in files if f.stat().st_mtime >= self._started)
        read = (message_from_bytes(f.read_bytes(), policy=policy.default) for f in new)
        return Counter(str(mail["To"]) for mail in read)

    def _alerts(self) -> tuple[str, ...]:
        files = self.home.glob("mail/notices/*.eml")
        new = (f for f in files if f.stat().st_mtime >= self._started)
        read = (message_from_bytes(f.read_bytes(), policy=policy.default) for f in new)
        return tuple(s for mail in read if (s := str(mail["Subject"])).startswith("CRITICAL"))

    def _snapshot(self) -> _Snapshot:
        kept = _Snapshot()
        for store in STORES:
            bucket = self._bucket(store)
            kept.objects[store] = {
                key: self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
                for key in self._keys(bucket)
            }
        for table in TABLES:
            kept.items[table] = self._items(table)
        return kept

    def _set_back(self, *, train: bool) -> None:
        """Put stores and tables back to the end of the month before."""
        (self.home / "faults.jsonl").unlink(missing_ok=True)
        for store in STORES:
            bucket, wanted = self._bucket(store), self._before.objects[store]
            if not train and store == "runs":
                wanted = wanted | self._training
            there = self._keys(bucket)
            for key in there - set(wanted):
                self._s3.delete_object(Bucket=bucket, Key=key)
            for key, body in wanted.items():
                if key not in there or not self._same(bucket, key, body):
                    self._s3.put_object(Bucket=bucket, Key=key, Body=body)
        for table in TABLES:
            self._put_back(table)
        # The names of executions are used up: the runs of the month are counted on.
        self._runs += STARTS
        record = RunRecord(month=MONTH, as_of=FEBRUARY, run=self._runs, status=NEVER_STARTED)
        self._resources.ledger.claim_run(record)
        self._started = time.time()

    def _put_back(self, table: str) -> None:
        name = self._outputs[f"{table}_table"]
        described = self._dynamodb.describe_table(TableName=name)["Table"]
        keys = [part["AttributeName"] for part in described["KeySchema"]]
        wanted = self._before.items[table]
        for item in self._items(table):
            if item not in wanted:
                self._dynamodb.delete_item(TableName=name, Key={key: item[key] for key in keys})
        for item in wanted:
            self._dynamodb.put_item(TableName=name, Item=item)

    def _keep_training(self) -> None:
        """Remember the finished training of the month: most runs reuse it."""
        bucket = self._bucket("runs")
        self._training = {
            key: self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            for key in self._keys(bucket)
            if key.startswith(f"training/{MONTH}/")
        }

    def _pointer_before(self) -> ChampionPointer:
        (item,) = [i for i in self._before.items["ledger"] if i["pk"]["S"] == "champion"]
        plain = {name: value for name, value in _plain(item).items() if name not in ("pk", "sk")}
        return ChampionPointer.model_validate(plain)

    def _hurry(self) -> None:
        """Wait a second at most between two tries of a state: only the waits are changed."""
        states, arn = boto3.client("stepfunctions"), self._outputs["state_machine_arn"]
        definition = json.loads(states.describe_state_machine(stateMachineArn=arn)["definition"])
        _shorten_waits(definition)
        states.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))

    def _bucket(self, store: str) -> str:
        return str(self._outputs[f"{store}_store"]).removeprefix("s3://").rstrip("/")

    def _keys(self, bucket: str) -> set[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {item["Key"] for page in pages for item in page.get("Contents", ())}

    def _same(self, bucket: str, key: str, body: bytes) -> bool:
        found: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return found == body

    def _items(self, table: str) -> list[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._outputs[f"{table}_table"], ConsistentRead=True
        )
        return [item for page in pages for item in page["Items"]]


@contextmanager
def faulty_month(home: Path) -> Iterator[FaultyMonth]:
    """Serve the deployed stack at `home`, with this process speaking to it as its operator."""
    config = {"settings": SMALL, "recipients": list(RECIPIENTS), "alertEmail": OPERATOR}
    command = [sys.executable, "-m", "localcloud", "serve", "--home", str(home)]
    with (
        subprocess.Popen(
            [*command, "--config", json.dumps(config)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
        pytest.MonkeyPatch.context() as patch,
    ):
        assert process.stdout is not None
        try:
            events = map(json.loads, process.stdout)
            ready = next(event for event in events if event["event"] in {"ready", "error"})
            assert ready["event"] == "ready", ready
            for name, value in _names(ready).items():
                patch.setenv(name, value)
            notifications = {**SMALL["notifications"], "recipients": list(RECIPIENTS)}
            settings = load_settings(
                overrides={**SMALL, "notifications": notifications}, environ={}
            )
            yield FaultyMonth(home, ready, settings)
        finally:
            process.terminate()


def _names(ready: Mapping[str, Any]) -> dict[str, str]:
    outputs = ready["outputs"]
    return {
        **{f"TRADING_{name.upper()}_STORE": str(outputs[f"{name}_store"]) for name in STORES},
        **{f"TRADING_{name.upper()}_TABLE": str(outputs[f"{name}_table"]) for name in TABLES},
        "TRADING_STATE_MACHINE": str(outputs["state_machine_arn"]),
        "AWS_ENDPOINT_URL": ready["endpoint"],
        "AWS_ACCESS_KEY_ID": ready["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": ready["secret_access_key"],
        "AWS_DEFAULT_REGION": ready["region"],
    }


def _version(pointer: ChampionPointer | None) -> str:
    return "" if pointer is None else pointer.version


def _plain(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    from boto3.dynamodb.types import TypeDeserializer

    read = TypeDeserializer().deserialize
    return {name: _jsonable(read(value)) for name, value in item.items()}


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _jsonable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_jsonable(part) for part in value]
    return value if isinstance(value, (str, bool, type(None))) else float(value)


def _shorten_waits(node: Any) -> None:
    if isinstance(node, dict):
        if "IntervalSeconds" in node:
            node |= {"IntervalSeconds": 1, "MaxDelaySeconds": 2}
        for child in node.values():
            _shorten_waits(child)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for child in node:
            _shorten_waits(child)
