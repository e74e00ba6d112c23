"""Notify one recipient by mail."""

from functions.station import station
from trading.month.notify import notify
from trading.month.payloads import NotifyRequest

handler = station(notify, NotifyRequest)
