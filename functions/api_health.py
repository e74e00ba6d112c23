"""Answer `GET /health`: 200 when months and sessions come in time, 503 when they do not."""

import json
from typing import Any

from functions.station import Event, station
from trading.month.health import HealthRequest, health

check = station(health, HealthRequest)


def handler(event: Event, context: Any) -> Event:
    """Return the checks as an HTTP answer."""
    found = check(event, context)
    return {
        "statusCode": 200 if found["passed"] else 503,
        "headers": {"content-type": "application/json", "cache-control": "no-store"},
        "body": json.dumps(found),
    }
