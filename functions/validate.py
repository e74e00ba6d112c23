"""Validate: judge the challenger out of sample."""

from functions.station import station
from trading.month.payloads import ValidateRequest
from trading.month.validate import validate

handler = station(validate, ValidateRequest)
