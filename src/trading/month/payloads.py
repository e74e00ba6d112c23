"""What every state of `statemachines/monthly.asl.json` is given and what it answers.

Payloads carry pointers (`s3://...`), never data: 256 KB is the hard quota of Step Functions.
"""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Month = str
Uri = str


class Payload(BaseModel):
    """A message between states: frozen, and strict about unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return self.model_dump(mode="json")


class Overrides(Payload):
    """What the operator decides by hand before the month: nothing learnt anew, or nothing deployed.

    Attributes
    ----------
    skip_training : no challenger is trained; the champion scores on
    keep_champion : a challenger is trained and judged, and not deployed even if it passes
    """

    skip_training: bool = False
    keep_champion: bool = False


class MonthRun(Payload):
    """Which month runs, and as what; `as_of` is the morning: bars strictly before it are seen."""

    month: Month = Field(pattern=r"^\d{4}-\d{2}$")
    as_of: date
    run: int = Field(ge=1)
    execution: str
    correlation_id: str
    exclude: tuple[str, ...] = ()
    overrides: Overrides = Overrides()

    @property
    def folder(self) -> str:
        """Key prefix of this run in the runs store."""
        return f"runs/{self.month}/{self.execution}"


class StartRequest(Payload):
    """Ask for a month; without `as_of` it is the exchange's today, if a month starts today."""

    as_of: date | None = None
    correlation_id: str | None = None
    exclude: tuple[str, ...] = ()
    overrides: Overrides = Overrides()


class Started(Payload):
    """Whether an execution was started, and why not."""

    started: bool
    outcome: Literal["started", "already_done", "already_running", "not_a_month_start", "paused"]
    reason: str
    month: Month | None = None
    run: int | None = None
    execution_arn: str | None = None


class ChampionRef(Payload):
    """A deployed model: where it lies in the models store and since which month."""

    version: str
    kind: Literal["ensemble", "baseline"]
    prefix: str
    month: Month


class ResolveRequest(Payload):
    """`final`: data that is still incomplete is an error now."""

    month: MonthRun
    final: bool = False


class Resolved(Payload):
    """The versions that the month stands on."""

    complete: bool
    missing_from: date | None = None
    missing_to: date | None = None
    last_session: date
    data_hash: str | None = None
    source: str
    simulated: bool
    champion: ChampionRef | None = None


class SessionRange(Payload):
    """Sessions to fetch or to check, both ends included; the daily schedule gives none.

    `only`, where it is given, are the sessions to check of the range. `attempt` counts the tries
    of a morning, the first being 0. `execution` names the run of the state machine of the day.
    """

    month: MonthRun | None = None
    start: date | None = None
    end: date | None = None
    only: tuple[date, ...] | None = None
    attempt: int = Field(0, ge=0)
    execution: str | None = None


class Fetched(Payload):
    """What a fetch brought.

    `stored` are the sessions, from `first` to `last`. `again`: something is left or may still
    come, so that the fetch is to be called again after `wait_seconds`, as `attempt`.
    `fundamentals` counts the symbols whose figures were told anew.
    """

    sessions: int
    rows: int
    source: str
    first: date | None = None
    last: date | None = None
    stored: tuple[date, ...] = ()
    missing: int = 0
    failed: int = 0
    left: int = 0
    again: bool = False
    attempt: int = 0
    wait_seconds: int = 0
    fundamentals: int = 0


class Quality(Payload):
    """The verdict on fetched sessions."""

    verdict: Literal["pass", "warn", "fail"]
    sessions: int
    reasons: tuple[str, ...] = ()


class PrepareRequest(Payload):
    """Prepare the month that was resolved."""

    month: MonthRun
    resolved: Resolved


class TrainingJob(Payload):
    """One SageMaker training job, or the finished model of an earlier one."""

    name: str
    algorithm: str
    seed: int
    finished: bool
    model_uri: Uri | None = None
    output_uri: Uri
    checkpoint_uri: Uri
    hyperparameters: dict[str, str]
    channels: tuple[dict[str, Any], ...]


class Prepared(Payload):
    """The month's dataset and training jobs.

    `max_parallel_jobs` train at once; a job that has not ended after `timeout_seconds` is given up.
    """

    dataset_uri: Uri
    dataset_hash: str
    recipe: str
    slots_version: str
    active: int
    eligible: int
    jobs: tuple[TrainingJob, ...]
    stopping_condition: dict[str, int]
    spot: bool
    max_parallel_jobs: int
    timeout_seconds: int


