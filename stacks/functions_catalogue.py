"""Every function: what it is given, and exactly what it may touch.

This is the one place to edit when a function needs more, or less. Paths are keys inside a bucket;
`*` at the end covers what begins so. Table actions are DynamoDB's (`GetItem`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

READ_ITEMS = ("GetItem", "Query")
WRITE_ITEMS = ("PutItem", "UpdateItem")
STORE_ITEMS = ("BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem")


@dataclass(frozen=True)
class Objects:
    """Access to keys of a bucket (`data`, `models`, `runs`).

    Reading includes listing: without it S3 answers 403 where it means 404.
    """

    bucket: str
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
class SendMail:
    """Sending mail from the configured sender, through the configuration set."""


@dataclass(frozen=True)
class PublishAlert:
    """Publishing to the topic of alerts."""


@dataclass(frozen=True)
class StartMonth:
    """Starting executions of the state machine, and asking what became of them."""


Grant = Objects | Items | ProviderKeys | SendMail | PublishAlert | StartMonth


@dataclass(frozen=True)
class FunctionSpec:
    """One Lambda function.

    Attributes
    ----------
    description : what it does, shown in the console
    timeout : seconds
    memory : MB; the CPU share grows with it (1,769 MB is one core)
    grants : what it may touch, beside its log stream and X-Ray
    step : whether the state machine calls it, as `${<Name>FunctionArn}`
    asynchronous : whether schedules or events call it; what then fails goes to the dead letters
    """

    description: str
    timeout: int
    memory: int
    grants: tuple[Grant, ...]
    step: bool = True
    asynchronous: bool = False


LEDGER_READ = Items("ledger", READ_ITEMS)
LEDGER = Items("ledger", (*READ_ITEMS, *WRITE_ITEMS))
DATA_READ = Objects("data", read=("*",))
MODELS_READ = Objects("models", read=("*",))
MODELS = Objects("models", read=("*",), write=("*",))
RUN = Objects("runs", read=("*",), write=("runs/*",))
RUN_READ = Objects("runs", read=("*",))
SIGNALS_READ = (Items("signals", READ_ITEMS), Items("performance", (*READ_ITEMS, "Scan")))
SIGNALS = (
    Items("signals", (*READ_ITEMS, *STORE_ITEMS)),
    Items("performance", (*READ_ITEMS, "Scan", *STORE_ITEMS)),
)

FUNCTIONS: Mapping[str, FunctionSpec] = {
    "start_month": FunctionSpec(
        "Starts the month on its first session",
        timeout=60,
        memory=512,
        grants=(
            LEDGER,
            DATA_READ,
            StartMonth(),
            Items("idempotency", ("DeleteItem", "GetItem", "PutItem", "UpdateItem")),
        ),
        step=False,
        asynchronous=True,
    ),
    "fetch_daily": FunctionSpec(
        "Fetches sessions into the lake",
        timeout=900,
        memory=3008,
        grants=(Objects("data", read=("*",), write=("*",)), ProviderKeys()),
        asynchronous=True,
    ),
    "data_quality": FunctionSpec(
        "Judges fetched sessions",
        timeout=300,
        memory=2048,
        grants=(Objects("data", read=("*",), write=("*",)),),
        asynchronous=True,
    ),
    "resolve": FunctionSpec(
        "Resolves the versions the month stands on",
        timeout=300,
        memory=2048,
        grants=(DATA_READ, MODELS_READ, LEDGER),
    ),
    "prepare": FunctionSpec(
        "Computes slots and features of the month",
        timeout=900,
        memory=3008,
        grants=(
            Objects("data", read=("*",), write=("universe/*",)),
            MODELS_READ,
            RUN,
            LEDGER_READ,
        ),
    ),
    "validate": FunctionSpec(
        "Judges the recipe out of sample",
        timeout=900,
        memory=3008,
        grants=(MODELS_READ, RUN, LEDGER_READ),
    ),
    "deploy": FunctionSpec(
        "Promotes the challenger", timeout=300, memory=1024, grants=(RUN_READ, MODELS, LEDGER)
    ),
    "keep_champion": FunctionSpec(
        "Keeps the champion, or installs the baseline",
        timeout=300,
        memory=2048,
        grants=(RUN_READ, MODELS, LEDGER),
    ),
    "market_context": FunctionSpec(
        "Computes what all scoring batches share",
        timeout=300,
        memory=2048,
        grants=(MODELS_READ, RUN, LEDGER_READ, *SIGNALS_READ),
    ),
    "score_batch": FunctionSpec(
        "Scores a batch of slots", timeout=300, memory=1024, grants=(MODELS_READ, RUN, LEDGER_READ)
    ),
    "rank": FunctionSpec(
        "Turns scores into signals",
        timeout=300,
        memory=2048,
        grants=(MODELS_READ, RUN, LEDGER_READ, *SIGNALS_READ),
    ),
    "store_signals": FunctionSpec(
        "Stores the month's signals", timeout=300, memory=1024, grants=(RUN, LEDGER, *SIGNALS)
    ),
    "measure": FunctionSpec(
        "Measures portfolio and earlier signals, and writes the report",
        timeout=600,
        memory=3008,
        grants=(
            DATA_READ,
            MODELS_READ,
            Objects("runs", read=("*",), write=("runs/*", "reports/*")),
            LEDGER_READ,
            *SIGNALS,
        ),
    ),
    "notify": FunctionSpec(
        "Sends the month's mail to one recipient",
        timeout=300,
        memory=1024,
        grants=(Objects("runs", read=("*",), write=("runs/*", "reports/*")), LEDGER, SendMail()),
    ),
    "finish": FunctionSpec(
        "Closes the month in the ledger", timeout=300, memory=512, grants=(RUN, LEDGER)
    ),
    "rollback": FunctionSpec(
        "Puts the champion pointer back", timeout=300, memory=512, grants=(MODELS_READ, LEDGER)
    ),
    "alert": FunctionSpec(
        "Tells the operator of a failed month",
        timeout=60,
        memory=512,
        grants=(PublishAlert(), LEDGER),
    ),
    "mail_events": FunctionSpec(
        "Records what became of a mail",
        timeout=60,
        memory=512,
        grants=(LEDGER,),
        step=False,
        asynchronous=True,
    ),
}

TRAINING: tuple[Objects, ...] = (
    Objects("runs", read=("runs/*",), write=("runs/*",)),
    Objects("models", read=("*",)),
)


def camel_case(name: str) -> str:
    """Return `keep_champion` as `KeepChampion`, as the state machine's substitutions name it."""
    return "".join(part.capitalize() for part in name.split("_"))
