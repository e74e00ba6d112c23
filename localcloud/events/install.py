"""Give a cloud its event services."""

from localcloud.context import CloudContext
from localcloud.errors import CloudError
from localcloud.events.service import EventService
from localcloud.lambdas import service_of

_SERVICES: dict[str, EventService] = {}


def install(
    context: CloudContext, *, retry_delays: tuple[float, ...] | None = None
) -> EventService:
    """Accept events from now on; `localcloud.lambdas` must be installed before.

    Parameters
    ----------
    context
        The running cloud.
    retry_delays
        Seconds before the second and third try of an asynchronous invocation; AWS's minute and two
        minutes unless given.
    """
    functions = service_of(context)
    service = (
        EventService(context, functions)
        if retry_delays is None
        else EventService(context, functions, retry_delays)
    )
    _SERVICES[context.endpoint] = service
    return service


def start(context: CloudContext) -> None:
    """Deliver events and fire schedules from now on; to be called once the stack is deployed.

    Raises `CloudError` when the event services are not installed.
    """
    if context.endpoint not in _SERVICES:
        raise CloudError("the event services are not installed on this cloud")
    _SERVICES[context.endpoint].start()
