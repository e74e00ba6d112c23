"""Score one batch of slots."""

from functions.station import station
from trading.month.payloads import ScoreRequest
from trading.month.score import score_batch

handler = station(score_batch, ScoreRequest)
