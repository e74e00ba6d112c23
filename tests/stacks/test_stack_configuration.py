import json
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest
from pulumi.runtime import set_all_config

from stacks.configuration import RETENTION_DAYS, ProgramConfiguration
from trading.errors import ConfigurationError

VALID: dict[str, Any] = {
    "environment": "dev",
    "sender": "signals@trading.example",
    "recipients": ["analyst@trading.example"],
}


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    set_all_config({})


def load(**changed: Any) -> ProgramConfiguration:
    values = VALID | changed
    set_all_config(
        {
            f"trading:{name}": value if isinstance(value, str) else json.dumps(value)
            for name, value in values.items()
            if value is not None
        }
    )
    return ProgramConfiguration.load(pulumi.Config("trading"))


def test_defaults_are_those_of_production() -> None:
    loaded = load()
    assert loaded.protect
    assert loaded.log_retention_days == 365
    assert loaded.mail_identity == "signals@trading.example"
    assert loaded.settings.notifications.recipients == ("analyst@trading.example",)


def test_settings_are_checked_by_the_domain() -> None:
    assert load(settings={"training": {"folds": 2}}).settings.training.folds == 2
    with pytest.raises(ConfigurationError, match="training.fold"):
        load(settings={"training": {"fold": 2}})


@pytest.mark.parametrize(
    "settings", [{"environment": "prod"}, {"notifications": {"sender": "a@b.example"}}]
)
def test_what_has_its_own_key_is_not_a_setting(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must not hold"):
        load(settings=settings)


def test_settings_must_be_a_mapping() -> None:
    with pytest.raises(ConfigurationError, match="must be a mapping"):
        load(settings=["a"])


def test_a_retention_that_cloudwatch_does_not_know_is_refused() -> None:
    assert 13 not in RETENTION_DAYS
    with pytest.raises(ConfigurationError, match="logRetentionDays is 13"):
        load(logRetentionDays=13)


def test_the_identity_is_the_sender_or_its_domain() -> None:
    assert load(mailIdentity="trading.example").mail_identity == "trading.example"
    with pytest.raises(ConfigurationError, match="must be the sender"):
        load(mailIdentity="other.example")


@pytest.mark.parametrize("key", sorted(VALID))
def test_what_has_no_default_is_asked_for(key: str) -> None:
    with pytest.raises(pulumi.ConfigMissingError, match=key):
        load(**{key: None})


def test_what_costs_or_takes_the_account_is_off_by_default() -> None:
    loaded = load()
    assert loaded.budget_usd is None
    assert not loaded.audit_trail
    assert loaded.aws_config == "off"
    assert not loaded.reserved_concurrency
    assert loaded.key_rotation_days == 90


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, {"critical": None, "warning": None}),
        ({"alertEmail": "a@b.example"}, {"critical": "a@b.example", "warning": "a@b.example"}),
        (
            {"alertEmail": "a@b.example", "warningEmail": "c@b.example"},
            {"critical": "a@b.example", "warning": "c@b.example"},
        ),
    ],
    ids=["nobody", "one for all", "two"],
)
def test_warnings_go_where_the_alerts_go_unless_told_otherwise(
    given: dict[str, str], told: dict[str, str | None]
) -> None:
    assert load(**given).alert_emails == told


@pytest.mark.parametrize("usd", [0, -1, "nan", "inf"], ids=str)
def test_a_budget_must_be_an_amount(usd: Any) -> None:
    with pytest.raises(ConfigurationError, match="expected US dollars a month above zero"):
        load(budgetUsd=usd)


@pytest.mark.parametrize("days", [0, -5, 1001])
def test_a_rotation_that_secrets_manager_does_not_know_is_refused(days: int) -> None:
    with pytest.raises(ConfigurationError, match="takes 1 to 1000 days"):
        load(keyRotationDays=days)


@pytest.mark.parametrize("value", ["on", "Full", ""], ids=["on", "capital", "empty"])
def test_aws_config_is_one_of_three(value: str) -> None:
    with pytest.raises(ConfigurationError, match="expected one of off, rules, full"):
        load(awsConfig=value)
