"""Strategies: what every one is, the built-in ones, and several run side by side."""
