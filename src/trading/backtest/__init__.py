"""Backtesting: the one simulator of returns and the one set of performance figures."""
