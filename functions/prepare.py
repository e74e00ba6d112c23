"""Prepare: slots, features and training jobs of the month."""

from functions.station import station
from trading.month.payloads import PrepareRequest
from trading.month.prepare import prepare

handler = station(prepare, PrepareRequest)
