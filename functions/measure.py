"""Measure portfolio and earlier signals; write the month's report."""

from functions.station import station
from trading.month.measure import measure
from trading.month.payloads import MeasureRequest

handler = station(measure, MeasureRequest)
