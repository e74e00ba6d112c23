"""Rank: scores become signals."""

from functions.station import station
from trading.month.payloads import RankRequest
from trading.month.rank import rank

handler = station(rank, RankRequest)
