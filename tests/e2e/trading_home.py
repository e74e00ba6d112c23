"""The real command on a small simulated market, in a home of its own."""

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("trading")
RECIPIENTS = ("first@trading.example", "second@trading.example")
FEBRUARY, MARCH, APRIL = "2025-02-03", "2025-03-03", "2025-04-01"
SMALL: Mapping[str, Any] = {
    "data.simulated.symbols": 60,
    "data.simulated.start": "2022-07-01",
    "training.algorithms": ["ppo"],
    "training.slot_steps": 1000,
    "training.phases": 1,
    "gate.bootstrap_samples": 100,
    "notifications.recipients": list(RECIPIENTS),
    "notifications.reconcile_seconds": 5,
}
LONGEST_RUN = 240


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it printed."""

    code: int
    output: str
    errors: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        loaded: dict[str, Any] = json.loads(self.output)
        return loaded

    @property
    def sentence(self) -> str:
        """The error that the command ended with, free of a traceback."""
        assert "Traceback" not in self.errors, self.errors
        return self.errors[self.errors.index("error: ") :].replace("\n", " ")


@dataclass(frozen=True)
class OpenCloud:
    """A running cloud, with the operator's keys."""

    outputs: Mapping[str, Any]
    session: Any
    endpoint: str

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        return self.session.client(service, endpoint_url=self.endpoint)


class TradingHome:
    """A `$TRADING_HOME` and the commands run in it, as a user runs them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cloud_home = path / "simulated"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "TRADING_", "COV_"))
        }
        self._environment = {**kept, "TRADING_HOME": str(path)}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            [str(COMMAND), *arguments],
            env=self._environment,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> Ran:
        """Run a command to its end."""
        return finished(self.start(*arguments))

    def start_month(self, as_of: str, *more: str) -> "subprocess.Popen[str]":
        """Start a month of the small market; what `more` sets wins."""
        return self.start("month", "--json", "--as-of", as_of, *_as_options(SMALL), *more)

    def month(self, as_of: str) -> Ran:
        """Run a month of the small market."""
        return finished(self.start_month(as_of))

    @contextmanager
    def cloud(self) -> Iterator[OpenCloud]:
        """Keep the home's cloud up, deployed for the small market."""
        settings = {name: value for name, value in SMALL.items() if name != _RECIPIENTS}
        config = {"settings": _nested(settings), "recipients": list(RECIPIENTS)}
        command = [sys.executable, "-m", "localcloud", "serve", "--home", str(self.cloud_home)]
        with subprocess.Popen(
            [*command, "--config", json.dumps(config)],
            env=self._environment,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                ready = next(
                    event
                    for event in map(json.loads, process.stdout)
                    if event["event"] in {"ready", "error"}
                )
                assert ready["event"] == "ready", ready
                session = boto3.Session(
                    ready["access_key_id"], ready["secret_access_key"], None, ready["region"]
                )
                yield OpenCloud(ready["outputs"], session, ready["endpoint"])
            finally:
                process.terminate()

    def items(self) -> dict[str, list[str]]:
        """Return the stored DynamoDB items, by table, as the JSON of its API."""
        found: dict[str, list[str]] = {}
        for table, item in self._journal("SELECT name, item FROM items ORDER BY name, key"):
            found.setdefault(table.removeprefix("trading-dev-"), []).append(item)
        return found

    def signals(self, month: str) -> list[str]:
        """Return the month's stored signals, one JSON text each."""
        stored = self.items().get("signals", [])
        return [text for text in stored if json.loads(text)["month"]["S"] == month]

    def mails(self) -> list[EmailMessage]:
        """Return the mails that were sent, from their files."""
        files = sorted(self.cloud_home.glob("mail/*.eml"))
        return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]

    def mails_per_recipient(self) -> Counter[str]:
        """Count the mails of each recipient, in files and in what the mail service accepted."""
        accepted = Counter(
            address
            for (recipients,) in self._journal("SELECT recipients FROM mails")
            for address in json.loads(recipients)
        )
        in_files = Counter(str(mail["To"]) for mail in self.mails())
        assert in_files == accepted
        return accepted

    def _journal(self, query: str) -> list[Any]:
        uri = f"file:{self.cloud_home / 'journal.sqlite'}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as journal:
            return journal.execute(query).fetchall()


_RECIPIENTS = "notifications.recipients"


def finished(process: "subprocess.Popen[str]", longest: float = LONGEST_RUN) -> Ran:
    """Wait for a command's end, at most `longest` seconds."""
    try:
        output, errors = process.communicate(timeout=longest)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        pytest.fail(f"still running after {longest} s:\n{errors}")
    return Ran(process.returncode, output, errors)


def once_each() -> Counter[str]:
    """Return the count of mails after one month."""
    return Counter(RECIPIENTS)


def _as_options(settings: Mapping[str, Any]) -> Sequence[str]:
    pairs = (
        f"{name}={yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}"
        for name, value in settings.items()
    )
    return [word for pair in pairs for word in ("--set", pair)]


def _nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in settings.items():
        *parents, leaf = name.split(".")
        node = nested
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return nested
