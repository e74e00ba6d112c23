"""Market context: what all scoring batches share."""

from functions.station import station
from trading.month.payloads import ContextRequest
from trading.month.score import market_context

handler = station(market_context, ContextRequest)
