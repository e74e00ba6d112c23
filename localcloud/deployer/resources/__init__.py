"""The handlers of the resource types; importing this package registers them all."""

from localcloud.deployer.resources import (
    bucket,
    events,
    functions,
    iam,
    keys_and_secrets,
    mail,
    messaging,
    model_registry,
    observability,
    orchestration,
    registry,
    table,
)

__all__ = [
    "bucket",
    "events",
    "functions",
    "iam",
    "keys_and_secrets",
    "mail",
    "messaging",
    "model_registry",
    "observability",
    "orchestration",
    "registry",
    "table",
]
