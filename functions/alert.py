"""Alert the operator of a failed month."""

from functions.station import station
from trading.month.failure import alert
from trading.month.payloads import FailureRequest

handler = station(alert, FailureRequest)
