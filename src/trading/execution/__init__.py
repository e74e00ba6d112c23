"""Execution: what a trade costs."""
