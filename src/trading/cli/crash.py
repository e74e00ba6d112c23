"""A failure that nobody foresaw: one sentence for the eye, the traceback into a file."""

import errno
import traceback
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from trading.cli.home import Home

LOG = "errors.log"
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
AGAIN = "run the same command again to continue"


def unexpected(error: Exception) -> str:
    """Return what happened and a way out, in one sentence."""
    if isinstance(error, HTTPClientError | NoConnectionError):
        return f"the cloud cannot be reached ({error}); {AGAIN}"
    if isinstance(error, ClientError | BotoCoreError):
        return f"the cloud refused a call ({error}); `trading audit --denied` lists refusals"
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return f"the disk is full ({error}); free some space, or set another TRADING_HOME"
    if isinstance(error, PermissionError):
        return f"a file may not be read or written ({error}); mend its permissions"
    if isinstance(error, OSError):
        return f"the operating system refused something ({error})"
    if isinstance(error, MemoryError):
        return "there is not enough memory; free some, or use fewer symbols"
    return f"something unexpected happened ({type(error).__name__}: {error})"


def keep_traceback(error: Exception) -> str:
    """Append the traceback to a file below the home, and say where it is."""
    log = Home.from_environment().path / LOG
    text = "".join(traceback.format_exception(error))
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat()}\n{text}\n")
    except OSError as failure:
        return f"the traceback could not be kept in {log} ({failure.strerror})"
    return f"the traceback is in {log}"
