"""What went wrong with a provider, and what to do about it: retry, next provider, stop and tell.

ProviderError (trading.errors)
 +- ProviderUnavailable   retry
 |   +- RateLimited           too fast: retry after `retry_after` seconds
 |   +- MalformedAnswer       not what the service sends (cut off, HTML, wrong day): retry
 +- ProviderRefused       next provider
 |   +- QuotaExhausted        the plan's calls are used up: the provider is not asked again
 |   +- CircuitOpen           too many failures in a row: the provider is left alone for a while
 +- ProviderStopped       stop and tell

Every exception of the HTTP client stands in `HTTPX_REMEDIES`; a test fails when httpx has one that
does not. The texts never hold a URL's query: that is where some services want their key.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

import httpx

from trading.errors import (
    ProviderError,
    ProviderRefused,
    ProviderStopped,
    ProviderUnavailable,
)

QUOTED_CHARACTERS = 160


class Remedy(StrEnum):
    """What to do after a failure."""

    RETRY = "retry"
    NEXT = "next provider"
    STOP = "stop and tell"


class RateLimited(ProviderUnavailable):
    """The provider asks for fewer requests; `retry_after` is in seconds, None when not told."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class MalformedAnswer(ProviderUnavailable):
    """The answer is not what the service sends."""


class QuotaExhausted(ProviderRefused):
    """The calls of the plan are used up for today or for the month."""


class CircuitOpen(ProviderRefused):
    """The provider failed too often in a row and is not asked for a while."""


PROVIDER_REMEDIES: Final[dict[type[Exception], Remedy]] = {
    ProviderUnavailable: Remedy.RETRY,
    RateLimited: Remedy.RETRY,
    MalformedAnswer: Remedy.RETRY,
    ProviderRefused: Remedy.NEXT,
    QuotaExhausted: Remedy.NEXT,
    CircuitOpen: Remedy.NEXT,
    ProviderStopped: Remedy.STOP,
    ProviderError: Remedy.NEXT,
}
HTTPX_REMEDIES: Final[dict[type[Exception], Remedy]] = {
    # The network, and answers that broke on the way.
    httpx.HTTPError: Remedy.RETRY,
    httpx.RequestError: Remedy.RETRY,
    httpx.TransportError: Remedy.RETRY,
    httpx.TimeoutException: Remedy.RETRY,
    httpx.ConnectTimeout: Remedy.RETRY,
    httpx.ReadTimeout: Remedy.RETRY,
    httpx.WriteTimeout: Remedy.RETRY,
    httpx.PoolTimeout: Remedy.RETRY,
    httpx.NetworkError: Remedy.RETRY,
    httpx.ConnectError: Remedy.RETRY,
    httpx.ReadError: Remedy.RETRY,
    httpx.WriteError: Remedy.RETRY,
    httpx.CloseError: Remedy.RETRY,
    httpx.ProxyError: Remedy.RETRY,
    httpx.ProtocolError: Remedy.RETRY,
    httpx.RemoteProtocolError: Remedy.RETRY,
    httpx.DecodingError: Remedy.RETRY,
    # A status is judged by `status_failure`; this one stands for those that raise_for_status has.
    httpx.HTTPStatusError: Remedy.NEXT,
    httpx.TooManyRedirects: Remedy.NEXT,
    # What is asked, or the program, is wrong: the same request fails for ever.
    httpx.LocalProtocolError: Remedy.STOP,
    httpx.UnsupportedProtocol: Remedy.STOP,
    httpx.InvalidURL: Remedy.STOP,
    httpx.CookieConflict: Remedy.STOP,
    httpx.StreamError: Remedy.STOP,
    httpx.StreamConsumed: Remedy.STOP,
    httpx.StreamClosed: Remedy.STOP,
    httpx.ResponseNotRead: Remedy.STOP,
    httpx.RequestNotRead: Remedy.STOP,
}
BUILTIN_REMEDIES: Final[dict[type[Exception], Remedy]] = {
    TimeoutError: Remedy.RETRY,
    OSError: Remedy.RETRY,
}
REMEDIES: Final = PROVIDER_REMEDIES | HTTPX_REMEDIES | BUILTIN_REMEDIES
ERROR_OF: Final[dict[Remedy, type[ProviderError]]] = {
    Remedy.RETRY: ProviderUnavailable,
    Remedy.NEXT: ProviderRefused,
    Remedy.STOP: ProviderStopped,
}
TRANSIENT_STATUSES: Final = frozenset({408, 421, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524})
MOVED_STATUSES: Final = frozenset({301, 308})
PROXY_WANTS_CREDENTIALS: Final = 407
STOPPING_STATUSES: Final = {
    401: "the API key is missing or wrong",
    402: "the account has to be paid for",
    403: "the API key or its plan does not allow this",
    PROXY_WANTS_CREDENTIALS: "a proxy wants credentials",
}


