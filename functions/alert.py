"""Alert the operator of a failed month."""

from functions.station import station
from trading.month.failure import alert
from trading.month.failure_requests import AlertRequest

handler = station(alert, AlertRequest)
