"""Fetch sessions into the lake: daily at 06:00 UTC, or those that a month lacks."""

from functions.station import timed_station
from trading.month.fetch import fetch_sessions
from trading.month.payloads import SessionRange

handler = timed_station(fetch_sessions, SessionRange)
