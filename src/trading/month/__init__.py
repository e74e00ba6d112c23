"""The month: one file a station of `statemachines/monthly.asl.json`."""
