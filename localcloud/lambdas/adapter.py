"""Put the Lambda runtime in the place of moto's, which runs functions in Docker containers.

Everything of moto 5.2.5 that is replaced stands in this file:

- `LambdaResponse.invoke`, the HTTP Invoke API, which Step Functions' interpreter calls too;
- `LambdaFunction.invoke`, which moto's other services call in the process;
- `LambdaBackend.create_function` and `LambdaFunction.update_configuration` and
  `get_configuration`, which drop `DeadLetterConfig`, and on update `ImageConfig` and
  `TracingConfig`.
"""

import json
from typing import Any
from urllib.parse import unquote

from localcloud.errors import PatchError
from localcloud.lambdas.function import function_from_moto
from localcloud.lambdas.service import Answer, InvokeError, LambdaService


def adapt_moto(service: LambdaService) -> None:
    """Route every invocation to `service`; raises `PatchError` when moto has changed."""
    from moto.awslambda.models import ImageConfig, LambdaBackend, LambdaFunction
    from moto.awslambda.responses import LambdaResponse

    for owner, names in (
        (LambdaResponse, ("invoke", "dispatch")),
        (LambdaFunction, ("invoke", "update_configuration", "get_configuration")),
        (LambdaBackend, ("create_function", "get_function")),
    ):
        missing = [name for name in names if not callable(getattr(owner, name, None))]
        if missing:
            raise PatchError(
                f"moto's {owner.__name__} has no {', '.join(missing)}: pin moto 5.2.5, or mend "
                "localcloud/lambdas/adapter.py"
            )
    _route_invocations(service, LambdaResponse, LambdaFunction)
    _keep_configuration(LambdaBackend, LambdaFunction, ImageConfig)


def _route_invocations(service: LambdaService, response: Any, function: Any) -> None:
    def invoke_over_http(self: Any) -> tuple[int, dict[str, str], bytes]:
        name = unquote(self.path.rstrip("/").rsplit("/", 2)[-2])
        record = self.backend.get_function(name, _qualifier(self))
        headers = {key.lower(): value for key, value in self.headers.items()}
        body = self.body if isinstance(self.body, bytes) else (self.body or "").encode()
        try:
            answer = service.invoke(function_from_moto(record), body, headers)
        except InvokeError as error:
            answer = _refusal(error)
        # moto takes the HTTP status from a header of this name.
        status = {"status": str(answer.status), "Content-Type": "application/json"}
        return answer.status, {**status, **answer.headers}, answer.payload

    def invoke_in_process(
        self: Any, body: str, _request_headers: Any, response_headers: Any
    ) -> bytes:
        outcome = service.run(function_from_moto(self), (body or "{}").encode())
        if outcome.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        return outcome.payload

    response.invoke = invoke_over_http
    function.invoke = invoke_in_process


def _qualifier(response: Any) -> str | None:
    values = response.querystring.get("Qualifier") or [None]
    return str(values[0]) if values[0] else None


def _refusal(error: InvokeError) -> Answer:
    body = {"Type": "User", "message": str(error), **error.details}
    return Answer(error.status, json.dumps(body).encode(), {"x-amzn-ErrorType": error.code})


def _keep_configuration(backend: Any, function: Any, image_config: Any) -> None:
    create = _original(backend.create_function)
    update = _original(function.update_configuration)
    describe = _original(function.get_configuration)

    def create_function(self: Any, spec: dict[str, Any]) -> Any:
        made = create(self, spec)
        made.dead_letter_config = spec.get("DeadLetterConfig") or {}
        self.get_function(made.function_name, None).dead_letter_config = made.dead_letter_config
        return made

    def update_configuration(self: Any, changes: dict[str, Any]) -> Any:
        if "ImageConfig" in changes:
            self.image_config = image_config(changes["ImageConfig"])
        if "TracingConfig" in changes:
            self.tracing_config = changes["TracingConfig"]
        if "DeadLetterConfig" in changes:
            self.dead_letter_config = changes["DeadLetterConfig"]
        return update(self, changes)

    def get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = describe(self, on_create)
        dead_letters = getattr(self, "dead_letter_config", None)
        return {**found, "DeadLetterConfig": dead_letters} if dead_letters else found

    for owner, replacement, original in (
        (backend, create_function, create),
        (function, update_configuration, update),
        (function, get_configuration, describe),
    ):
        replacement.__dict__["original"] = original
        setattr(owner, replacement.__name__, replacement)


def _original(method: Any) -> Any:
    """Return what moto defined, also when it has been replaced once already in this process."""
    return method.__dict__.get("original", method)
