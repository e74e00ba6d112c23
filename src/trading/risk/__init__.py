"""Risk: the hard limits that every target portfolio must keep."""
