"""A simulated stock market, for demonstrations and tests without a vendor's data."""

from trading.data.simulation.market import SimulatedHistory, SimulatedMarket

__all__ = ["SimulatedHistory", "SimulatedMarket"]
