"""RotateSecret as AWS has it: the function is called by the service, later, step by step.

moto calls the function while the request waits, so that a function that reads the secret waits for
ever, and it throws a staged version away before the function can test it. Here a rotation goes on
in the background: `createSecret`, `setSecret`, `testSecret`, `finishSecret`, until one fails. A
version that is staged as AWSPENDING already is the one that is tested and promoted, and a promoted
one is what GetSecretValue answers from then on, which moto forgets. Rotations by the calendar do
not happen on one machine.

Source: AWS Secrets Manager User Guide, "Lambda rotation functions".
"""

import json
import logging
import time
import uuid
from collections.abc import Mapping
from typing import Any

from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    ResourceNotFoundException,
    SecretNotFoundException,
)
from moto.secretsmanager.models import SecretsManagerBackend

from localcloud.context import CloudContext
from localcloud.errors import CloudError
from localcloud.patches.replacements import Replacements

_LOGGER = logging.getLogger("localcloud")
_SERVICE = "secretsmanager.amazonaws.com"
_STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
_LONGEST_DAYS = 1000
_stage_in_moto = SecretsManagerBackend.update_secret_version_stage


class Rotations:
    """Rotates the secrets of one cloud."""

    def __init__(self, context: CloudContext) -> None:
        self._context = context

    def rotate(
        self,
        backend: SecretsManagerBackend,
        secret_id: str,
        client_request_token: str | None = None,
        rotation_lambda_arn: str | None = None,
        rotation_rules: Mapping[str, Any] | None = None,
        rotate_immediately: bool = True,
    ) -> str:
        """Answer RotateSecret; takes the arguments of moto's method."""
        if not backend._is_valid_identifier(secret_id):
            raise SecretNotFoundException
        secret: Any = backend.secrets[secret_id]
        function = rotation_lambda_arn or secret.rotation_lambda_arn
        if not function:
            raise InvalidParameterException("No Lambda rotation function is associated with it.")
        self._require_invocable(function, secret.arn)
        days = int((rotation_rules or {}).get("AutomaticallyAfterDays", 0))
        if not 0 <= days <= _LONGEST_DAYS:
            raise InvalidParameterException("AutomaticallyAfterDays must be within 1-1000.")
        secret.rotation_lambda_arn = function
        secret.rotation_requested = secret.rotation_enabled = True
        if rotation_rules:
            secret.auto_rotate_after_days = days
        if rotate_immediately:
            token = _pending(secret) or client_request_token or str(uuid.uuid4())
            self._context.executor.submit(self._run, secret, function, token)
        described: str = secret.to_short_dict()
        return described

    def _require_invocable(self, function: str, secret_arn: str) -> None:
        found = self._find(function)
        if found is None:
            raise ResourceNotFoundException(f"Resource not found for ARN '{function}'.")
        statements = list(found.policy.statements)
        if not self._context.identity.service_allowed(
            _SERVICE, "lambda:InvokeFunction", function, secret_arn, statements
        ):
            raise InvalidParameterException(
                f"Secrets Manager cannot invoke the specified Lambda function {function}: its "
                f"policy does not let {_SERVICE} do lambda:InvokeFunction"
            )

    def _find(self, function: str) -> Any:
        from moto.awslambda.exceptions import UnknownFunctionException
        from moto.awslambda.utils import get_backend

        try:
            return get_backend(self._context.account, self._context.region).get_function(
                function, None
            )
        except UnknownFunctionException:
            return None

    def _run(self, secret: Any, function: str, token: str) -> None:
        from localcloud.lambdas import service_of
        from localcloud.lambdas.function import function_from_moto

        for step in _STEPS:
            event = {"Step": step, "SecretId": secret.arn, "ClientRequestToken": token}
            try:
                found = function_from_moto(self._find(function))
                outcome = service_of(self._context).run(found, json.dumps(event).encode())
            except CloudError as error:
                _LOGGER.warning("the rotation of %s stopped at %s: %s", secret.name, step, error)
                return
            if outcome.failed:
                _LOGGER.warning("the rotation of %s failed at %s", secret.name, step)
                return
        secret.last_rotation_date = int(time.time())


def install(replacements: Replacements, context: CloudContext) -> None:
    """Replace RotateSecret, and mend UpdateSecretVersionStage."""
    rotations = Rotations(context)

    def rotate_secret(backend: SecretsManagerBackend, *given: Any, **named: Any) -> str:
        return rotations.rotate(backend, *given, **named)

    replacements.replace(SecretsManagerBackend, "rotate_secret", rotate_secret)
    replacements.replace(SecretsManagerBackend, "update_secret_version_stage", _stage)


def _stage(
    backend: SecretsManagerBackend,
    secret_id: str,
    version_stage: str,
    remove_from_version_id: str,
    move_to_version_id: str,
) -> tuple[str, str]:
    answer = _stage_in_moto(
        backend, secret_id, version_stage, remove_from_version_id, move_to_version_id
    )
    if version_stage == "AWSCURRENT" and move_to_version_id:
        secret: Any = backend.secrets[secret_id]
        secret.default_version_id = move_to_version_id
    return answer


def _pending(secret: Any) -> str | None:
    """Return the version that is staged and not current yet."""
    for version, held in secret.versions.items():
        stages = held["version_stages"]
        if "AWSPENDING" in stages and "AWSCURRENT" not in stages:
            return str(version)
    return None
