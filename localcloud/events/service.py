"""The event services of a running cloud."""

import threading

from localcloud.context import CloudContext
from localcloud.errors import PatchError
from localcloud.events.dispatcher import Dispatcher
from localcloud.events.invocations import RETRY_DELAYS, AsynchronousInvocations
from localcloud.events.mail_destinations import add_event_destinations
from localcloud.events.mail_events import MAIL, MailEvents, record_mail_event
from localcloud.events.notifications import route_subscriptions
from localcloud.events.outbox import open_outbox
from localcloud.events.rules import route_rules
from localcloud.events.schedules import Clockwork
from localcloud.events.targets import ASYNCHRONOUS, TARGET, Targets, asynchronous
from localcloud.lambdas.service import LambdaService

LATEST_START_SECONDS = 60.0


class EventService:
    """Accepts events from the moment it is made, and delivers them once it is started.

    Parameters
    ----------
    context
        The running cloud.
    functions
        Runs the functions that events go to.
    retry_delays
        Seconds before the second and third try of an asynchronous invocation.
    """

    def __init__(
        self,
        context: CloudContext,
        functions: LambdaService,
        retry_delays: tuple[float, ...] = RETRY_DELAYS,
    ) -> None:
        _check_moto()
        self.outbox = open_outbox(context.journal_path)
        invocations = AsynchronousInvocations(context, functions, retry_delays)
        deliverers = {
            ASYNCHRONOUS: invocations.deliver,
            TARGET: Targets(context).deliver,
            MAIL: MailEvents(context).deliver,
        }
        self._dispatcher = Dispatcher(self.outbox, deliverers, context.faults)
        self.clockwork = Clockwork(context, self.outbox)
        add_event_destinations()
        route_rules(self.outbox)
        route_subscriptions(context, self.outbox)
        functions.accept_later = self._accept
        context.mail_hooks.append(record_mail_event)
        context.mail_recorded.append(self.outbox.wake)
        context.on_shutdown(self.close)
        self._latest_start = threading.Timer(LATEST_START_SECONDS, self.start)
        self._latest_start.daemon = True
        self._latest_start.start()

    def start(self) -> None:
        """Deliver what an earlier run has left, then what comes, and let schedules fire.

        To be called once the stack is deployed: before that an event finds no rule, and would go
        nowhere. Without a call it starts by itself after `LATEST_START_SECONDS`.
        """
        self._latest_start.cancel()
        self._dispatcher.start()
        self.clockwork.start()

    def _accept(self, function_arn: str, event: str) -> None:
        self.outbox.enqueue(asynchronous(function_arn, event))

    def close(self) -> None:
        """Stop; what is not delivered stays in the outbox for the next start."""
        self._latest_start.cancel()
        self.clockwork.close()
        self._dispatcher.close()
        self.outbox.close()


def _check_moto() -> None:
    """Raise `PatchError` when what the adapters of this package replace has moved."""
    from moto.events.models import EventPattern, Rule
    from moto.sesv2.responses import SESV2Response
    from moto.sns.models import Subscription

    for owner, name in (
        (Rule, "send_to_targets"),
        (EventPattern, "matches_event"),
        (Subscription, "publish"),
        (SESV2Response, "create_configuration_set"),
    ):
        if not callable(getattr(owner, name, None)):
            raise PatchError(
                f"moto's {owner.__name__} has no {name}: pin moto 5.2.5, or mend localcloud/events"
            )
