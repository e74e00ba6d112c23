"""Trading sessions: the same strategies, sizing, limits and orders on paper and live."""
