"""What the stations of a month work with: settings, stores, tables; named by the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import boto3

from trading.config import Settings, load_settings
from trading.data.lake import Lake
from trading.data.store import ObjectStore, open_store
from trading.errors import ConfigurationError
from trading.month.ledger import Ledger
from trading.month.registry import ModelRegistry
from trading.signals.store import SignalStore


@dataclass(frozen=True)
class Resources:
    """Settings, stores and tables; each is opened when it is first used.

    Parameters
    ----------
    settings : the configuration
    names : the `TRADING_*` names that a deployed function is given (docs/architecture.md)
    """

    settings: Settings
    names: Mapping[str, str]

    @classmethod
    def from_environment(cls) -> "Resources":
        """Return the resources that the process's environment names."""
        return cls(load_settings(), dict(os.environ))

    def name(self, variable: str) -> str:
        """Return one name; raises `ConfigurationError` if it is not set."""
        value = self.names.get(variable)
        if not value:
            raise ConfigurationError(f"the environment variable {variable} is not set")
        return value

    @cached_property
    def data(self) -> ObjectStore:
        """The data lake's store."""
        return open_store(self.name("TRADING_DATA_STORE"))

    @cached_property
    def lake(self) -> Lake:
        """The data lake."""
        return Lake(self.data)

    @cached_property
    def models(self) -> ObjectStore:
        """The models store: production, archive, backtest results."""
        return open_store(self.name("TRADING_MODELS_STORE"))

    @cached_property
    def runs(self) -> ObjectStore:
        """The runs store: what one month passes from state to state."""
        return open_store(self.name("TRADING_RUNS_STORE"))

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of months and champion."""
        return Ledger(self.name("TRADING_LEDGER_TABLE"))

    @cached_property
    def registry(self) -> ModelRegistry:
        """The model registry."""
        return ModelRegistry(self.name("TRADING_MODEL_GROUP"), self.name("TRADING_TRAINING_IMAGE"))

    @cached_property
    def signals(self) -> SignalStore:
        """The stored signals and performance."""
        dynamodb = boto3.resource("dynamodb")
        return SignalStore(
            dynamodb.Table(self.name("TRADING_SIGNALS_TABLE")),
            dynamodb.Table(self.name("TRADING_PERFORMANCE_TABLE")),
        )
