"""Every function: what it is given, and exactly what it may touch.

This is the one place to edit when a function needs more, or less.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from stacks.grants import (
    Grant,
    Items,
    Objects,
    ProviderKeys,
    PublishAlert,
    RegisterModels,
    RotateKeys,
    SendMail,
    StartMonth,
)


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
    concurrency : executions at once that are reserved for it, and its limit
    """

    description: str
    timeout: int
    memory: int
    grants: tuple[Grant, ...]
    step: bool = True
    asynchronous: bool = False
    concurrency: int = 2


READ_LEDGER = Items("ledger", ("GetItem",))
ENTER_IN_LEDGER = Items("ledger", ("GetItem", "PutItem"))
FOLLOW_CHAMPION = Items("ledger", ("GetItem", "PutItem", "Scan"))
READ_DATA = Objects("data", read=("*",))
FILL_LAKE = Objects("data", read=("*",), write=("*",))
KEPT_ANSWERS = Objects("data", delete=("intake/*", "quarantine/*"))
RELEASED = Objects("data", delete=("quarantine/*",))
READ_MODELS = Objects("models", read=("*",))
KEEP_MODELS = Objects(
    "models",
    read=("archive/*", "backtest-results/*", "production/*"),
    write=("archive/*", "backtest-results/*", "production/*"),
)
PROMOTE_MODELS = Objects(
    "models", read=KEEP_MODELS.read, write=("backtest-results/*", "production/*")
)
READ_RUN = Objects("runs", read=("runs/*",))
WORK_ON_RUN = Objects("runs", read=("runs/*",), write=("runs/*",))
READ_SIGNALS = (Items("signals", ("Query",)), Items("performance", ("GetItem", "Scan")))
STORE_SIGNALS = (
    Items("signals", ("BatchWriteItem", "Query")),
    Items("performance", ("GetItem", "PutItem", "Scan", "UpdateItem")),
)

