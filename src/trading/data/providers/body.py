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
BARE: Final = -zlib.MAX_WBITS


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
    decoder, head = None, b""
    try:
        async for chunk in chunks:
            if decoder is None:
                head += chunk
                if len(head) < 2:
                    continue
                # Some servers send a bare deflate stream under zlib's name (RFC 9110, 8.4.1.2).
                decoder = zlib.decompressobj(ANY_HEADER if _has_header(head) else BARE)
                chunk = head
            # What lies beyond the bound stays compressed: the reader stops there.
            yield decoder.decompress(chunk, MAX_ANSWER_BYTES + 1)
    except zlib.error:
        raise MalformedAnswer(
            f"{provider} sent a damaged compressed answer for {what}; try again"
        ) from None
    if head and not (decoder and decoder.eof):
        raise MalformedAnswer(
            f"{provider} sent a compressed answer for {what} that ends too early; try again"
        )


def _has_header(head: bytes) -> bool:
    """Tell whether two bytes begin a gzip stream (RFC 1952) or a zlib stream (RFC 1950)."""
    return head[:2] == b"\x1f\x8b" or (head[0] & 15 == 8 and int.from_bytes(head[:2]) % 31 == 0)
