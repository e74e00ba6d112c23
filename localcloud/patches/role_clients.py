"""State machines call other services with their own role.

moto's interpreter calls them with fixed keys ("ak", "sk"), which belong to nobody here, so that
the role of a state machine would never be needed, nor checked.
"""

import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.stepfunctions.parser.asl.utils import boto_client

from localcloud.context import CloudContext
from localcloud.errors import CloudError, PatchError
from localcloud.identity.credentials import Credentials
from localcloud.patches.replacements import Replacements

SERVICE = "states.amazonaws.com"
_INTERPRETER = "moto.stepfunctions."
_MARGIN = timedelta(minutes=30)


class RoleClients:
    """Clients with the credentials of state machines' roles, renewed before they end."""

    def __init__(self, context: CloudContext) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._sessions: dict[str, Credentials] = {}

    def client_for(self, region: str, service: str, state_credentials: Any = None) -> Any:
        """Return a client of the role that runs a state; takes moto's arguments."""
        if region != self._context.region or state_credentials is None:
            raise CloudError(
                f"a state of this cloud calls {service} in {self._context.region} with the role "
                f"of its state machine, not in {region} without one"
            )
        keys = self._credentials(state_credentials.role_arn)
        return self._context.client(service, keys, checked=False)

    def _credentials(self, role: str) -> Credentials:
        with self._lock:
            held = self._sessions.get(role)
            if held is None or held.expires is None or held.expires - datetime.now(UTC) < _MARGIN:
                held = self._context.credentials_for_role(role, "StepFunctions", service=SERVICE)
                self._sessions[role] = held
        return held


def install(replacements: Replacements, context: CloudContext) -> None:
    """Replace the function in every module of the interpreter that has imported it."""
    original = boto_client.boto_client_for
    replacement = RoleClients(context).client_for
    replaced = 0
    for name, module in list(sys.modules.items()):
        imported = vars(module).get("boto_client_for") if name.startswith(_INTERPRETER) else None
        if imported is original:
            replacements.replace(module, "boto_client_for", replacement)
            replaced += 1
    if replaced < 2:
        raise PatchError(
            "moto's boto_client_for is not imported where it was; port "
            "localcloud/patches/role_clients.py to this release"
        )
