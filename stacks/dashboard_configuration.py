"""What `trading:dashboard` says of the dashboard: its hours, its domain, its way out."""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from trading.errors import ConfigurationError

EVERYWHERE = "0.0.0.0/0"
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class DashboardConfiguration(BaseModel):
    """The dashboard's part of a deployment's configuration.

    Without a domain there is no front door: no load balancer, nothing that listens to the internet.
    The operator then reaches the dashboard through Session Manager (docs/deployment.md).

    Attributes
    ----------
    domain, certificate : the host name, and the ARN of its certificate in ACM; both or neither
    admitted : IPv4 ranges that may come to the front door
    opens, closes : the hours that people work, from Monday to Friday, as `HH:MM` in `timezone`
    nat : whether the task goes out through a NAT gateway instead of an address of its own
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    domain: Annotated[str, Field(pattern=r"^([a-z0-9-]{1,63}\.)+[a-z]{2,63}$")] | None = None
    certificate: (
        Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/.+$")]
        | None
    ) = None
    admitted: tuple[str, ...] = Field(default=(EVERYWHERE,), min_length=1)
    opens: Clock = "07:00"
    closes: Clock = "21:00"
    timezone: str = "America/New_York"
    nat: bool = False

    @field_validator("admitted")
    @classmethod
    def _are_ranges(cls, ranges: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(IPv4Network(block)) for block in ranges)

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, timezone: str) -> str:
        if timezone not in available_timezones():
            raise ValueError(f"there is no time zone {timezone}")
        return ZoneInfo(timezone).key

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.domain is None) != (self.certificate is None):
            raise ValueError("domain and certificate belong together: give both or neither")
        if self.opens >= self.closes:
            raise ValueError(f"the dashboard must open ({self.opens}) before it closes")
        return self


def dashboard_configuration(given: object) -> DashboardConfiguration:
    """Return the checked configuration; raises `ConfigurationError` naming what is wrong."""
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"trading:dashboard must be a mapping, not {given!r}")
    values: dict[str, Any] = dict(given)
    try:
        return DashboardConfiguration.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(['trading:dashboard', *map(str, e['loc'])])}: {e['msg']}"
            for e in error.errors()
        )
        raise ConfigurationError(wrong) from error
