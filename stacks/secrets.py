"""The keys of the data providers: empty secrets, whose values an operator puts in."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import lambda_, secretsmanager

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
                kms_key_id=deployment.key,
                recovery_window_in_days=30 if deployment.protect else 7,
                tags=deployment.tags,
                opts=deployment.stateful(self),
            )
            for provider in PROVIDERS
        }
        self.register_outputs({"providers": {p: s.name for p, s in self.providers.items()}})


@dataclass(frozen=True)
class RotationArgs:
    """The arguments of `Rotation`.

    Attributes
    ----------
    secrets : provider to its secret
    function : what tests a staged key and promotes it
    days : how often a staged key is asked for
    """

    deployment: Deployment
    secrets: Mapping[str, secretsmanager.Secret]
    function: lambda_.Function
    days: int


class Rotation(pulumi.ComponentResource):
    """The rotation of every provider's key, by one function.

    No vendor makes keys by an API: a person stages the new one (docs/security.md), and is told when
    there is none by the time it is due.
    """

    def __init__(
        self, name: str, args: RotationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:secrets:Rotation", name, None, opts)
        for provider, secret in args.secrets.items():
            permission = lambda_.Permission(
                f"rotate-{provider}",
                statement_id=f"rotate-{provider}",
                action="lambda:InvokeFunction",
                function=args.function.name,
                principal="secretsmanager.amazonaws.com",
                source_account=args.deployment.account,
                source_arn=secret.arn,
                opts=pulumi.ResourceOptions(parent=self),
            )
            secretsmanager.SecretRotation(
                provider,
                secret_id=secret.id,
                rotation_lambda_arn=args.function.arn,
                # The first key is put in by hand: there is nothing to rotate yet.
                rotate_immediately=False,
                rotation_rules=secretsmanager.SecretRotationRotationRulesArgs(
                    automatically_after_days=args.days
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[permission]),
            )
        self.register_outputs({})
