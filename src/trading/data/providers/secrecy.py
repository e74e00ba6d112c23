"""Where an API key goes, and where it never shows: nothing that is kept or said has it."""

import html
import json
import re
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

import httpx
from pydantic import SecretStr

HIDDEN = "***"


@dataclass(frozen=True)
class KeyPlacement:
    """Where a service wants its key: a header, or a parameter of the query."""

    key: SecretStr
    header: str | None = None
    parameter: str | None = None
    prefix: str = ""


class KeyTransport(httpx.AsyncBaseTransport):
    """Adds the key below httpx, whose log lines and exceptions hold the request's URL.

    Parameters
    ----------
    inner : sends the request
    placement : the key and where it goes
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, placement: KeyPlacement) -> None:
        self._inner = inner
        self._placement = placement

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request with the key; an exception knows the request without it."""
        placed, key = self._placement, self._placement.key.get_secret_value()
        headers, url = request.headers.copy(), request.url
        if placed.header:
            headers[placed.header] = placed.prefix + key
        if placed.parameter:
            url = url.copy_merge_params({placed.parameter: key})
        keyed = httpx.Request(
            request.method,
            url,
            headers=headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        try:
            return await self._inner.handle_async_request(keyed)
        except httpx.RequestError as error:
            error.request = request
            raise

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def redact(text: str, placement: KeyPlacement | None) -> str:
    r"""Return `text` with `***` instead of the key.

    Services repeat what they were sent: as it is, escaped for a URL, for JSON (`\/`) or for HTML,
    in capitals or not.
    """
    if placement is None:
        return text
    key = placement.key.get_secret_value()
    slashed = json.dumps(key)[1:-1].replace("/", r"\/")
    spellings = {key, quote(key, safe=""), quote(key), quote_plus(key), slashed, html.escape(key)}
    longest_first = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))
    found = "|".join(map(re.escape, longest_first))
    return re.sub(found, HIDDEN, text, flags=re.IGNORECASE)
