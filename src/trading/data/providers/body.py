"""Read the body of an answer: in one of two encodings, and never more than a bound."""

import zlib
from collections.abc import AsyncIterator
from typing import Final

import httpx

from trading.data.providers.failures import MalformedAnswer, quoted

# The longest answers are a few megabytes: a market's day, 25 years of one share.
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
ACCEPTED_ENCODINGS: Final = "gzip, deflate"
# zlib's word for: the stream's own header tells gzip from zlib.
ANY_HEADER: Final = zlib.MAX_WBITS | 32


async def read_body(response: httpx.Response, provider: str, what: str) -> bytes:
    """Return the decoded body of a streamed response.

    httpx decodes a whole chunk at once, and one encoding inside another, so that a few kilobytes
    may become gigabytes; here a decoder stops at the bound. Raises `MalformedAnswer` for a body
    that is longer than `MAX_ANSWER_BYTES`, announces to be, or is not in an accepted encoding.
    """
    too_long = MalformedAnswer(
        f"{provider} sent more than {MAX_ANSWER_BYTES:,} bytes for {what}; no answer is that long"
    )
    announced = response.headers.get("Content-Length", "")
    if announced.isascii() and announced.isdigit() and len(announced) > len(str(MAX_ANSWER_BYTES)):
        raise too_long
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("the body of an answer is read from an asynchronous stream")
    pieces = _raw(response.stream)
    if encoding in ("gzip", "x-gzip", "deflate"):
        pieces = _inflated(pieces, provider, what)
    elif encoding not in ("", "identity"):
        raise MalformedAnswer(
            f"{provider} encoded {what} as {quoted(encoding)!r}, which was not asked for "
            f"({ACCEPTED_ENCODINGS} were); try again"
        )
    chunks, size = [], 0
    async for piece in pieces:
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            raise too_long
        chunks.append(piece)
    return b"".join(chunks)


async def _raw(stream: httpx.AsyncByteStream) -> AsyncIterator[bytes]:
    async for chunk in stream:
        yield chunk


async def _inflated(chunks: AsyncIterator[bytes], provider: str, what: str) -> AsyncIterator[bytes]:
    """Yield the content of a gzip or zlib stream, in pieces of at most the bound and one byte."""
    decoder = zlib.decompressobj(ANY_HEADER)
    first = True
    try:
        async for chunk in chunks:
            if first and chunk and not _has_header(chunk):
                # Some servers send a bare deflate stream under the name of zlib's (RFC 9110, 8.4).
                decoder = zlib.decompressobj(-zlib.MAX_WBITS)
            first = first and not chunk
            # What lies beyond the bound stays compressed: the reader stops there.
            yield decoder.decompress(chunk, MAX_ANSWER_BYTES + 1)
    except zlib.error:
        raise MalformedAnswer(
            f"{provider} sent a damaged compressed answer for {what}; try again"
        ) from None
    if not decoder.eof and not first:
        raise MalformedAnswer(
            f"{provider} sent a compressed answer for {what} that ends too early; try again"
        )


def _has_header(chunk: bytes) -> bool:
    gzip = chunk[:1] == b"\x1f"
    return gzip or (len(chunk) > 1 and chunk[0] & 15 == 8 and int.from_bytes(chunk[:2]) % 31 == 0)
