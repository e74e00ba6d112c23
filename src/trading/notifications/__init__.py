"""Telling people: the month's mail, its charts and its delivery."""
