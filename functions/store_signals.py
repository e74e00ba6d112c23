"""Store the month's signals, once."""

from functions.station import station
from trading.month.payloads import StoreRequest
from trading.month.store import store_signals

handler = station(store_signals, StoreRequest)
