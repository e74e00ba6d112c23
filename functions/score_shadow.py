"""Score the challengers in shadow."""

from functions.station import station
from trading.month.oversight_requests import ShadowRequest
from trading.month.shadow import score_shadow

handler = station(score_shadow, ShadowRequest)
