"""The configuration of a deployment, typed and checked before anything is created."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from stacks.dashboard_configuration import DashboardConfiguration, dashboard_configuration
from trading.config import Settings, load_settings
from trading.errors import ConfigurationError

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = frozenset(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922}
    | {3288, 3653}
)
AWS_CONFIG = ("off", "rules", "full")


@dataclass(frozen=True)
class ProgramConfiguration:
    """What `Pulumi.<stack>.yaml` says, under `trading:`.

    Attributes
    ----------
    settings : the whole configuration of the domain; environment, sender and recipients included
    mail_identity : the verified address or domain that mails are sent as
    verify_recipients : recipients get identities too, which the SES sandbox asks for
    alert_emails : severity (`critical`, `warning`) to who is subscribed to its topic, if anyone
    log_retention_days : how long log events are kept
    budget_usd : what the account may cost a month before somebody is told; none is no budget
    audit_trail : whether CloudTrail records administrative calls and writes to the buckets
    aws_config : `off`; `rules`, in an account that records already; `full`, with the recorder
    metrics_dashboard : whether there is a CloudWatch dashboard
    reserved_concurrency : whether functions get their own share of the account's executions
    key_rotation_days : how often a staged provider key is asked for
    dashboard : hours, domain and way out of the dashboard
    protect : whether what holds data is protected against deletion
    schedules : whether the schedules fire
    """

    settings: Settings
    mail_identity: str
    verify_recipients: bool
    alert_emails: Mapping[str, str | None]
    log_retention_days: int
    budget_usd: float | None
    audit_trail: bool
    aws_config: str
    metrics_dashboard: bool
    reserved_concurrency: bool
    key_rotation_days: int
    dashboard: DashboardConfiguration
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
            alert_emails={
                "critical": config.get("alertEmail"),
                "warning": config.get("warningEmail", config.get("alertEmail")),
            },
            log_retention_days=_retention(config.get_int("logRetentionDays", 365)),
            budget_usd=_budget(config.get_float("budgetUsd")),
            audit_trail=config.get_bool("auditTrail", False),
            aws_config=_one_of("awsConfig", config.get("awsConfig", "off"), AWS_CONFIG),
            metrics_dashboard=config.get_bool("metricsDashboard", True),
            reserved_concurrency=config.get_bool("reservedConcurrency", False),
            key_rotation_days=_rotation(config.get_int("keyRotationDays", 90)),
            dashboard=dashboard_configuration(config.get_object("dashboard", {})),
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


def _budget(usd: float | None) -> float | None:
    if usd is not None and not (math.isfinite(usd) and usd > 0):
        raise ConfigurationError(
            f"trading:budgetUsd is {usd:g}; expected US dollars a month above zero, or leave it out"
        )
    return usd


def _rotation(days: int) -> int:
    if not 1 <= days <= 1000:
        raise ConfigurationError(
            f"trading:keyRotationDays is {days}; Secrets Manager takes 1 to 1000 days"
        )
    return days


def _one_of(key: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ConfigurationError(f"trading:{key} is {value!r}; expected one of {', '.join(known)}")
    return value
