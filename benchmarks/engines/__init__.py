"""One module per engine; each is imported only where that engine is installed."""
