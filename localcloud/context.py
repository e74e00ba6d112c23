"""What the parts of the embedded cloud share: the running cloud, seen from inside."""

import os
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from localcloud.clients import Clients
from localcloud.faults.injector import Injector
from localcloud.identity.credentials import Credentials
from localcloud.mail import AcceptedMail
from localcloud.processes.spawner import Spawner, Stream

ACCOUNT = "123456789012"
REGION = "us-east-1"
# the tag by which CreateKey makes a key again with the id that it had
KEY_ID_TAG = "localcloud:key-id"
# The operator's files of profiles have no say here: one may switch AWS_ENDPOINT_URL off.
NO_PROFILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
REPOSITORY = Path(__file__).parents[1]


class Identity(Protocol):
    """Issues credentials of roles and decides what they allow."""

    def assume(self, role_arn: str, session_name: str, *, service: str | None) -> Credentials:
        """Return temporary credentials; `service` (`lambda.amazonaws.com`) must be trusted."""

    def allowed(self, role_arn: str, session_name: str, action: str, resource: str) -> bool:
        """Decide and record whether a session of the role may do this."""

    def service_allowed(
        self,
        service: str,
        action: str,
        resource: str,
        source: str,
        statements: Sequence[Mapping[str, Any]],
    ) -> bool:
        """Decide and record whether a resource's policy admits a service for a source."""


MailHook = Callable[[sqlite3.Connection, AcceptedMail], None]


@dataclass
class CloudContext:
    """The running cloud.

    `home` is the folder of its state, `endpoint` its URL (`http://127.0.0.1:PORT`), `repository`
    the checkout whose functions and containers it runs, `operator` the administrator's keys,
    `faults` says which calls go wrong.

    A hook of `mail_hooks` is called for every accepted mail, inside the open transaction that
    records it in the SQLite file `journal_path`: what it writes there is recorded with the mail or
    not at all. It must be quick and must not commit; `mail_recorded` runs after the commit.
    """

    home: Path
    endpoint: str
    operator: Credentials
    identity: Identity
    spawner: Spawner
    executor: ThreadPoolExecutor
    region: str = REGION
    account: str = ACCOUNT
    stack: str = "dev"
    repository: Path = REPOSITORY
    stopping: threading.Event = field(default_factory=threading.Event)
    mail_hooks: list[MailHook] = field(default_factory=list)
    mail_recorded: list[Callable[[], None]] = field(default_factory=list)
    _hooks: list[Callable[[], None]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _clients: Clients | None = None
    faults: Injector = field(init=False)

    def __post_init__(self) -> None:
        """Follow the fault plan of the home."""
        self.faults = Injector(self.home)

    @property
    def journal_path(self) -> Path:
        """The SQLite file in which the cloud records what it has acknowledged."""
        return self.home / "journal.sqlite"

    @property
    def log_directory(self) -> Path:
        """The folder of the log files, made when missing."""
        folder = self.home / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def credentials_for_role(
        self, role_arn: str, session_name: str, *, service: str | None = None
    ) -> Credentials:
        """Return temporary credentials of a role, as a service of AWS would assume it.

        Raises `CloudError` when the role does not exist, or its trust policy does not admit
        `service` (for example `lambda.amazonaws.com`).
        """
        return self.identity.assume(role_arn, session_name, service=service)

    def allowed(self, role_arn: str, session_name: str, action: str, resource: str) -> bool:
        """Tell whether the role's policies allow an action that the cloud does on its behalf.

        For what AWS does inside a service with the role's permissions, such as a function's
        runtime writing its log stream. The decision is audited like a call's.
        """
        return self.identity.allowed(role_arn, session_name, action, resource)

    def client(
        self, service: str, credentials: Credentials | None = None, *, checked: bool = True
    ) -> Any:
        """Return a boto3 client on this cloud, with the operator's keys unless others are given.

        Without `checked` it sends parameters as they are and never retries.
        """
        with self._lock:
            if self._clients is None:
                self._clients = Clients(self.endpoint, self.region)
        return self._clients.get(service, credentials or self.operator, checked=checked)

    def environment_for(self, credentials: Credentials) -> dict[str, str]:
        """Return the variables with which a child process reaches this cloud, and only it."""
        return {
            **credentials.environment(),
            **NO_PROFILES,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def spawn(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path | None = None,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = subprocess.DEVNULL,
        stderr: Stream = subprocess.DEVNULL,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a process that dies with the cloud; see `Spawner.spawn`."""
        return self.spawner.spawn(
            command,
            environment=environment,
            directory=directory,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=pass_fds,
        )

    def on_shutdown(self, hook: Callable[[], None]) -> None:
        """Have `hook` called when the cloud stops in order; the last registered runs first."""
        self._hooks.append(hook)

    def shut_down(self) -> None:
        """Run the shutdown hooks, then end every child and the executor."""
        self.stopping.set()
        while self._hooks:
            self._hooks.pop()()
        self.spawner.close()
        self.executor.shutdown(wait=False, cancel_futures=True)