FUNCTIONS: Mapping[str, FunctionSpec] = {
    "start_month": FunctionSpec(
        "Starts the month on its first session",
        timeout=60,
        memory=512,
        grants=(
            Items("ledger", ("GetItem", "PutItem", "Scan")),
            # What the idempotency utility of Powertools does; an item that is there comes back with
            # the refused write, and is not read.
            Items("idempotency", ("DeleteItem", "PutItem", "UpdateItem")),
            StartMonth(),
        ),
        step=False,
        asynchronous=True,
    ),
    "fetch_daily": FunctionSpec(
        "Fetches sessions into the lake",
        timeout=900,
        memory=1024,
        grants=(FILL_LAKE, KEPT_ANSWERS, ProviderKeys(), PublishAlert("warning")),
    ),
    "data_quality": FunctionSpec(
        "Judges fetched sessions",
        timeout=300,
        memory=1024,
        grants=(FILL_LAKE, RELEASED, PublishAlert("warning")),
    ),
    "resolve": FunctionSpec(
        "Resolves the versions the month stands on",
        timeout=300,
        memory=2048,
        grants=(READ_DATA, READ_LEDGER),
    ),
    "prepare": FunctionSpec(
        "Computes slots and features of the month",
        timeout=900,
        memory=3008,
        grants=(
            Objects("data", read=("*",), write=("universe/*",)),
            # Which models an earlier run of the month has trained.
            Objects("runs", listing=True, write=("runs/*",)),
            # The metadata of the month's universe.
            Items("ledger", ("PutItem",)),
        ),
    ),
    "validate": FunctionSpec(
        "Judges the recipe out of sample",
        timeout=900,
        memory=3008,
        grants=(
            READ_DATA,
            READ_MODELS,
            Objects("runs", read=("runs/*", "scores/*", "training/*"), write=("runs/*",)),
            Items("ledger", ("Scan",)),
        ),
    ),
    "ask_approval": FunctionSpec(
        "Asks the operator to approve a challenger",
        timeout=60,
        memory=512,
        grants=(PublishAlert("warning"), Items("ledger", ("PutItem",))),
    ),
    "deploy": FunctionSpec(
        "Promotes the challenger",
        timeout=300,
        memory=1024,
        grants=(READ_RUN, PROMOTE_MODELS, FOLLOW_CHAMPION, RegisterModels()),
    ),
    "keep_champion": FunctionSpec(
        "Keeps the champion, or installs the baseline",
        timeout=300,
        memory=1024,
        grants=(READ_RUN, KEEP_MODELS, FOLLOW_CHAMPION, RegisterModels()),
    ),
    "market_context": FunctionSpec(
        "Computes what all scoring batches share",
        timeout=300,
        memory=2048,
        grants=(READ_DATA, WORK_ON_RUN, *READ_SIGNALS),
    ),
    "score_batch": FunctionSpec(
        "Scores a batch of slots",
        timeout=300,
        memory=1024,
        grants=(READ_MODELS, WORK_ON_RUN),
        concurrency=9,
    ),
    "rank": FunctionSpec(
        "Turns scores into signals",
        timeout=300,
        memory=1024,
        grants=(READ_MODELS, Objects("runs", read=("runs/*",), write=("runs/*", "scores/*"))),
    ),
    "store_signals": FunctionSpec(
        "Stores the month's signals",
        timeout=300,
        memory=2048,
        grants=(READ_DATA, READ_RUN, READ_LEDGER, *STORE_SIGNALS),
    ),
    "score_shadow": FunctionSpec(
        "Scores the challengers that lost, beside the champion",
        timeout=300,
        memory=3008,
        grants=(
            READ_MODELS,
            Objects("runs", read=("runs/*", "scores/*"), write=("runs/*", "scores/*")),
            Items("ledger", ("Scan",)),
        ),
    ),
    "check_drift": FunctionSpec(
        "Holds the month against what the champion learnt from",
        timeout=300,
        memory=1024,
        grants=(READ_MODELS, WORK_ON_RUN),
    ),
    "measure": FunctionSpec(
        "Measures portfolio and earlier signals, and writes the report",
        timeout=600,
        memory=3008,
        grants=(
            READ_DATA,
            READ_MODELS,
            Objects("runs", read=("runs/*", "withdrawn/*"), write=("reports/*",)),
            Items("signals", ("Query",)),
            Items("performance", ("GetItem", "Scan", "UpdateItem")),
        ),
    ),
    "notify": FunctionSpec(
        "Sends the month's mail to one recipient",
        timeout=300,
        memory=1024,
        grants=(
            Objects("runs", read=("reports/*",), write=("reports/*",)),
            Items("ledger", ("GetItem", "UpdateItem")),
            SendMail(),
        ),
        concurrency=5,
    ),
    "finish": FunctionSpec(
        "Closes the month in the ledger", timeout=300, memory=512, grants=(ENTER_IN_LEDGER,)
    ),
    "rollback": FunctionSpec(
        "Puts the champion pointer back",
        timeout=300,
        memory=512,
        grants=(
            Objects(
                "models",
                read=("archive/*", "backtest-results/*", "production/*"),
                write=("production/*",),
            ),
            Items("ledger", ("DeleteItem", "GetItem", "PutItem", "Scan")),
            RegisterModels(),
        ),
    ),
    "alert": FunctionSpec(
        "Tells the operator of a failed month",
        timeout=60,
        memory=512,
        grants=(PublishAlert("critical"), ENTER_IN_LEDGER),
    ),
    "api_health": FunctionSpec(
        "Answers whether months and sessions come in time",
        timeout=29,
        memory=512,
        grants=(
            Items("ledger", ("GetItem", "Scan")),
            Objects("data", read=("catalog.json",)),
        ),
        step=False,
    ),
    "alert_day": FunctionSpec(
        "Tells the operator of a daily fetch that failed",
        timeout=60,
        memory=512,
        grants=(PublishAlert("critical"),),
        step=False,
    ),
    "mail_events": FunctionSpec(
        "Records what became of a mail",
        timeout=60,
        memory=512,
        grants=(Items("ledger", ("UpdateItem",)),),
        step=False,
        asynchronous=True,
    ),
    "rotate_key": FunctionSpec(
        "Tests a staged key of a data provider and makes it the current one",
        timeout=300,
        memory=512,
        grants=(RotateKeys(), PublishAlert("warning")),
        step=False,
    ),
}

# What the dashboard's page reads; it writes nothing.
DASHBOARD: tuple[Grant, ...] = (
    Items("ledger", ("GetItem", "Scan")),
    *READ_SIGNALS,
    Objects("runs", read=("reports/*",)),
)
TRAINING: tuple[Objects, ...] = (
    Objects("runs", read=("runs/*", "training/*"), write=("training/*",)),
    READ_MODELS,
)


def camel_case(name: str) -> str:
    """Return `keep_champion` as `KeepChampion`, as the state machine's substitutions name it."""
    return "".join(part.capitalize() for part in name.split("_"))
