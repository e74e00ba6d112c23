"""Alert the operator of a daily fetch that failed."""

from functions.station import station
from trading.month.day_failure import tell_day_failure
from trading.month.failure_requests import DayFailure

handler = station(tell_day_failure, DayFailure)
