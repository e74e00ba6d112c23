"""Start a month: called by the schedule on the mornings that can be a first session."""

import os
from typing import Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent,
)

from functions.station import Event, station
from trading.month.payloads import StartRequest
from trading.month.start import start_month

_start = station(start_month, StartRequest)


@idempotent(
    persistence_store=DynamoDBPersistenceLayer(os.environ["TRADING_IDEMPOTENCY_TABLE"]),
    config=IdempotencyConfig(
        event_key_jmespath="correlation_id", raise_on_no_idempotency_key=False
    ),
)
def handler(event: Event, context: Any) -> Event:
    """Start the month once per correlation id; a repeated delivery gets the same answer."""
    return _start(event, context)
