"""Deploy: promote the challenger."""

from functions.station import station
from trading.month.deploy import deploy
from trading.month.payloads import DeployRequest

handler = station(deploy, DeployRequest)
