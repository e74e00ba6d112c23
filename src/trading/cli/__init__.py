"""The `trading` command."""

from trading.cli.app import main

__all__ = ["main"]
