"""The output of a training process: to a file, and to CloudWatch Logs while it runs."""

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, Any

from moto.logs.models import logs_backends

from localcloud.context import CloudContext

GROUP = "/aws/sagemaker/TrainingJobs"
_CHUNK = 1 << 16


class JobLogs:
    """Copies a process's output line by line.

    CloudWatch Logs gets it only if the job's role may write there, as on AWS; the file always.
    """

    def __init__(self, context: CloudContext, name: str, role: str) -> None:
        self._stream = f"{name}/algo-1"
        self._backend: Any = logs_backends[context.account][context.region]
        folder = context.log_directory / "training"
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{name}.log"
        arn = f"arn:aws:logs:{context.region}:{context.account}:log-group:{GROUP}:log-stream:"
        self._shipping = all(
            context.allowed(role, "SageMaker", action, arn + self._stream)
            for action in ("logs:CreateLogStream", "logs:PutLogEvents")
        )
        if self._shipping:
            self._backend.ensure_log_group(GROUP)
            self._backend.ensure_log_stream(GROUP, self._stream)

    @property
    def path(self) -> Path:
        """The log file."""
        return self._path

    def follow(self, child: subprocess.Popen[bytes]) -> threading.Thread:
        """Copy what the child prints until nobody holds its output open; return the thread."""
        output = child.stdout
        if output is None:
            raise ValueError("the process must be started with stdout=PIPE")
        thread = threading.Thread(target=self._pump, args=(output,), daemon=True)
        thread.start()
        return thread

    def _pump(self, output: IO[bytes]) -> None:
        rest = b""
        with self._path.open("ab", buffering=0) as file, output:
            while chunk := os.read(output.fileno(), _CHUNK):
                file.write(chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                self._ship(lines)
            if rest:
                self._ship([rest])

    def _ship(self, lines: list[bytes]) -> None:
        now = int(time.time() * 1000)
        texts = [line.decode("utf-8", "replace").rstrip("\r") for line in lines]
        events = [{"timestamp": now, "message": text} for text in texts if text]
        if self._shipping and events:
            self._backend.put_log_events(GROUP, self._stream, events)
