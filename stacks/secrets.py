"""The keys of the data providers: empty secrets, whose values an operator puts in."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import secretsmanager

from stacks.deployment import Deployment

PROVIDERS = ("polygon", "alpha_vantage")


@dataclass(frozen=True)
class SecretsArgs:
    """The arguments of `Secrets`."""

    deployment: Deployment


class Secrets(pulumi.ComponentResource):
    """One secret a data provider, named `<project>-<environment>/providers/<provider>`.

    The program never sees a value: `aws secretsmanager put-secret-value` sets it.

    Attributes
    ----------
    providers : provider to its secret
    """

    providers: Mapping[str, secretsmanager.Secret]

    def __init__(
        self, name: str, args: SecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:secrets:Secrets", name, None, opts)
        deployment = args.deployment
        self.providers = {
            provider: secretsmanager.Secret(
                provider,
                name=f"{deployment.prefix}/providers/{provider}",
                description=f"API key of the data provider {provider}",
                recovery_window_in_days=30 if deployment.protect else 7,
                tags=deployment.tags,
                opts=deployment.stateful(self),
            )
            for provider in PROVIDERS
        }
        self.register_outputs({"providers": {p: s.name for p, s in self.providers.items()}})
