"""Whether the dashboard of this container answers: the health check of its task."""

import os
import ssl
import sys
import urllib.error
import urllib.request

DEFAULT_PORT = "8501"
TIMEOUT_SECONDS = 8


def port() -> str:
    """Return the port that the dashboard listens on."""
    return os.environ.get("TRADING_DASHBOARD_PORT", DEFAULT_PORT)


def healthy() -> bool:
    """Ask Streamlit's health endpoint; its certificate is this container's own, and not checked."""
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    url = f"https://127.0.0.1:{port()}/_stcore/health"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS, context=trusting) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        sys.stderr.write(f"the dashboard does not answer: {error}\n")
        return False


if __name__ == "__main__":
    sys.exit(0 if healthy() else 1)
