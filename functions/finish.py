"""Finish: close the month in the ledger."""

from functions.station import station
from trading.month.finish import finish
from trading.month.payloads import FinishRequest

handler = station(finish, FinishRequest)
