"""Fundamentals: market cap, P/E, EPS, dividend yield, sector and industry, as known on a day."""

from trading.data.fundamentals.files import read_fundamentals
from trading.data.fundamentals.table import FundamentalsTable

__all__ = ["FundamentalsTable", "read_fundamentals"]
