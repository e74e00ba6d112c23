"""Rotate the API key of a data provider: the four steps that Secrets Manager asks for."""

from functions.station import station
from trading.month.key_rotation import RotationRequest, rotate_key

handler = station(rotate_key, RotationRequest)
