"""EventBridge rules: which targets an event goes to, and what each of them receives."""

import copy
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from localcloud.context import CloudContext
from localcloud.events.outbox import Delivery, Outbox
from localcloud.events.targets import as_json, target

EVENTS_SERVICE = "events.amazonaws.com"
SERVED = frozenset({"lambda", "states", "sns", "sqs", "logs"})


def deliveries(rule: Any, event: Mapping[str, Any]) -> Iterator[Delivery]:
    """Yield a delivery for each target of a moto rule that an event matches.

    A rule that has only a schedule matches no event. Targets that moto serves itself (archives,
    API destinations, other buses) are left to it.
    """
    if rule.state != "ENABLED" or not rule.event_pattern.get_pattern():
        return
    if not rule.event_pattern.matches_event(event):
        return
    for one in rule.targets:
        if _service(one) in SERVED:
            yield target(
                one["Arn"],
                target_input(one, event),
                service=EVENTS_SERVICE,
                source=rule.arn,
                role=one.get("RoleArn") or rule.role_arn,
                settings=one,
            )


def bus_deliveries(
    context: CloudContext, bus_arn: str, event: Mapping[str, Any]
) -> tuple[Delivery, ...]:
    """Return the deliveries of an event that a service of AWS puts on a bus."""
    from moto.events.models import events_backends

    backend = events_backends[context.account][context.region]
    bus = backend.event_buses.get(bus_arn.rpartition("/")[2] or "default")
    rules = list(bus.rules.values()) if bus is not None else []
    return tuple(one for rule in rules for one in deliveries(rule, event))


def target_input(settings: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """Return what a target receives, as text: its constant, a part of the event, or all of it."""
    if settings.get("Input"):
        return str(settings["Input"])
    sent = {name: value for name, value in event.items() if name != "ingestion-time"}
    if isinstance(sent.get("time"), int | float):
        moment = datetime.fromtimestamp(sent["time"], UTC)
        sent["time"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    path = settings.get("InputPath")
    if path:
        from jsonpath_ng.ext.parser import parse

        matches = parse(path).find(sent)
        return as_json(matches[0].value if matches else {})
    transformer = settings.get("InputTransformer")
    if transformer:
        return _transform(transformer, sent)
    return as_json(sent)


def route_rules(outbox: Outbox) -> None:
    """Have moto's rules write their deliveries into the outbox.

    moto 5.2.5 knows neither functions nor state machines nor topics as targets, and lets a rule
    that has only a schedule match every event.
    """
    from moto.events.models import Rule

    owner: Any = Rule
    send = owner.send_to_targets.__dict__.get("original", owner.send_to_targets)

    def send_to_targets(self: Any, original_event: Any, transform_input: bool = True) -> None:
        outbox.enqueue(*deliveries(self, original_event))
        others = [one for one in self.targets if _service(one) not in SERVED]
        if others and self.event_pattern.get_pattern():
            rest = copy.copy(self)
            rest.targets = others
            send(rest, original_event, transform_input)

    send_to_targets.__dict__["original"] = send
    owner.send_to_targets = send_to_targets


def _service(one: Mapping[str, Any]) -> str:
    return str(one["Arn"].split(":")[2])


def _transform(transformer: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    from moto.events.utils import EventTemplateParser

    parser: Any = EventTemplateParser
    parsed = parser.parse(
        input_template=transformer.get("InputTemplate"),
        input_paths_map=transformer.get("InputPathsMap", {}),
        event={**event, "ingestion-time": datetime.now(UTC).isoformat()},
    )
    return parsed if isinstance(parsed, str) else json.dumps(parsed)
