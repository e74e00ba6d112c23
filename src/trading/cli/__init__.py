"""The `trading` command."""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit, as `trading.cli.app.main` does; its libraries are loaded only now.

    What else lies here (the dashboard watches executions with it) is imported without them.
    """
    from trading.cli.app import main as command

    command(arguments)


__all__ = ["main"]
