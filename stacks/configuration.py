"""The configuration of a deployment, typed and checked before anything is created."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from trading.config import Settings, load_settings
from trading.errors import ConfigurationError

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = frozenset(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922}
    | {3288, 3653}
)


@dataclass(frozen=True)
class ProgramConfiguration:
    """What `Pulumi.<stack>.yaml` says, under `trading:`.

    Attributes
    ----------
    settings : the whole configuration of the domain; environment, sender and recipients included
    mail_identity : the verified address or domain that mails are sent as
    verify_recipients : recipients get identities too, which the SES sandbox asks for
    alert_email : who is subscribed to the alerts, if anyone
    log_retention_days : how long log events are kept
    protect : whether what holds data is protected against deletion
    schedules : whether the schedules fire
    """

    settings: Settings
    mail_identity: str
    verify_recipients: bool
    alert_email: str | None
    log_retention_days: int
    protect: bool
    schedules: bool

    @classmethod
    def load(cls, config: pulumi.Config) -> "ProgramConfiguration":
        """Read and check the configuration; raises `ConfigurationError` with what is wrong."""
        sender = config.require("sender")
        identity = config.get("mailIdentity", sender)
        if sender != identity and not sender.endswith(f"@{identity}"):
            raise ConfigurationError(
                f"trading:mailIdentity must be the sender {sender} or its domain, not {identity}"
            )
        return cls(
            settings=_settings(config, sender),
            mail_identity=identity,
            verify_recipients=config.get_bool("verifyRecipients", False),
            alert_email=config.get("alertEmail"),
            log_retention_days=_retention(config.get_int("logRetentionDays", 365)),
            protect=config.get_bool("protect", True),
            schedules=config.get_bool("schedules", True),
        )


def _settings(config: pulumi.Config, sender: str) -> Settings:
    given = config.get_object("settings", {})
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"trading:settings must be a mapping of settings, not {json.dumps(given)}"
        )
    values: dict[str, Any] = dict(given)
    for path in ("environment", "notifications.sender", "notifications.recipients"):
        section, _, leaf = path.rpartition(".")
        if leaf in (values.get(section) or {}) if section else leaf in values:
            raise ConfigurationError(
                f"trading:settings must not hold {path}: write trading:{leaf} instead"
            )
    values["environment"] = config.require("environment")
    values["notifications"] = {
        **values.get("notifications", {}),
        "sender": sender,
        "recipients": config.require_object("recipients"),
    }
    return load_settings(overrides=values, environ={})


def _retention(days: int) -> int:
    if days not in RETENTION_DAYS:
        raise ConfigurationError(
            f"trading:logRetentionDays is {days}; CloudWatch knows {sorted(RETENTION_DAYS)}"
        )
    return days
