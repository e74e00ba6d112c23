"""Market data: providers, the lake and the stores beneath it."""
