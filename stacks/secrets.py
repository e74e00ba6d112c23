"""The keys of the data providers: empty secrets, whose values an operator puts in."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import secretsmanager

from stacks.deployment import Deployment

# Those that need a key; Yahoo needs none.
PROVIDERS = ("polygon", "alpha_vantage", "iex")


@dataclass(frozen=True)
class SecretsArgs:
    """The arguments of `Secrets`."""

    deployment: Deployment


class Secrets(pulumi.ComponentResource):
    """One secret a data provider, named `<project>-<environment>/providers/<provider>`.

    Functions find them by `TRADING_PROVIDER_SECRETS`, the names up to the provider's.

    The program never sees a value: `aws secretsmanager put-secret-value` sets it.

    Attributes
    ----------
    providers : provider to its secret
    prefix : what the names of all of them begin with
    """

    prefix: str
    providers: Mapping[str, secretsmanager.Secret]

    def __init__(
        self, name: str, args: SecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:secrets:Secrets", name, None, opts)
        deployment = args.deployment
        self.prefix = f"{deployment.prefix}/providers/"
        self.providers = {
            provider: secretsmanager.Secret(
                provider,
                name=f"{self.prefix}{provider}",
                description=f"API key of the data provider {provider}",
                recovery_window_in_days=30 if deployment.protect else 7,
                tags=deployment.tags,
                opts=deployment.stateful(self),
            )
            for provider in PROVIDERS
        }
        self.register_outputs({"providers": {p: s.name for p, s in self.providers.items()}})
