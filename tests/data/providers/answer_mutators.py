"""Damage done to a service's answer by its structure, its text, its bytes and its envelope."""

import copy
import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any

Draw = random.Random
Spot = tuple[Any, Any]
HUGE_DIGITS = "9" * 6_000


def spots(content: Any) -> Iterator[Spot]:
    """Yield every (holder, key) of a tree of objects and arrays."""
    keys = content if isinstance(content, dict) else range(len(content))
    for key in list(keys):
        yield content, key
        if isinstance(content[key], dict | list):
            yield from spots(content[key])


def some_spot(content: Any, draw: Draw) -> Spot | None:
    """Walk down at random: deep arrays of rows are not chosen by their size alone."""
    node, spot = content, None
    while isinstance(node, dict | list) and node and draw.random() < 0.9:
        key = draw.choice(list(node)) if isinstance(node, dict) else draw.randrange(len(node))
        spot, node = (node, key), node[key]
    return spot


def numbers(content: Any) -> list[Spot]:
    return [
        (holder, key)
        for holder, key in spots(content)
        if isinstance(holder[key], int | float) and not isinstance(holder[key], bool)
    ]


def scale_a_number(content: Any, draw: Draw) -> Any:
    if found := numbers(content):
        holder, key = draw.choice(found)
        factor = draw.choice((-1, 0, 0.01, 100, 1e-9, 1e9, 1e300, 1000, 1e-300))
        holder[key] = holder[key] * factor
    return content


def number_as_another_type(content: Any, draw: Draw) -> Any:
    if found := numbers(content):
        holder, key = draw.choice(found)
        value = holder[key]
        holder[key] = draw.choice(
            [
                *(str(value), f" {value} ", f"{value:,}", f"{value}%", f"{value}e400", f"${value}"),
                *(bool(value), None, [value], {"raw": value}),
            ]
        )
    return content


def swap_two_values(content: Any, draw: Draw) -> Any:
    one, two = some_spot(content, draw), some_spot(content, draw)
    if one and two:
        (a, i), (b, j) = one, two
        a[i], b[j] = copy.deepcopy(b[j]), copy.deepcopy(a[i])
    return content


def disturb_an_array(content: Any, draw: Draw) -> Any:
    arrays = [h[k] for h, k in spots(content) if isinstance(h[k], list)]
    if arrays:
        array = draw.choice(arrays)
        turn = draw.randrange(6)
        if turn == 0:
            array.reverse()
        elif turn == 1:
            array.extend(copy.deepcopy(array[: draw.randrange(1, 4)]))
        elif turn == 2:
            del array[draw.randrange(len(array) + 1) :]
        elif turn == 3:
            array.insert(0, copy.deepcopy(draw.choice(array)) if array else None)
        elif turn == 4:
            draw.shuffle(array)
        else:
            array[:] = [array[:]]
    return content


def rename_a_key(content: Any, draw: Draw) -> Any:
    found = [(h, k) for h, k in spots(content) if isinstance(h, dict)]
    if found:
        holder, key = draw.choice(found)
        renamed = draw.choice((key.upper(), key[:-1], f"{key} ", f"\ufeff{key}", "", "__proto__"))
        holder[renamed] = holder.pop(key)
    return content


def graft(content: Any, draw: Draw) -> Any:
    """Put a part of the answer where another part is."""
    spot = some_spot(content, draw)
    if spot is None:
        return content
    holder, key = spot
    holder[key] = draw.choice((copy.deepcopy(content), {}, [], "", holder[key], {"": {}}))
    return content


def error_inside(content: Any, draw: Draw) -> Any:
    """A service's own error, beside the data."""
    if isinstance(content, dict):
        content |= draw.choice(
            (
                {"status": "ERROR", "error": "\x00\ud83d maximum requests per minute"},
                {"status": "NOT_AUTHORIZED", "message": ["no"]},
                {"Note": "5 calls per minute"},
                {"Information": {"nested": "rate limit"}},
                {"Error Message": "Invalid API call"},
                {"chart": {"result": None, "error": {"code": 7, "description": []}}},
                {"chart": {"result": [{}], "error": None}},
                {"finance": {"error": "x"}},
                {"next_url": "https://evil.test/?cursor="},
                {"resultsCount": -1},
            )
        )
    return content


TREE: tuple[Callable[[Any, Draw], Any], ...] = (
    scale_a_number,
    number_as_another_type,
    swap_two_values,
    disturb_an_array,
    rename_a_key,
    graft,
    error_inside,
)