class TrainedModel(Payload):
    """Where a training job left its model archive."""

    algorithm: str
    seed: int
    model_uri: Uri


class ValidateRequest(Payload):
    """Judge the trained models."""

    month: MonthRun
    resolved: Resolved
    prepared: Prepared
    models: tuple[TrainedModel, ...]


class Validated(Payload):
    """The gate's verdict and the challenger it was passed on.

    Without training there is neither: the prefixes and the verdict's URI are empty then.
    `approval_seconds` is how long a person has to approve a challenger that passed; 0: nobody is
    asked.
    """

    passed: bool
    version: str
    challenger_prefix: str
    baseline_prefix: str
    verdict_uri: Uri
    reasons: tuple[str, ...]
    approval_seconds: int = 0


class Decision(Payload):
    """Who decides on a challenger that passed, and how; `nobody` is silence until the time-out."""

    by: Literal["gate", "operator", "nobody"] = "gate"
    approved: bool = True
    reason: str = ""


class DeployRequest(Payload):
    """Promote the challenger."""

    month: MonthRun
    resolved: Resolved
    validated: Validated
    decision: Decision = Decision()


class KeepRequest(Payload):
    """Keep the champion, or install the baseline where there is none."""

    month: MonthRun
    resolved: Resolved
    prepared: Prepared
    validated: Validated
    decision: Decision = Decision()


class Champion(Payload):
    """The champion that scores this month."""

    version: str
    kind: Literal["ensemble", "baseline"]
    prefix: str
    promoted: bool
    message: str


class ContextRequest(Payload):
    """Compute what all batches share."""

    month: MonthRun
    resolved: Resolved
    prepared: Prepared


class Context(Payload):
    """The shared scoring input and the batches to score; `begun` is when scoring began."""

    context_uri: Uri
    batches: tuple[int, ...]
    begun: datetime | None = None


class ScoreRequest(Payload):
    """Score one batch of slots."""

    month: MonthRun
    batch: int = Field(ge=0)
    context: Context
    champion: Champion
    prepared: Prepared


class Scored(Payload):
    """Where the raw scores of a batch lie."""

    batch: int
    scores_uri: Uri
    sha256: str


class RankRequest(Payload):
    """Turn raw scores into signals."""

    month: MonthRun
    resolved: Resolved
    prepared: Prepared
    context: Context
    champion: Champion
    scored: tuple[Scored, ...]


class Ranked(Payload):
    """Where the month's signals lie, and how many of each."""

    signals_uri: Uri
    count: int
    buy: int
    sell: int
    hold: int


class StoreRequest(Payload):
    """Store the month's signals."""

    month: MonthRun
    resolved: Resolved
    prepared: Prepared
    context: Context
    ranked: Ranked
    champion: Champion


class StoredMonth(Payload):
    """Whether this run wrote the month, or found it written."""

    month: Month
    model_version: str
    written: bool


class Watched(Payload):
    """What was found beside the signals, and where it lies; `failed` stops no month."""

    outcome: Literal["ok", "warn", "no data", "failed"]
    reason: str = ""
    uri: Uri = ""


class MeasureRequest(Payload):
    """Measure portfolio and earlier signals, and write the report."""

    month: MonthRun
    resolved: Resolved
    prepared: Prepared
    validated: Validated
    champion: Champion
    ranked: Ranked
    shadow: Watched
    drift: Watched


class Measured(Payload):
    """The month's report; recipients are numbers, since addresses do not belong into histories."""

    report_uri: Uri
    recipients: tuple[int, ...]


class NotifyRequest(Payload):
    """Send the month's mail to one recipient."""

    month: MonthRun
    recipient: int = Field(ge=0)
    measured: Measured


class Notified(Payload):
    """The fate of one mail."""

    recipient: int
    state: str
    message_id: str | None = None


class FinishRequest(Payload):
    """Close the month."""

    month: MonthRun
    resolved: Resolved
    validated: Validated
    champion: Champion
    ranked: Ranked
    measured: Measured
    notified: tuple[Notified, ...]


class Finished(Payload):
    """The month as the ledger now holds it."""

    month: Month
    status: Literal["SUCCEEDED", "FAILED"]
    reason: str = ""
