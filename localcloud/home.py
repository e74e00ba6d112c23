"""The folder of a cloud: one cloud at a time, its keys, and how others find it."""

import fcntl
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from localcloud.errors import CloudError, HomeTakenError
from localcloud.identity.credentials import Credentials

STOPPING_SECONDS = 10.0


@dataclass(frozen=True)
class RunningCloud:
    """What another command needs to use a cloud that runs on a home."""

    pid: int
    endpoint: str
    region: str
    credentials: Credentials
    outputs: Mapping[str, Any]


class Home:
    """A cloud's folder, held by this process alone until `release`.

    Raises `HomeTakenError` naming the process that holds it, `CloudError` when the folder cannot
    be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock: IO[str] = (self.path / "lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise CloudError(
                f"the cloud's folder {path} cannot be used ({error}); pass another with --home"
            ) from error
        if not self._take():
            self._lock.seek(0)
            pid = self._lock.read().strip() or "unknown"
            self._lock.close()
            raise HomeTakenError(
                f"a cloud runs on {self.path} already (process {pid}); stop it, or use another "
                "folder with --home"
            )
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()
        self._card.unlink(missing_ok=True)

    def _take(self) -> bool:
        """Take the lock; wait for a cloud that is stopping, or that only begins."""
        until = time.monotonic() + STOPPING_SECONDS
        while not _lock(self._lock):
            if self._card.exists() or time.monotonic() > until:
                return False
        return True

    @property
    def _card(self) -> Path:
        return self.path / "cloud.json"

    @property
    def _outputs(self) -> Path:
        return self.path / "outputs.json"

    def operator(self, make: Any) -> Credentials:
        """Return the administrator's keys of this home; `make` gives them the first time."""
        path = self.path / "operator.json"
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            return Credentials(kept["access_key_id"], kept["secret_access_key"])
        keys: Credentials = make()
        _write_private(
            path,
            {
                "access_key_id": keys.access_key_id,
                "secret_access_key": keys.secret_access_key,
            },
        )
        return keys

    def outputs(self) -> dict[str, Any]:
        """Return the outputs of the stack's last deployment; none before the first."""
        try:
            kept: dict[str, Any] = json.loads(self._outputs.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return kept

    def keep_outputs(self, outputs: Mapping[str, Any]) -> None:
        """Remember what a deployment gave, for a cloud that starts without deploying."""
        _write_private(self._outputs, outputs)

    def announce(self, cloud: RunningCloud, *, deployed: bool = True) -> None:
        """Let other commands find the running cloud (`cloud.json`, readable by its owner only).

        One that was started without deploying is up for reading only, and soon ends.
        """
        _write_private(
            self._card,
            {
                "pid": cloud.pid,
                "parent": os.getppid(),
                "endpoint": cloud.endpoint,
                "region": cloud.region,
                "access_key_id": cloud.credentials.access_key_id,
                "secret_access_key": cloud.credentials.secret_access_key,
                "outputs": dict(cloud.outputs),
                "deployed": deployed,
            },
        )

    def withdraw(self) -> None:
        """Take the announcement back: this cloud is about to stop."""
        self._card.unlink(missing_ok=True)

    def release(self) -> None:
        """Let another cloud have the home."""
        self.withdraw()
        self._lock.close()


def _lock(file: IO[str]) -> bool:
    """Take the lock; try for a moment, because `find_running` holds it for an instant."""
    for wait in (0.05, 0.1, 0.2, 0.0):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(wait)
        else:
            return True
    return False


def find_running(path: Path) -> RunningCloud | None:
    """Return the cloud that runs on a home; None when none does, even if one left its card."""
    try:
        with (path / "lock").open("r", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found = json.loads((path / "cloud.json").read_text(encoding="utf-8"))
            else:
                return None
    except FileNotFoundError:
        return None
    keys = Credentials(found["access_key_id"], found["secret_access_key"])
    return RunningCloud(found["pid"], found["endpoint"], found["region"], keys, found["outputs"])


def _write_private(path: Path, content: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    with suppress(FileNotFoundError):
        partial.unlink()
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=2)
    partial.replace(path)
