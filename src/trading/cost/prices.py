"""The dated table of list prices."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, Field

from trading.errors import ConfigurationError


class Price(BaseModel):
    """One list price.

    Attributes
    ----------
    usd : US dollars for one unit
    per : the unit
    source : the public page that it stands on
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd: float = Field(gt=0, allow_inf_nan=False)
    per: str
    source: str = Field(pattern=r"^https://aws\.amazon\.com/")


class Prices(BaseModel):
    """The list prices of one region, as they were at a date (`YYYY-MM`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str
    dated: str = Field(pattern=r"^\d{4}-\d{2}$")
    prices: Mapping[str, Price]

    def of(self, name: str) -> Price:
        """Return a price; raises `ConfigurationError` for one that the table lacks."""
        if name not in self.prices:
            raise ConfigurationError(
                f"there is no price of {name!r}:"
                " add it, with its source, to trading/cost/prices.yaml"
            )
        return self.prices[name]


@cache
def load_prices() -> Prices:
    """Return the table that comes with the package."""
    text = files("trading.cost").joinpath("prices.yaml").read_text(encoding="utf-8")
    return Prices.model_validate(yaml.safe_load(text))
