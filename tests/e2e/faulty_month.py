"""A small month on a warm embedded cloud that is set back after each run, to be struck by faults.

The month before stands: a champion, its portfolio, its mails. The month that is struck fetches its
last session from the services of a local market, promotes a challenger that the operator approves
(or keeps the champion, as the operator wants it), and mails two recipients. What it must leave is
known from runs that nothing struck.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer
from fault_tally import states_at
from faulty_market import FaultyMarket, Trouble, faulty_market
from faulty_settings import SMALL, settings_of
from kept_stores import STORES, TABLES, KeptStores
from ordeals import FAILING, VARIANTS, Ordeal, draw_ordeal

from localcloud.faults import FaultPlan, clear_plan, struck, write_plan
from localcloud.identity.audit import read_audit
from localcloud.identity.usage import USAGE, keep_usage
from localcloud.lambdas.pool import ENVIRONMENTS
from trading.config import load_settings
from trading.errors import ConflictError
from trading.month.approval import decide
from trading.month.ledger import ChampionPointer, RunRecord
from trading.month.payloads import Overrides, StartRequest
from trading.month.resources import Resources

REPOSITORY = Path(__file__).parents[2]
RECIPIENTS = ("first@trading.example", "second@trading.example")
OPERATOR = "operator@trading.example"
JANUARY, FEBRUARY = date(2024, 1, 2), date(2024, 2, 1)
MONTH = "2024-02"
LONGEST_RUN = 600.0
STARTS = 5
NEVER_STARTED = "WITHDRAWN"
"""What the ledger says of the month before each run; a run that was only claimed is none."""
UNMARKED = "FAILED, not in the ledger"
"""The ledger was out of the alert's reach: the next start asks Step Functions."""
WARM_FUNCTIONS = "24"
SDK_ATTEMPTS = "3"


@dataclass(frozen=True)
class Left:
    """What a month left: its status, and all that others see of it."""

    status: str
    champion: str
    signals: tuple[str, ...]
    mails: Counter[str]
    alerts: tuple[str, ...]


