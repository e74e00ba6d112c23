"""A cloud as a process of its own, as `trading month` runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3

REPOSITORY = Path(__file__).parents[2]


class CloudProcess:
    """`python -m localcloud serve --no-deploy` on a home, up to its `ready` or `error` event."""

    def __init__(self, home: Path) -> None:
        path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")])
        self.child = subprocess.Popen(
            [sys.executable, "-m", "localcloud", "serve", "--home", str(home), "--no-deploy"],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self.child.stdout is not None
        self.events = []
        for line in self.child.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] in {"ready", "error"}:
                break

    @property
    def last(self) -> dict[str, Any]:
        """The event that ended the start."""
        return dict(self.events[-1])

    def client(self, service: str) -> Any:
        """Return a client with the operator's keys."""
        return boto3.client(
            service,
            endpoint_url=self.last["endpoint"],
            region_name=self.last["region"],
            aws_access_key_id=self.last["access_key_id"],
            aws_secret_access_key=self.last["secret_access_key"],
        )

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        self.child.kill()
        self.close()

    def stop(self) -> int:
        """Stop it in order; return its exit status."""
        self.child.terminate()
        return self.close()

    def close(self) -> int:
        """Wait for its end."""
        status = self.child.wait(timeout=20)
        assert self.child.stdout is not None
        self.child.stdout.close()
        return status
