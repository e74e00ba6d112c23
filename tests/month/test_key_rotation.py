"""The four steps of a rotation against Secrets Manager, a vendor on a local server, and a topic."""

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends

PROVIDERS = Path(__file__).parents[1] / "data" / "providers"
if str(PROVIDERS) not in sys.path:
    sys.path.insert(0, str(PROVIDERS))

from faulty_server import FaultyServer  # noqa: E402
from vendor_services import KEYS, Market, Services  # noqa: E402

from trading.config import Settings  # noqa: E402
from trading.data.providers.key_check import SYMBOL  # noqa: E402
from trading.errors import (  # noqa: E402
    ConfigurationError,
    ProviderError,
    ProviderStopped,
)
from trading.market.calendar import last_session_before, today  # noqa: E402
from trading.month.key_rotation import (  # noqa: E402
    KeyNotStaged,
    Rotated,
    RotationRequest,
    rotate_key,
)
from trading.month.resources import Resources  # noqa: E402

SECRET = "trading-dev/providers/polygon"
OLD, NEW = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
OLD_KEY = "old-key-canary-8131"


class Rotation:
    """A secret with an old key, a vendor that knows the good one, and the operator's mails."""

    def __init__(self, resources: Resources, services: Services, topic: str) -> None:
        self.resources, self.services, self._topic = resources, services, topic
        self.client = boto3.client("secretsmanager")
        self.client.create_secret(Name=SECRET, SecretString=OLD_KEY, ClientRequestToken=OLD)

    def stage(self, key: str) -> None:
        self.client.put_secret_value(
            SecretId=SECRET,
            SecretString=key,
            ClientRequestToken=NEW,
            VersionStages=["AWSPENDING"],
        )

    def begin_empty(self, name: str = SECRET) -> None:
        """Begin as Secrets Manager does where nothing is staged: with a version without a value."""
        secret = secretsmanager_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].secrets[name]
        secret.versions[NEW] = {
            "version_id": NEW,
            "version_stages": ["AWSPENDING"],
            "createdate": 0,
        }

    def step(self, step: str, token: str = NEW, secret: str = SECRET) -> Rotated:
        event = {"SecretId": secret, "ClientRequestToken": token, "Step": step}
        return rotate_key(RotationRequest.model_validate(event), self.resources)

    def key(self) -> str:
        current = self.client.get_secret_value(SecretId=SECRET, VersionStage="AWSCURRENT")
        return str(current["SecretString"])

    def stages(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = self.client.describe_secret(SecretId=SECRET)[
            "VersionIdsToStages"
        ]
        return found

    def mails(self) -> list[tuple[str, str]]:
        backend = sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
        sent = backend.topics[self._topic].sent_notifications
        return [(str(one[2]), str(one[1])) for one in sent]


@pytest.fixture
def rotation(make_resources: Callable[..., Resources]) -> Iterator[Rotation]:
    end = last_session_before(today())
    services = Services(Market([SYMBOL, "MSFT"], end - timedelta(days=20), end))
    topic = boto3.client("sns").create_topic(Name="warnings")["TopicArn"]
    with FaultyServer(services) as server:
        polygon = {"base_url": server.base_url("polygon"), "requests_per_minute": 60_000}
        patience = {"attempts": 2, "backoff_seconds": 0.01, "breaker_seconds": 0.01}
        settings = Settings.model_validate(
            {"data": {"providers": {"polygon": polygon, **patience}}}
        )
        names = {
            "TRADING_WARNING_TOPIC": topic,
            "TRADING_PROVIDER_SECRETS": "trading-dev/providers/",
        }
        yield Rotation(make_resources(settings, **names), services, topic)


def test_a_staged_key_is_tested_and_becomes_the_current_one(rotation: Rotation) -> None:
    rotation.stage(f" {KEYS['polygon']}\n")
    done = [rotation.step(step).done for step in STEPS]
    assert done == ["staged", "nothing", "tested", "promoted"]
    assert rotation.key().strip() == KEYS["polygon"]
    stages = rotation.stages()
    assert "AWSCURRENT" in stages[NEW]
    assert "AWSPENDING" not in {stage for held in stages.values() for stage in held}
    assert stages[OLD] == ["AWSPREVIOUS"]
    assert rotation.mails() == []


def test_every_step_can_be_repeated_after_the_end(rotation: Rotation) -> None:
    rotation.stage(KEYS["polygon"])
    for step in STEPS:
        rotation.step(step)
    assert {rotation.step(step).done for step in STEPS} == {"already_promoted"}
    assert rotation.key() == KEYS["polygon"]


def test_without_a_staged_key_the_operator_is_told_how_to_stage_one(rotation: Rotation) -> None:
    rotation.begin_empty()
    with pytest.raises(KeyNotStaged, match="no new key is staged in trading-dev/providers/polygon"):
        rotation.step("createSecret")
    ((subject, text),) = rotation.mails()
    assert subject == "Key of polygon: no new API key is staged"
    assert "--version-stages AWSPENDING" in text
    assert "rotate-secret --secret-id trading-dev/providers/polygon" in text
    assert rotation.key() == OLD_KEY


def test_a_refused_key_is_told_and_never_promoted(rotation: Rotation) -> None:
    rotation.stage("wrong-key-canary-4711")
    assert rotation.step("createSecret").done == "staged"
    with pytest.raises(ProviderStopped) as refused:
        rotation.step("testSecret")
    ((subject, text),) = rotation.mails()
    assert subject == "Key of polygon: the new API key is refused"
    assert rotation.key() == OLD_KEY
    for said in (subject, text, str(refused.value)):
        assert "canary" not in said


def test_a_vendor_that_is_away_proves_nothing_against_the_key(rotation: Rotation) -> None:
    rotation.stage(KEYS["polygon"])
    rotation.services.down = frozenset({"polygon"})
    with pytest.raises(ProviderError) as away:
        rotation.step("testSecret")
    assert not isinstance(away.value, ProviderStopped)
    assert rotation.mails() == []
    assert rotation.key() == OLD_KEY


def test_the_test_of_the_configuration_passes_without_a_key(rotation: Rotation) -> None:
    """Secrets Manager asks for it when rotation is switched on, with a version of its own."""
    rotation.begin_empty()
    assert rotation.step("testSecret").done == "nothing"
    assert rotation.mails() == []


@pytest.mark.parametrize("step", STEPS)
def test_a_secret_that_was_never_filled_asks_nobody_for_a_key(
    rotation: Rotation, step: str
) -> None:
    """The provider is not in use; Secrets Manager asks all the same, at every due date."""
    unused = "trading-dev/providers/iex"
    rotation.client.create_secret(Name=unused)
    rotation.begin_empty(unused)
    assert rotation.step(step, secret=unused).done == "nothing"
    assert rotation.mails() == []
    found = rotation.client.describe_secret(SecretId=unused)["VersionIdsToStages"]
    assert found == {NEW: ["AWSPENDING"]}


def test_nothing_is_promoted_that_was_not_staged(rotation: Rotation) -> None:
    rotation.begin_empty()
    with pytest.raises(KeyNotStaged):
        rotation.step("finishSecret")
    assert rotation.key() == OLD_KEY


def test_a_rotation_that_was_overtaken_does_nothing(rotation: Rotation) -> None:
    rotation.stage(KEYS["polygon"])
    with pytest.raises(ConfigurationError, match="is not staged any more"):
        rotation.step("finishSecret", token="33333333-3333-4333-8333-333333333333")
    assert rotation.key() == OLD_KEY


@pytest.mark.slow
@pytest.mark.parametrize("value", ['{"key": "canary"}', '"canary"'], ids=["object", "quoted"])
def test_a_value_that_is_not_the_key_alone_is_refused_without_showing_it(
    rotation: Rotation, value: str
) -> None:
    rotation.stage(value)
    with pytest.raises(ConfigurationError, match="expected the API key alone") as refused:
        rotation.step("createSecret")
    assert "canary" not in str(refused.value)


def test_other_secrets_are_left_alone(rotation: Rotation) -> None:
    rotation.client.create_secret(Name="trading-dev/mail", SecretString="x", ClientRequestToken=NEW)
    with pytest.raises(ConfigurationError, match="is not one of a data provider"):
        rotation.step("finishSecret", secret="trading-dev/mail")


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"SecretId": "s", "ClientRequestToken": NEW, "Step": "deleteSecret"},
        {"SecretId": 7, "ClientRequestToken": NEW, "Step": "createSecret"},
    ],
    ids=["empty", "unknown step", "wrong type"],
)
def test_an_event_that_is_no_rotation_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        RotationRequest.model_validate(event)