def damaged_text(text: str, draw: Draw) -> bytes:
    """Return JSON text damaged as text or as bytes; one time in three as it is."""
    spot = draw.randrange(len(text) + 1)
    head, tail = text[:spot], text[spot:]
    kinds: dict[str, Callable[[], bytes]] = {
        "as it is": lambda: text.encode(),
        "still": lambda: text.encode(),
        "and again": lambda: text.encode(),
        "cut": lambda: head.encode(),
        "constant": lambda: _once(text, draw, ("NaN", "-Infinity", "nul", "True", "undefined")),
        "huge integer": lambda: _once(text, draw, (HUGE_DIGITS, f"-{HUGE_DIGITS}", "1e99999")),
        "odd number": lambda: _once(text, draw, ("01", "+1", "1.", ".5", "-", "1_000", "１")),
        "twice a key": lambda: text.replace("{", '{"a":1,"a":2,', 1).encode(),
        "deep": lambda: head.encode() + draw.choice((b"[", b'{"a":')) * 50_000 + tail.encode(),
        "bad utf-8": lambda: head.encode() + draw.choice((b"\xc3\x28", b"\xed\xa0\x80", b"\xff")),
        "bytes inside": lambda: head.encode() + bytes(draw.randrange(256) for _ in range(3)),
        "mark": lambda: b"\xef\xbb\xbf" + text.encode(),
        "utf-16": lambda: text.encode("utf-16"),
        "utf-32": lambda: text.encode("utf-32-be"),
        "latin-1": lambda: text.replace("a", "é").encode("latin-1"),
        "padded": lambda: b"\x00" + text.encode() + b"\x00",
        "callback": lambda: f"cb({text});".encode(),
        "lines": lambda: f"{text}\n{text}".encode(),
        "comment": lambda: f"/* {head} */ {text}".encode(),
        "quotes": lambda: text.replace('"', "'").encode(),
        "page": lambda: f"<html>{head}".encode(),
        "empty": lambda: draw.choice((b"", b" \n", b"null", b"0", b'""', b"[]", b"{}", b"[null]")),
    }
    return kinds[draw.choice(list(kinds))]()


def _once(text: str, draw: Draw, words: tuple[str, ...]) -> bytes:
    """Replace one number of the text."""
    digits = [i for i, c in enumerate(text) if c.isdigit() and text[i - 1] in " :[,"]
    if not digits:
        return text.encode()
    first = draw.choice(digits)
    after = first
    while after < len(text) and text[after] in "0123456789.eE+-":
        after += 1
    return (text[:first] + draw.choice(words) + text[after:]).encode()


def envelope(body: bytes, status: int, draw: Draw) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body; mostly in order."""
    headers = [("Content-Type", "application/json")]
    turn = draw.random()
    if turn < 0.1:
        status = draw.choice((200, 201, 204, 206, 302, 304, 400, 401, 402, 403, 404))
    elif turn < 0.15:
        status = draw.choice((405, 409, 418, 422, 429, 451, 500, 502, 503, 520, 599, 999))
        headers.append(("Retry-After", draw.choice(("0", "-1", "1e9", "soon", "9" * 50, "\xb2"))))
    elif turn < 0.2:
        body = gzip.compress(body, 1, mtime=0)
        cut = draw.choice((len(body), len(body), len(body) // 2, 3))
        body, headers = body[:cut], [*headers, ("Content-Encoding", "gzip")]
    elif turn < 0.23:
        headers.append(("Content-Encoding", draw.choice(("gzip, gzip", "br", "deflate", "x"))))
        body = zlib.compress(body, 1)
    elif turn < 0.26:
        headers = [("Content-Type", draw.choice(("text/html", "", "json; charset=klingon")))]
    return status, headers, body


def mutated(content: Any, status: int, draw: Draw) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return an answer after none to four damages of its tree, one of its text, one around it."""
    content = copy.deepcopy(content)
    for _ in range(draw.choice((0, 0, 1, 1, 2, 4))):
        if isinstance(content, dict | list):
            content = draw.choice(TREE)(content, draw)
    if isinstance(content, str):
        text = content
    else:
        text = json.dumps(content, ensure_ascii=draw.random() < 0.9)
    try:
        body = damaged_text(text, draw)
    except UnicodeEncodeError:
        body = text.encode("utf-8", "surrogatepass")
    return envelope(body, status, draw)
