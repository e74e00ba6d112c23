"""A function's process in a replayed image, on the embedded cloud's Runtime API, for one event."""

import json
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from queue import Queue
from typing import Any

from image_replay import Stage

from localcloud.lambdas.runtime_api import RuntimeApi

PATIENCE_SECONDS = 300
# The client crashes on a deadline that 32 bits of seconds cannot hold.
DEADLINE_MILLISECONDS = 2_000_000_000_000


@dataclass
class OneEvent:
    """Hands out one event; back comes `response`, `error`, `init` or `exit`, with a value."""

    event: bytes
    answers: "Queue[tuple[str, Any]]" = field(default_factory=Queue)
    over: threading.Event = field(default_factory=threading.Event)
    given: bool = False

    def next_invocation(
        self, listening: Callable[[], bool]
    ) -> tuple[Mapping[str, str], bytes] | None:
        if self.given:
            self.over.wait(PATIENCE_SECONDS)
            return None
        self.given = True
        headers = {
            "Lambda-Runtime-Aws-Request-Id": "request-1",
            "Lambda-Runtime-Deadline-Ms": str(DEADLINE_MILLISECONDS),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:1:function:one",
            "Lambda-Runtime-Trace-Id": "Root=1-1-1;Sampled=0",
        }
        return headers, self.event

    def respond(self, request_id: str, payload: bytes) -> bool:
        self.answers.put(("response", json.loads(payload)))
        return True

    def fail(self, request_id: str, error: bytes) -> bool:
        self.answers.put(("error", json.loads(error)))
        return True

    def fail_initialisation(self, error: bytes) -> None:
        self.answers.put(("init", json.loads(error)))

    def watch(self, process: "subprocess.Popen[str]") -> None:
        printed = process.communicate()[0]
        self.answers.put(("exit", f"status {process.returncode}: {printed[-2000:]}"))


def ask(stage: Stage, handler: str, event: Any, variables: Mapping[str, str]) -> tuple[str, Any]:
    """Start a function's process as Lambda does, give it one event, and return its answer."""
    host = OneEvent(json.dumps(event).encode())
    api = RuntimeApi(host)
    own = {
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": handler,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "LAMBDA_TASK_ROOT": str(stage.inside(".")),
        "_HANDLER": handler,
    }
    process = subprocess.Popen(
        stage.command(handler),
        cwd=stage.inside("."),
        env={**stage.variables(), **variables, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watcher = threading.Thread(target=host.watch, args=(process,), daemon=True)
    watcher.start()
    try:
        return host.answers.get(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        watcher.join(timeout=PATIENCE_SECONDS)
        host.over.set()
        api.close()
