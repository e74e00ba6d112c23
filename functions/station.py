"""What every handler shares: logs, traces and metrics of Powertools, and typed messages."""

import os
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Protocol, TypeVar

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import BaseModel, ValidationError

from trading.errors import MonthError, TransientError
from trading.month.kpis import kpis
from trading.month.resources import Resources
from trading.month.transient import may_pass
from trading.notifications.errors import NotificationError

SERVICE = "trading"
Event = dict[str, Any]
Handler = Callable[[Event, Any], Event]
RequestT = TypeVar("RequestT", bound=BaseModel)
RequestT_contra = TypeVar("RequestT_contra", bound=BaseModel, contravariant=True)
Clock = Callable[[], float]

logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
metrics = Metrics(namespace="Trading", service=SERVICE)


class TimedWork(Protocol[RequestT_contra]):
    """A domain function that is told how many seconds remain to it."""

    __module__: str

    def __call__(
        self, request: RequestT_contra, resources: Resources, *, remaining: Clock
    ) -> BaseModel:
        """Do the work of one request."""


@lru_cache(maxsize=1)
def resources() -> Resources:
    """Return the function's resources, opened once per execution environment."""
    return Resources.from_environment()


def parse(model: type[RequestT], event: Event) -> RequestT:
    """Return the event as its typed message; raises `MonthError` naming what is wrong with it."""
    try:
        return model.model_validate(event)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise MonthError(f"the event is not a {model.__name__}: {wrong}") from error


def station(work: Callable[[RequestT, Resources], BaseModel], model: type[RequestT]) -> Handler:
    """Make a Lambda handler of a domain function.

    The handler parses the event, binds the month's correlation id to the logs, runs the function,
    counts the outcome, and answers plain JSON. A failure of AWS that may pass becomes a
    `TransientError`, after which the state machine calls the function again.
    """

    @wraps(work)
    def untimed(request: RequestT, resources: Resources, *, remaining: Clock) -> BaseModel:  # noqa: ARG001
        return work(request, resources)

    return timed_station(untimed, model)


def timed_station(work: TimedWork[RequestT], model: type[RequestT]) -> Handler:
    """Make a `station` of a domain function that is told how many seconds remain to it."""
    name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", work.__module__.rpartition(".")[2])

    @wraps(work)
    def handler(event: Event, context: Any) -> Event:
        logger.set_correlation_id(_of_run(event, "correlation_id"))
        logger.append_keys(execution=_of_run(event, "execution"))
        logger.info("station started", month=_month(event))
        metrics.add_dimension(name="station", value=name)
        try:
            request = parse(model, event)
            done = work(request, resources(), remaining=lambda: _seconds_of(context))
            answer = done.model_dump(mode="json")
        except Exception as error:
            metrics.add_metric(name="StationFailed", unit=MetricUnit.Count, value=1)
            logger.exception("station failed")
            if may_pass(error) and not isinstance(error, NotificationError):
                raise TransientError(f"{type(error).__name__}: {error}") from error
            raise
        metrics.add_metric(name="StationDone", unit=MetricUnit.Count, value=1)
        for kpi in kpis(request, done):
            metrics.add_metric(name=kpi.name, unit=MetricUnit[kpi.unit], value=kpi.value)
        logger.info("station done", answer=answer)
        return answer

    traced: Handler = tracer.capture_lambda_handler(handler, capture_response=False)
    injected: Handler = logger.inject_lambda_context(traced, clear_state=True)
    measured: Handler = metrics.log_metrics(injected)
    return measured


def _seconds_of(context: Any) -> float:
    return float(context.get_remaining_time_in_millis()) / 1000.0


def _month(event: Event) -> str | None:
    month = event.get("month")
    return month.get("month") if isinstance(month, dict) else month


def _of_run(event: Event, key: str) -> str | None:
    """Return what an event says of its run: the month's, or that of the day itself."""
    month = event.get("month")
    nested = month.get(key) if isinstance(month, dict) else None
    return nested or event.get(key)
