"""Event destinations of SESv2 configuration sets, which moto 5.2.5 lacks.

Source: https://docs.aws.amazon.com/ses/latest/APIReference-V2/ (operations
`CreateConfigurationSetEventDestination` and its siblings).
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from localcloud.context import CloudContext

ATTRIBUTE = "localcloud_event_destinations"
Store = dict[str, dict[str, Any]]


def event_destinations(context: CloudContext, configuration_set: str) -> list[dict[str, Any]]:
    """Return the event destinations of a configuration set; none when there is no such set."""
    from moto.ses.models import ses_backends

    sets = ses_backends[context.account][context.region].config_sets
    found = sets.get(configuration_set)
    return list(getattr(found, ATTRIBUTE, {}).values()) if found is not None else []


def add_event_destinations() -> None:
    """Teach moto's SESv2 the four operations on event destinations.

    Called before the first call to SESv2: moto's server fixes a service's routes then.
    """
    from moto.sesv2 import urls
    from moto.sesv2.responses import SESV2Response

    path = "{0}/v2/email/configuration-sets/(?P<ConfigurationSetName>[^/]+)/event-destinations"
    for route in (f"{path}$", f"{path}/(?P<EventDestinationName>[^/]+)$"):
        urls.url_paths[route] = SESV2Response.dispatch

    operations: dict[str, Callable[[Any], str]] = {
        "create_configuration_set_event_destination": _create,
        "get_configuration_set_event_destinations": _list,
        "update_configuration_set_event_destination": _update,
        "delete_configuration_set_event_destination": _delete,
    }
    for name, operation in operations.items():
        setattr(SESV2Response, name, operation)


def _create(response: Any) -> str:
    from moto.core.exceptions import JsonRESTError

    store = _store(response)
    asked = json.loads(response.body)
    name = asked["EventDestinationName"]
    if name in store:
        raise JsonRESTError("AlreadyExistsException", f"Event destination <{name}> already exists.")
    store[name] = {"Name": name, **asked["EventDestination"]}
    return "{}"


def _list(response: Any) -> str:
    return json.dumps({"EventDestinations": list(_store(response).values())})


def _update(response: Any) -> str:
    store, name = _store(response), _existing(response)
    store[name] = {"Name": name, **json.loads(response.body)["EventDestination"]}
    return "{}"


def _delete(response: Any) -> str:
    del _store(response)[_existing(response)]
    return "{}"


def _store(response: Any) -> Store:
    from moto.ses.exceptions import NotFoundException

    name = _segments(response)[3]
    found = response.sesv2_backend.core_backend.config_sets.get(name)
    if found is None:
        raise NotFoundException(f"Configuration set <{name}> does not exist.")
    store: Store = found.__dict__.setdefault(ATTRIBUTE, {})
    return store


def _existing(response: Any) -> str:
    from moto.ses.exceptions import NotFoundException

    name = _segments(response)[5]
    if name not in _store(response):
        raise NotFoundException(f"Event destination <{name}> does not exist.")
    return name


def _segments(response: Any) -> list[str]:
    """Return `v2, email, configuration-sets, <set>, event-destinations[, <name>]`."""
    return [unquote(part) for part in response.path.strip("/").split("/")]
