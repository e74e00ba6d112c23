"""Whether a state machine's definition is valid: all that the AWS provider asks while it plans.

Step Functions itself cannot be asked, so statelint, the linter of the Amazon States Language,
answers in its place.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OPERATION = "AWSStepFunctions.ValidateStateMachineDefinition"


@contextmanager
def definition_validator() -> Iterator[str]:
    """Yield the URL at which `ValidateStateMachineDefinition` is answered."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def problems(definition: str) -> list[str]:
    """Return what statelint finds wrong with a definition."""
    from statelint.linter import Linter

    try:
        parsed = json.loads(definition)
    except json.JSONDecodeError as error:
        return [f"it is not valid JSON: {error}"]
    if not isinstance(parsed, dict):
        return ["it is not a JSON object"]
    return [str(one) for one in Linter.validate(parsed)]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Answer a call of Step Functions' JSON protocol."""
        length = int(self.headers.get("Content-Length") or 0)
        asked: dict[str, Any] = json.loads(self.rfile.read(length) or b"{}")
        if self.headers.get("X-Amz-Target") != OPERATION:
            self._answer(400, {"__type": "UnknownOperationException"})
            return
        found = problems(asked["definition"])
        diagnostics = [
            {"severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "message": one}
            for one in found
        ]
        self._answer(200, {"result": "FAIL" if found else "OK", "diagnostics": diagnostics})

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""
