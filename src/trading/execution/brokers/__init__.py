"""Brokers: the interface that every broker implements, and the brokers."""
