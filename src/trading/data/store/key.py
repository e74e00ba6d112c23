"""What a key of an object may look like."""

from trading.errors import StoreError

MAX_BYTES = 1024


def checked_key(key: str) -> str:
    """Return `key` when every store can hold it, else raise `StoreError`.

    A key is `/`-separated, relative, at most 1,024 bytes (the limit of S3), and no part of it is
    empty or begins with a dot, so that no key leaves its folder or meets a store's own files.
    """
    parts = key.split("/")
    bad = any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in parts)
    if bad or len(key.encode()) > MAX_BYTES:
        raise StoreError(
            f"{key!r} is not a valid key; expected non-empty parts joined by '/', none of which "
            f"begins with a dot, at most {MAX_BYTES} bytes"
        )
    return key
