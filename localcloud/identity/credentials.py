"""Keys of a principal."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Credentials:
    """Access keys; temporary ones carry a session token and the time they end (UTC)."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires: datetime | None = None

    def environment(self) -> dict[str, str]:
        """Return the variables that AWS's SDKs read."""
        found = {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }
        if self.session_token is not None:
            found["AWS_SESSION_TOKEN"] = self.session_token
        return found
