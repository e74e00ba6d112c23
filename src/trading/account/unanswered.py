"""What is found where AWS did not answer a question."""

from botocore.exceptions import BotoCoreError, ClientError

from trading.account.finding import Finding, unknown


def code_of(error: ClientError) -> str:
    """Return the code of an error that AWS answered with."""
    return str(error.response.get("Error", {}).get("Code", "no code"))


def not_asked(check: str, error: ClientError | BotoCoreError, allow: str) -> Finding:
    """Return that something is not to be known: AWS refuses the question, or is out of reach.

    `allow` is the way out of a refusal.
    """
    if isinstance(error, ClientError):
        return unknown(check, f"AWS refuses the question ({code_of(error)})", allow)
    return unknown(check, f"AWS cannot be asked: {error}", "check the network and ask again")