def remedy_of(error: BaseException) -> Remedy | None:
    """Return what to do after `error`, None when it is no failure of a provider."""
    for kind in type(error).__mro__:
        if (found := REMEDIES.get(kind)) is not None:
            return found
    return None


def may_pass(error: BaseException) -> bool:
    """Tell whether the same question may succeed later in the same run."""
    return remedy_of(error) is Remedy.RETRY or isinstance(error, CircuitOpen)


def settled(error: BaseException) -> bool:
    """Tell whether the provider answered for good: it has nothing, today or tomorrow."""
    passing = isinstance(error, QuotaExhausted | CircuitOpen)
    return remedy_of(error) is Remedy.NEXT and not passing


def transport_failure(error: Exception, provider: str, what: str) -> ProviderError:
    """Return the named error for an exception of the HTTP client; its text may hold no URL."""
    remedy = remedy_of(error) or Remedy.STOP
    kind = type(error).__name__
    advice = {
        Remedy.RETRY: "try again",
        Remedy.NEXT: "ask another provider",
        Remedy.STOP: f"check data.providers.{provider}.base_url",
    }[remedy]
    return ERROR_OF[remedy](f"{provider}: the request for {what} failed ({kind}); {advice}")


def status_failure(
    status: int,
    retry_after: str | None,
    provider: str,
    what: str,
    said: str,
    now: datetime,
    *,
    page: bool = False,
) -> ProviderError | None:
    """Return the named error of an HTTP status, None for success.

    Parameters
    ----------
    status : of the answer
    retry_after : the header's value, in seconds or as an HTTP date; None without one
    provider, what : who was asked for what, in words
    said : what the service wrote, already without secrets
    now : when it answered
    page : whether the body is an HTML or XML page. Services refuse in JSON or plain text: a page
        comes from a gateway in between, and says nothing about what was asked
    """
    if 200 <= status < 300:
        return None
    told = f" ({said})" if said else " (a page)" if page else ""
    text = f"{provider} answered {status} for {what}{told}"
    wait = parse_retry_after(retry_after, now)
    if status == 429 or (status == 503 and wait is not None):
        return RateLimited(f"{text}; it wants fewer requests", wait)
    if status in TRANSIENT_STATUSES or status > 524:
        return ProviderUnavailable(f"{text}; try again")
    if page and 400 <= status < 500 and status != PROXY_WANTS_CREDENTIALS:
        return MalformedAnswer(
            f"{provider} answered {status} for {what} with a page instead of its own words; try "
            f"again, and check data.providers.{provider}.base_url if it stays so"
        )
    if (reason := STOPPING_STATUSES.get(status)) is not None:
        return ProviderStopped(f"{text}: {reason}; mend it and run again")
    if status in MOVED_STATUSES:
        return ProviderStopped(f"{text}: it moved; mend data.providers.{provider}.base_url")
    if 300 <= status < 400:
        return ProviderUnavailable(
            f"{text}: it sends elsewhere, where nobody follows; try again, and check "
            f"data.providers.{provider}.base_url if it stays so"
        )
    return ProviderRefused(f"{text}; it does not have this")


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds to wait by a `Retry-After` header (RFC 9110, 10.2.3), None when unread.

    Seconds and HTTP dates are read; a date in the past is 0.
    """
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return float(text)
    at = parse_http_date(text)
    return None if at is None else max(0.0, (at - now).total_seconds())


def parse_http_date(value: str | None) -> datetime | None:
    """Return the time of an HTTP date (RFC 9110, 5.6.7), in UTC; None when it is none."""
    if value is None:
        return None
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def malformed_symbol(symbol: object) -> ProviderRefused:
    """Return the error for what is asked for and is no symbol."""
    return ProviderRefused(
        f"{quoted(symbol)!r} is no symbol; expected ticker text such as AAPL or BRK.B, upper case"
    )


def quoted(value: object) -> str:
    """Return untrusted text for a sentence: ASCII, one line, shortened."""
    text = value if isinstance(value, str) else type(value).__name__
    shown = " ".join(text.split()).encode("ascii", "backslashreplace").decode()
    return shown if len(shown) <= QUOTED_CHARACTERS else f"{shown[:QUOTED_CHARACTERS]}..."
