"""Rotate a provider's API key: test the one that a person staged, and make it the current one.

The vendors have no API that makes keys. A new key is put into its secret under the label
AWSPENDING; Secrets Manager then calls this with each step of a rotation in turn. Until the last
step the old key stays the current one.

Source: "Lambda rotation functions", AWS Secrets Manager user guide.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import boto3
from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, SecretStr

from trading.data.providers.key_check import check_key
from trading.data.providers.keys import VARIABLES, key_in_secret
from trading.errors import ConfigurationError, ProviderStopped
from trading.market.calendar import last_session_before, today
from trading.month.operator import tell_operator
from trading.month.resources import Resources

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"
# A rotation that nobody staged a key for begins with a version without a value.
_NO_VALUE: Final = "ResourceNotFoundException"
STAGE = (
    "aws secretsmanager put-secret-value --secret-id {secret} --version-stages AWSPENDING"
    " --secret-string file://KEY.txt, then aws secretsmanager rotate-secret --secret-id {secret}"
)
Step = Literal["createSecret", "setSecret", "testSecret", "finishSecret"]


class KeyNotStaged(ConfigurationError):
    """A rotation is due, and nobody has staged a new key."""


class RotationRequest(BaseModel):
    """What Secrets Manager asks for; the token is the id of the version to be promoted."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    SecretId: str
    ClientRequestToken: str
    Step: Step


class Rotated(BaseModel):
    """What a step did."""

    model_config = ConfigDict(frozen=True)

    provider: str
    step: Step
    done: Literal["staged", "nothing", "tested", "promoted", "already_promoted"]


def holds_key(described: Mapping[str, Any]) -> bool:
    """Tell of a secret, as DescribeSecret describes it, whether a version is the current one."""
    versions: Mapping[str, list[str]] = described.get("VersionIdsToStages") or {}
    return any(CURRENT in stages for stages in versions.values())


def rotate_key(request: RotationRequest, resources: Resources) -> Rotated:
    """Do one step of a rotation; each is safe to repeat.

    Secrets of providers that are not in use stay empty, and Secrets Manager asks for their
    rotation as well: without a key that could be replaced, no step does anything.

    Raises
    ------
    KeyNotStaged
        No new key is staged; the operator was told how to stage one.
    ProviderStopped
        The provider refuses the new key; the operator was told, and the old one stays.
    ProviderError
        The provider could not be asked; Secrets Manager tries again.
    ConfigurationError
        The secret is not one of a provider, or the token is not of its staged version.
    """
    rotation = _Rotation(request, resources)
    if rotation.is_current():
        done: Any = "already_promoted"
    elif not rotation.replaces_key:
        done = rotation.nothing()
    else:
        done = {
            "createSecret": rotation.require_staged,
            "setSecret": rotation.nothing,
            "testSecret": rotation.test,
            "finishSecret": rotation.promote,
        }[request.Step]()
    return Rotated(provider=rotation.provider, step=request.Step, done=done)


class _Rotation:
    """One secret and the version of it that is to be promoted."""

    def __init__(self, request: RotationRequest, resources: Resources) -> None:
        self._resources = resources
        self._client = boto3.client("secretsmanager")
        self._secret, self._token = request.SecretId, request.ClientRequestToken
        described = self._client.describe_secret(SecretId=self._secret)
        self.replaces_key = holds_key(described)
        self._name = str(described["Name"])
        self._stages: Mapping[str, list[str]] = described.get("VersionIdsToStages") or {}
        self.provider = self._name.removeprefix(resources.name("TRADING_PROVIDER_SECRETS"))
        if self.provider not in VARIABLES:
            raise ConfigurationError(
                f"the secret {self._name} is not one of a data provider ({', '.join(VARIABLES)})"
            )
        if not {CURRENT, PENDING} & set(self._stages.get(self._token, ())):
            raise ConfigurationError(
                f"the version to rotate of {self._name} is not staged any more: start the rotation"
                " again"
            )

    def is_current(self) -> bool:
        """Tell whether an earlier call has promoted the version."""
        return CURRENT in self._stages[self._token]

    def require_staged(self) -> str:
        """Make sure that there is a key to rotate to; tell the operator if there is none."""
        if self._staged() is None:
            self._tell("no new API key is staged", ["The old key stays in use."])
            raise KeyNotStaged(f"no new key is staged in {self._name}; the old one stays in use")
        return "staged"

    def nothing(self) -> str:
        """Do nothing: a key at the vendor is made by a person."""
        return "nothing"

    def test(self) -> str:
        """Ask the provider with the staged key; without one, this tests the configuration only."""
        key = self._staged()
        if key is None:
            return "nothing"
        settings = self._resources.settings
        # Not the last one, which a vendor may not have yet, or a plan not give.
        session = last_session_before(last_session_before(today(settings.schedule.timezone)))
        try:
            check_key(self.provider, key, settings, session=session)
        except ProviderStopped as error:
            self._tell("the new API key is refused", [f"{error}.", "The old key stays in use."])
            raise
        return "tested"

    def promote(self) -> str:
        """Make the staged version the current one; the one before keeps AWSPREVIOUS."""
        if self._staged() is None:
            raise KeyNotStaged(f"no new key is staged in {self._name}; the old one stays in use")
        before = next((v for v, stages in self._stages.items() if CURRENT in stages), None)
        self._client.update_secret_version_stage(
            SecretId=self._secret,
            VersionStage=CURRENT,
            MoveToVersionId=self._token,
            **({"RemoveFromVersionId": before} if before else {}),
        )
        self._client.update_secret_version_stage(
            SecretId=self._secret, VersionStage=PENDING, RemoveFromVersionId=self._token
        )
        return "promoted"

    def _staged(self) -> SecretStr | None:
        try:
            answer = self._client.get_secret_value(
                SecretId=self._secret, VersionId=self._token, VersionStage=PENDING
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != _NO_VALUE:
                raise
            return None
        return key_in_secret(answer.get("SecretString") or "", self._name)

    def _tell(self, what: str, lines: list[str]) -> None:
        way_out = f"Make a key at the vendor and stage it: {STAGE.format(secret=self._name)}."
        tell_operator(
            self._resources,
            f"Key of {self.provider}: {what}",
            [*lines, way_out],
            severity="warning",
        )
