"""What a function can be granted: access by purpose, which `stacks/access.py` turns into policies.

Paths are keys inside a bucket; `*` at the end covers what begins so. Table actions are DynamoDB's
(`GetItem`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Objects:
    """Access to keys of a bucket (`data`, `models`, `runs`).

    Reading includes listing: without it S3 answers 403 where it means 404. `listing` is for who
    looks which keys there are, and reads none.
    """

    bucket: str
    listing: bool = False
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()


@dataclass(frozen=True)
class Items:
    """Access to a table (`ledger`, `signals`, `performance`, `idempotency`)."""

    table: str
    actions: tuple[str, ...]


@dataclass(frozen=True)
class ProviderKeys:
    """Reading the API keys of the data providers."""


@dataclass(frozen=True)
class RotateKeys:
    """Reading the staged API key of a data provider, and making it the current one."""


@dataclass(frozen=True)
class SendMail:
    """Sending mail from the configured sender, through the configuration set."""


@dataclass(frozen=True)
class PublishAlert:
    """Publishing to the topic of a severity (`critical`, `warning`)."""

    severity: str


@dataclass(frozen=True)
class StartMonth:
    """Starting executions of the state machine, and asking what became of them."""


@dataclass(frozen=True)
class RegisterModels:
    """Making model packages, and changing what is said of them."""


Grant = (
    Objects
    | Items
    | ProviderKeys
    | RotateKeys
    | SendMail
    | PublishAlert
    | StartMonth
    | RegisterModels
)
