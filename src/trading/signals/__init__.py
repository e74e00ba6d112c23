"""Signals: selection, the records of a month, their success and their stores."""
