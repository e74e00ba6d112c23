"""Hold the month against what the champion learnt from."""

from functions.station import station
from trading.month.drift import drift
from trading.month.oversight_requests import DriftRequest

handler = station(drift, DriftRequest)
