"""The embedded cloud of the daily flow, and services on a local server that tell of a market."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from trading.config import Settings, load_settings
from trading.data.intake import Intake, open_providers
from trading.data.lake import Lake
from trading.data.providers.keys import environment_keys, put_keys
from trading.data.store.s3 import S3Store
from trading.market.calendar import sessions_between, today

REPOSITORY = Path(__file__).parents[2]
PROVIDERS = REPOSITORY / "tests" / "data" / "providers"
if str(PROVIDERS) not in sys.path:
    sys.path.insert(0, str(PROVIDERS))

from faulty_server import FaultyServer  # noqa: E402
from vendor_services import KEYS, Market, Services  # noqa: E402

OPERATOR = "operator@trading.example"
SYMBOLS = [f"T{i:04d}" for i in range(60)]
LONGEST_WAIT = 300.0


def recent_market() -> Market:
    """A market of the last sessions that are over on any exchange clock."""
    last = today() - timedelta(days=1)
    return Market(SYMBOLS, last - timedelta(days=45), last, splits=0)


class DailyCloud:
    """A running cloud whose schedule of the day is to be fired, and what it left."""

    def __init__(self, home: Path, ready: dict[str, Any], settings: Settings) -> None:
        self.home, self.outputs, self.settings = home, ready["outputs"], settings
        self._session = boto3.Session(
            ready["access_key_id"], ready["secret_access_key"], None, ready["region"]
        )
        self._endpoint = ready["endpoint"]

    def client(self, service: str) -> Any:
        patient = Config(retries={"max_attempts": 3}, read_timeout=120)
        return self._session.client(service, endpoint_url=self._endpoint, config=patient)

    @property
    def store(self) -> S3Store:
        bucket = self.outputs["data_store"].removeprefix("s3://")
        return S3Store(bucket, client=self.client("s3"))

    @property
    def lake(self) -> Lake:
        return Lake(self.store)

    def put_keys(self) -> None:
        named = {"POLYGON_API_KEY": KEYS["polygon"], "IEX_TOKEN": KEYS["iex"]}
        client = self.client("secretsmanager")
        assert put_keys(client, "trading-dev/providers/", environment_keys(named))

    def fill(self, days: Sequence[date]) -> None:
        """Fill the lake as a backfill does."""
        keys = environment_keys({"POLYGON_API_KEY": KEYS["polygon"]})
        providers = open_providers(self.settings, keys=keys)
        Intake(self.store, self.settings, providers, expected=SYMBOLS).run(days)

    def fire(self) -> None:
        """Have the schedule of the day fall due now, with its own target and role."""
        client = self.client("scheduler")
        group = next(
            one["Name"]
            for one in client.list_schedule_groups()["ScheduleGroups"]
            if one["Name"] != "default"
        )
        held = client.get_schedule(Name="fetch-daily", GroupName=group)
        due = datetime.now(UTC) + timedelta(seconds=5)
        client.update_schedule(
            Name="fetch-daily",
            GroupName=group,
            ScheduleExpression=f"at({due:%Y-%m-%dT%H:%M:%S})",
            ScheduleExpressionTimezone="UTC",
            FlexibleTimeWindow=held["FlexibleTimeWindow"],
            Target=held["Target"],
            State="ENABLED",
        )

    def executions(self) -> list[dict[str, Any]]:
        arn = self.outputs["daily_state_machine_arn"]
        found: list[dict[str, Any]] = self.client("stepfunctions").list_executions(
            stateMachineArn=arn
        )["executions"]
        return found

    def start(self, name: str) -> None:
        """Start the state machine of the day by hand."""
        arn = self.outputs["daily_state_machine_arn"]
        self.client("stepfunctions").start_execution(stateMachineArn=arn, name=name, input="{}")

    def settle(self) -> list[str]:
        """Wait until no execution runs; return how they ended."""
        deadline = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < deadline:
            ended = [str(one["status"]) for one in self.executions()]
            if "RUNNING" not in ended:
                return ended
            time.sleep(0.2)
        raise AssertionError(f"the days did not end in {LONGEST_WAIT:.0f} s")

    def run_day(self) -> str:
        """Fire the schedule and wait for the end of what it starts; return its status."""
        before = {one["executionArn"] for one in self.executions()}
        self.fire()
        deadline = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < deadline:
            new = [one for one in self.executions() if one["executionArn"] not in before]
            if new and new[0]["status"] != "RUNNING":
                return str(new[0]["status"])
            time.sleep(0.2)
        raise AssertionError(f"the day did not end in {LONGEST_WAIT:.0f} s")

    def notices(self) -> list[EmailMessage]:
        """Return the mails to the operator, in the order in which they were sent."""
        files = sorted(
            self.home.glob("mail/notices/*.eml"), key=lambda path: path.stat().st_mtime_ns
        )
        return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


@contextmanager
def daily_cloud(home: Path, server: FaultyServer, **data: Any) -> Iterator[DailyCloud]:
    """Serve the deployed stack with the services of `server` as its providers."""
    vendors = {
        name: {"base_url": server.base_url(name), "requests_per_minute": 6000}
        for name in ("polygon", "yahoo")
    }
    patience = {"backoff_seconds": 0.01, "timeout_seconds": 5.0, "breaker_seconds": 1.0}
    settings = {
        "data": {
            "provider": "polygon",
            "providers": {"backups": ["yahoo"], **vendors, **patience},
            **data,
        },
        "schedule": {"fetch_attempts": 2, "fetch_retry_seconds": 1, "fundamentals_a_day": 0},
    }
    config = {"settings": settings, "alertEmail": OPERATOR}
    command = [sys.executable, "-m", "localcloud", "serve", "--home", str(home)]
    with subprocess.Popen(
        [*command, "--config", json.dumps(config)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            events = map(json.loads, process.stdout)
            ready = next(event for event in events if event["event"] in {"ready", "error"})
            assert ready["event"] == "ready", ready
            yield DailyCloud(home, ready, load_settings(overrides=settings, environ={}))
        finally:
            process.terminate()


__all__ = [
    "KEYS",
    "OPERATOR",
    "SYMBOLS",
    "DailyCloud",
    "FaultyServer",
    "Market",
    "Services",
    "daily_cloud",
    "recent_market",
    "sessions_between",
]
