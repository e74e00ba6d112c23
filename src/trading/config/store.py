"""The sections of stores: where bars are kept, and what answers are remembered."""

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from trading.config.section import Section


class BarStoreSettings(Section):
    """Where commands read stored bars, and where an intake writes them beside the lake."""

    bars: Literal["lake", "postgres"] = Field(
        "lake", description="The lake's own Parquet objects, or a PostgreSQL database."
    )
    address: str = Field(
        "",
        description="Of the database: postgresql://user@host/name; its password is PGPASSWORD's.",
    )
    cache: Literal["none", "memory", "redis"] = Field(
        "none", description="What remembers the answers to queries."
    )
    cache_address: str = Field(
        "redis://localhost:6379/0", description="Of Redis; its password is TRADING_REDIS_PASSWORD."
    )
    cache_ttl_seconds: float = Field(
        300.0, gt=0, description="How long an answer is remembered at most."
    )

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if self.bars == "postgres" and not self.address:
            raise ValueError("bars = postgres needs address, as postgresql://user@host/database")
        for name in ("address", "cache_address"):
            try:
                secret = urlsplit(getattr(self, name)).password
            except ValueError as error:
                raise ValueError(f"{name} is no URL") from error
            if secret is not None:
                # Settings are printed and handed to functions; a password in them would be, too.
                raise ValueError(
                    f"{name} holds a password; leave it out and set the environment variable "
                    "PGPASSWORD or TRADING_REDIS_PASSWORD"
                )
        return self
