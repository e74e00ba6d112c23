"""Resolve: which versions of data and champion the month stands on."""

from functions.station import station
from trading.month.payloads import ResolveRequest
from trading.month.resolve import resolve

handler = station(resolve, ResolveRequest)
