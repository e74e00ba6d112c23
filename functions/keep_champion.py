"""Keep the champion, or install the baseline where there is none."""

from functions.station import station
from trading.month.deploy import keep_champion
from trading.month.payloads import KeepRequest

handler = station(keep_champion, KeepRequest)
