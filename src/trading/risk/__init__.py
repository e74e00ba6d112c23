"""Risk: position sizes, limits and their checks, measures of loss and exposure, the breaker."""
