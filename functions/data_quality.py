"""Data quality: judge the sessions that were fetched."""

from functions.station import station
from trading.month.fetch import check_sessions
from trading.month.payloads import SessionRange

handler = station(check_sessions, SessionRange)
