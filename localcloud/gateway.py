"""The front door: every request is identified, authorised, carried out and, if it wrote, kept."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from io import BytesIO
from typing import Any

from moto.core.request import Request
from werkzeug.wrappers import Response

from localcloud import quotas
from localcloud.faults.effects import Effects, is_conditional
from localcloud.faults.injector import Injector
from localcloud.faults.plan import FaultPlanError
from localcloud.identity.call import ApiCall
from localcloud.identity.denial import RefusedError, error_response
from localcloud.identity.guard import Admitted, Guard
from localcloud.persistence.definitions import Application
from localcloud.persistence.keeper import KEPT, Keeper

# moto's models are not safe for threads; these services answer without waiting for anyone, so one
# call at a time costs nothing. Conditional writes and DynamoDB's counters are exact through this.
_SERIAL = KEPT | {
    "cloudwatch",
    "events",
    "iam",
    "kms",
    "logs",
    "sagemaker",
    "scheduler",
    "ssm",
    "stepfunctions",
    "sts",
}
_OBJECTS = frozenset({"GetObject", "HeadObject"})
_WAITING = frozenset({"GetActivityTask", "StartSyncExecution", "PutEvents"})
Answer = Callable[..., Any]


class Gateway:
    """The WSGI application in front of moto's.

    Parameters
    ----------
    application
        moto's own.
    guard
        Decides who may do what.
    keeper
        Writes down what S3, DynamoDB, SES and Secrets Manager have accepted.
    faults
        Chooses calls that go wrong.
    effects
        What becomes of those.
    """

    def __init__(
        self,
        application: Application,
        guard: Guard,
        keeper: Keeper,
        faults: Injector,
        effects: Effects,
    ) -> None:
        self._application = application
        self._guard = guard
        self._keeper = keeper
        self._faults = faults
        self._effects = effects
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)

    def __call__(self, environ: dict[str, Any], start_response: Answer) -> Iterable[bytes]:
        """Answer one request."""
        body = _read_body(environ)
        request = Request(environ)
        service = "s3"
        try:
            service, signed = self._guard.identify(request)
            admitted = self._guard.admit(service, signed, request, body)
        except RefusedError as refused:
            return refused.response(service)(environ, start_response)
        try:
            fault = self._faults.strike(
                admitted.arn, admitted.needs, conditional=is_conditional(admitted.call)
            )
        except FaultPlanError as error:
            return error_response(service, 500, "FaultPlanError", str(error))(
                environ, start_response
            )
        beyond = quotas.refuse(admitted.call)
        if beyond is not None:
            response = beyond
        elif fault is None:
            response = self._carry_out(admitted.call, request, body)
        else:
            response = self._effects.suffer(
                fault,
                admitted,
                lambda call: self._carry_out(call, request, call.body),
            )
        if self._hides_absence(admitted, response):
            response = RefusedError("denied", "Access Denied").response("s3")
        return response(environ, start_response)

    def _hides_absence(self, admitted: Admitted, response: Response) -> bool:
        """Tell whether "there is no such object" must not be said: who cannot list, gets a 403."""
        call = admitted.call
        if call.service != "s3" or response.status_code != 404 or call.operation not in _OBJECTS:
            return False
        return not self._guard.may_know(admitted, str(call.parameters["Bucket"]))

    def _carry_out(self, call: ApiCall, request: Request, body: bytes) -> Response:
        request.environ["wsgi.input"] = BytesIO(body)
        request.environ["CONTENT_LENGTH"] = str(len(body))
        family = "ses" if call.service == "sesv2" else call.service
        serial = call.service in _SERIAL and call.operation not in _WAITING
        with self._locks[family] if serial else nullcontext():
            response = Response.from_app(self._application, request.environ, buffered=True)
            if call.service in KEPT and response.status_code < 300:
                self._keeper.record(call, request, body)
        return response


def _read_body(environ: dict[str, Any]) -> bytes:
    """Take the whole body; what follows reads it from memory as often as it likes."""
    stream = environ["wsgi.input"]
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        body: bytes = stream.read()
        environ["CONTENT_LENGTH"] = str(len(body))
        del environ["HTTP_TRANSFER_ENCODING"]
    else:
        body = stream.read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    return body
