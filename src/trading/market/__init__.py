"""The ground floor: bars, panels, the trading calendar."""
