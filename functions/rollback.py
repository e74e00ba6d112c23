"""Roll back what a failed run promoted."""

from functions.station import station
from trading.month.failure import roll_back
from trading.month.failure_requests import FailureRequest

handler = station(roll_back, FailureRequest)
