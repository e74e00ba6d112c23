"""How an invocation ends, in the words that Lambda uses.

Error types and texts are those of the Lambda service and its runtime interface emulator
(https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html and
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
"""

import json
from dataclasses import dataclass

MAX_PAYLOAD = 6_291_456
MAX_RESPONSE = 6_291_556
MAX_ASYNC_PAYLOAD = 1_048_576


@dataclass(frozen=True)
class Outcome:
    """What an invocation gave.

    Attributes
    ----------
    payload
        The response, or the error as JSON.
    failed
        Whether the payload is an error (`FunctionError: Unhandled`).
    log_tail
        The last 4 KB of what the invocation logged.
    """

    payload: bytes
    failed: bool = False
    log_tail: bytes = b""


def service_error(error_type: str, message: str, request_id: str | None = None) -> Outcome:
    """Return a failure that Lambda itself reports, not the function's code."""
    text = f"RequestId: {request_id} Error: {message}" if request_id else message
    return Outcome(json.dumps({"errorType": error_type, "errorMessage": text}).encode(), True)


def timed_out(request_id: str, seconds: float) -> Outcome:
    """Return the failure of an invocation that was killed at its time limit."""
    message = f"Task timed out after {seconds:.2f} seconds"
    return service_error("Sandbox.Timedout", message, request_id)


def out_of_memory(request_id: str) -> Outcome:
    """Return the failure of an invocation whose environment was killed for its memory."""
    return service_error(
        "Runtime.ExitError", "Runtime exited with error: signal: killed", request_id
    )


def exited(request_id: str, status: int) -> Outcome:
    """Return the failure of an invocation whose process ended; `status` as `Popen.returncode`."""
    if status == 0:
        reason = "Runtime exited without providing a reason"
    elif status > 0:
        reason = f"Runtime exited with error: exit status {status}"
    else:
        reason = f"Runtime exited with error: signal: {_SIGNALS.get(-status, str(-status))}"
    return service_error("Runtime.ExitError", reason, request_id)


def too_large() -> Outcome:
    """Return the failure of an invocation whose response exceeds the quota."""
    return service_error(
        "Function.ResponseSizeTooLarge",
        f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes).",
    )


_SIGNALS = {
    4: "illegal instruction",
    6: "aborted",
    7: "bus error",
    8: "floating point exception",
    9: "killed",
    11: "segmentation fault",
    15: "terminated",
}
