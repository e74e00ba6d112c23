"""Monthly trading signals for the Russell 3000: the domain library."""

__version__ = "0.1.0"
