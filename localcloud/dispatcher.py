"""Find moto's application for a request without searching for it every time."""

from collections.abc import Callable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

_S3_CONTROL = "/v20180820/"


class Dispatcher:
    """moto's dispatcher with a memory.

    moto lists the folders of all its services for each request, a quarter of the time that a small
    one takes. Which application answers depends on the signing name, the target's prefix and two
    path prefixes only.
    """

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._found: dict[tuple[str, str, bool, bool], Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer a request with the application of its service."""
        path = environ["PATH_INFO"]
        scope = environ.get("HTTP_AUTHORIZATION", "").split(",", 1)[0].split("/")
        if len(scope) != 5:
            return self._moto(environ, start_response)
        target = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[0]
        key = (scope[3], target, path.startswith("/v2/"), path.startswith(_S3_CONTROL))
        application = self._found.get(key)
        if application is None:
            application = self._found[key] = self._moto.get_application(environ)
        return application(environ, start_response)