class FaultyMonth:
    """The cloud, the month before, and what undisturbed runs of the month leave."""

    def __init__(self, home: Path, ready: Mapping[str, Any], market: FaultyMarket) -> None:
        self.home, self.outputs, self._market = home, ready["outputs"], market
        self._lambda, self._states = boto3.client("lambda"), boto3.client("stepfunctions")
        notifications = {**SMALL["notifications"], "recipients": list(RECIPIENTS)}
        settings = load_settings(
            overrides={**settings_of(market), "notifications": notifications}, environ={}
        )
        self._resources = Resources(settings, _names(ready))
        self._stores = KeptStores(self.outputs)
        self._training: dict[str, bytes] = {}
        self._runs = 0
        self._hurry()
        market.put_keys(boto3.client("secretsmanager"))
        market.fill(self._resources.lake, settings, FEBRUARY)
        self._started = time.time()
        self._run_month(JANUARY, Overrides())
        self._before = self._stores.remember()
        self.undisturbed: dict[str, Left] = {}
        self.audits: dict[str, list[dict[str, Any]]] = {}
        for variant in VARIANTS:
            self._watch(variant, variant, None)
            if not self._training:
                self._training = self._stores.objects("runs", f"training/{MONTH}/")
        self._watch(FAILING, "deploy", Trouble.POISONED)
        keep_usage(home)

    @property
    def definition(self) -> dict[str, Any]:
        """The definition of the month's state machine."""
        described = self._states.describe_state_machine(
            stateMachineArn=self.outputs["state_machine_arn"]
        )
        loaded: dict[str, Any] = json.loads(described["definition"])
        return loaded

    @property
    def champion_before(self) -> str:
        """Version of the champion that the month begins with."""
        items = self._before.items["ledger"]
        (item,) = [one for one in items if one["pk"]["S"] == "champion"]
        plain = {name: value for name, value in _plain(item).items() if name not in ("pk", "sk")}
        return ChampionPointer.model_validate(plain).version

    def draw(self, seed: int) -> Ordeal:
        """Draw what a run has to go through."""
        return draw_ordeal(seed, self.audits)

    def run(self, ordeal: Ordeal) -> Left:
        """Set back, run the month through the ordeal, and return what it left."""
        self._set_back(train=ordeal.train)
        self._market.ail(ordeal.trouble, ordeal.seed)
        write_plan(self.home, ordeal.plan)
        try:
            self._run_month(FEBRUARY, VARIANTS[ordeal.variant])
        finally:
            clear_plan(self.home)
        return self.left()

    def run_without_a_month(self, plan: FaultPlan) -> Left:
        """Start the state machine with an input that names no month, and return what it left."""
        self._set_back(train=False)
        write_plan(self.home, plan)
        try:
            self._states.start_execution(
                stateMachineArn=self.outputs["state_machine_arn"], input="{}"
            )
            self._await_end(MONTH)
        finally:
            clear_plan(self.home)
        return self.left()

    def run_again(self, variant: str) -> Left:
        """Run the month again with nothing in its way, as the operator does."""
        self._market.ail(None, 0)
        self._run_month(FEBRUARY, VARIANTS[variant])
        return self.left()

    def struck(self) -> list[dict[str, Any]]:
        """Return the calls that the faults hit."""
        return struck(self.home)

    def states_struck(self) -> list[str]:
        """Return the states of the month in which its faults hit, one for each hit."""
        begun = self._started
        pages = self._states.get_paginator("list_executions").paginate(
            stateMachineArn=self.outputs["state_machine_arn"]
        )
        runs = [one for page in pages for one in page["executions"]]
        events = [
            event
            for run in reversed(runs)
            if run["startDate"].timestamp() >= begun
            for page in self._states.get_paginator("get_execution_history").paginate(
                executionArn=run["executionArn"]
            )
            for event in page["events"]
        ]
        return states_at(events, (datetime.fromisoformat(hit["time"]) for hit in self.struck()))

    def struck_at_providers(self) -> list[str]:
        """Return what the trouble of the providers hit."""
        return self._market.struck()

    def refusals(self) -> list[dict[str, Any]]:
        """Return every call that a policy has refused."""
        return list(read_audit(self.home / "audit.jsonl", denied_only=True))

    def left(self) -> Left:
        """Return what the month has left so far."""
        record = self._resources.ledger.run_of(MONTH)
        found = [item for item in self._stores.items("signals") if item["month"]["S"] == MONTH]
        sealed = MONTH in self._resources.signals.months()
        champion = self._resources.ledger.champion()
        return Left(
            status=NEVER_STARTED if record is None else self._status(record),
            champion="" if champion is None else champion.version,
            signals=tuple(sorted(json.dumps(_plain(item), sort_keys=True) for item in found))
            if sealed
            else (),
            mails=Counter(self._mails("mail/*.eml", "To")),
            alerts=tuple(
                subject
                for subject in self._mails("mail/notices/*.eml", "Subject")
                if subject.startswith("CRITICAL")
            ),
        )

    def _status(self, record: RunRecord) -> str:
        """Return the ledger's status, or what it does not know yet: `UNMARKED`, `NEVER_STARTED`."""
        if record.status != "RUNNING":
            return record.status
        try:
            found = self._states.describe_execution(executionArn=record.execution_arn)
        except self._states.exceptions.ExecutionDoesNotExist:
            return NEVER_STARTED
        return UNMARKED if found["status"] == "FAILED" else record.status

    def _watch(self, name: str, variant: str, trouble: Trouble | None) -> None:
        """Run the month without faults, and keep what it left and what it called."""
        self._set_back(train=not self._training)
        self._market.ail(trouble, 0)
        begins = sum(1 for _ in read_audit(self.home / "audit.jsonl"))
        self._run_month(FEBRUARY, VARIANTS[variant])
        decided = list(read_audit(self.home / "audit.jsonl"))[begins:]
        # S3 and SNS ask the key in a call that is in the audit by itself.
        self.audits[name] = [d for d in decided if not d["action"].startswith("kms:")]
        self.undisturbed[name] = self.left()

    def _run_month(self, as_of: date, overrides: Overrides) -> None:
        """Start the month as the schedule does, which tries again, and wait for its end."""
        key = f"schedule-{time.time_ns()}"
        request = StartRequest(as_of=as_of, overrides=overrides, correlation_id=key)
        for _ in range(STARTS):
            answer = self._lambda.invoke(
                FunctionName=self.outputs["functions"]["start_month"],
                Payload=request.model_dump_json(),
            )
            if "FunctionError" not in answer:
                break
        self._await_end(f"{as_of:%Y-%m}")

    def _await_end(self, month: str) -> None:
        """Wait until nothing runs; approve what waits for it."""
        deadline = time.monotonic() + LONGEST_RUN
        while self._running():
            assert time.monotonic() < deadline, f"no end in {LONGEST_RUN:.0f} s"
            self._approve(month)
            time.sleep(0.3)

    def _approve(self, month: str) -> None:
        """Approve a challenger that waits for it; what was decided already waits no more."""
        if self._resources.ledger.approvals.read(month) is not None:
            with suppress(ConflictError):
                decide(month, approved=True, reason="it passed", resources=self._resources)

    def _running(self) -> bool:
        listed = self._states.list_executions(
            stateMachineArn=self.outputs["state_machine_arn"], statusFilter="RUNNING"
        )
        return bool(listed["executions"])

    def _mails(self, pattern: str, header: str) -> Iterator[str]:
        """Yield a header of each mail of the run."""
        for file in self.home.glob(pattern):
            if file.stat().st_mtime >= self._started:
                yield str(message_from_bytes(file.read_bytes(), policy=policy.default)[header])

    def _set_back(self, *, train: bool) -> None:
        """Put stores and tables back to the end of the month before."""
        (self.home / "faults.jsonl").unlink(missing_ok=True)
        self._stores.put_back(self._before, {} if train else {"runs": self._training})
        # The names of executions are used up: the runs of the month are counted on.
        self._runs += STARTS
        record = RunRecord(month=MONTH, as_of=FEBRUARY, run=self._runs, status=NEVER_STARTED)
        self._resources.ledger.claim_run(record)
        self._started = time.time()

    def _hurry(self) -> None:
        """Wait a second at most between two tries of a state, and have the SDK give up sooner."""
        definition = self.definition
        _shorten_waits(definition)
        self._states.update_state_machine(
            stateMachineArn=self.outputs["state_machine_arn"], definition=json.dumps(definition)
        )
        for name in self.outputs["functions"].values():
            held = self._lambda.get_function_configuration(FunctionName=name)["Environment"]
            variables = {**held["Variables"], "AWS_MAX_ATTEMPTS": SDK_ATTEMPTS}
            self._lambda.update_function_configuration(
                FunctionName=name, Environment={"Variables": variables}
            )


@contextmanager
def faulty_month(home: Path) -> Iterator[FaultyMonth]:
    """Serve the deployed stack at `home`, with this process speaking to it as its operator.

    What is used of the policies is told of the runs without faults only: else it would be a
    matter of chance.
    """
    command = [sys.executable, "-m", "localcloud", "serve", "--home", str(home)]
    environment = {name: value for name, value in os.environ.items() if name != USAGE}
    with faulty_market() as market, pytest.MonkeyPatch.context() as patch:
        config = {
            "settings": settings_of(market),
            "recipients": list(RECIPIENTS),
            "alertEmail": OPERATOR,
        }
        with subprocess.Popen(
            [*command, "--config", json.dumps(config)],
            cwd=REPOSITORY,
            env={**environment, ENVIRONMENTS: WARM_FUNCTIONS},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                events = map(json.loads, process.stdout)
                ready = next(event for event in events if event["event"] in {"ready", "error"})
                assert ready["event"] == "ready", ready
                # A session that another test made would keep the keys of that test's cloud.
                patch.setattr("boto3.DEFAULT_SESSION", None)
                for name, value in _names(ready).items():
                    patch.setenv(name, value)
                yield FaultyMonth(home, ready, market)
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


def _plain(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
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
