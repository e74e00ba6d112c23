"""Objects as the files of a folder."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trading.data.store.base import StoredObject
from trading.data.store.key import checked_key
from trading.errors import ConflictError, NotFoundError, StoreError

OWN_FOLDER = ".store"


def content_tag(body: bytes) -> str:
    """Return the etag of a body: its SHA-256 in hex."""
    return hashlib.sha256(body).hexdigest()


class FolderStore:
    """An `ObjectStore` in a folder; keys are paths below it.

    Every write holds one lock of the store (released by the kernel when its process dies), goes to
    one scratch file, is flushed to disk and renamed: a reader sees the old bytes or the new ones,
    and a process killed at any instant leaves at most the scratch file, which the next write takes.
    The etag is the SHA-256 of the bytes.

    Parameters
    ----------
    root : the folder; it is created by the first write
    """

    def __init__(self, root: Path) -> None:
        self._root = root.expanduser().resolve()
        self.uri = self._root.as_uri()

    def __repr__(self) -> str:
        return f"FolderStore({str(self._root)!r})"

    def get(self, key: str) -> StoredObject:
        """Return an object; raises `NotFoundError`."""
        try:
            body = self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotFoundError(f"{self.uri} holds no object {key!r}") from error
        except OSError as error:
            raise StoreError(f"cannot read {key!r} of {self.uri}: {error}") from error
        return StoredObject(key, body, content_tag(body))

    def put(
        self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        """Write an object whole and return its etag.

        With `if_absent` an existing object, with `if_match` another etag or no object, raises
        `ConflictError`. Raises `StoreError` when the folder cannot be written.
        """
        path = self._path(key)
        try:
            with self._locked() as scratch:
                self._check(key, path, if_absent=if_absent, if_match=if_match)
                try:
                    _write(scratch, body)
                except OSError:
                    # What a full disk took of it would keep the disk full.
                    scratch.unlink(missing_ok=True)
                    raise
                path.parent.mkdir(parents=True, exist_ok=True)
                scratch.replace(path)
                _flush_folder(path.parent)
        except OSError as error:
            raise StoreError(
                f"cannot write {key!r} to {self.uri}: {error}; what was there is unchanged, make "
                "room or mend the rights and do it again"
            ) from error
        return content_tag(body)

    def exists(self, key: str) -> bool:
        """Tell whether an object exists."""
        return self._path(key).is_file()

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with `prefix`, sorted as S3 sorts them (by their bytes)."""
        if any(part.startswith(".") for part in prefix.split("/")):
            return
        start = self._root / prefix.rpartition("/")[0]
        found: list[str] = []
        for folder, folders, files in os.walk(start):
            folders[:] = [name for name in folders if not name.startswith(".")]
            base = Path(folder).relative_to(self._root).as_posix()
            stem = "" if base == "." else f"{base}/"
            found += [stem + name for name in files if not name.startswith(".")]
        yield from sorted((k for k in found if k.startswith(prefix)), key=str.encode)

    def delete(self, key: str) -> None:
        """Remove an object; a missing one is fine."""
        path = self._path(key)
        if not path.is_file():
            return
        try:
            with self._locked():
                path.unlink(missing_ok=True)
                _flush_folder(path.parent)
        except OSError as error:
            raise StoreError(f"cannot delete {key!r} of {self.uri}: {error}") from error

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    def _check(self, key: str, path: Path, *, if_absent: bool, if_match: str | None) -> None:
        if if_absent and path.exists():
            raise ConflictError(f"{self.uri} already holds {key!r}; it was to be written only once")
        if if_match is None:
            return
        found = content_tag(path.read_bytes()) if path.is_file() else None
        if found != if_match:
            raise ConflictError(
                f"{key!r} of {self.uri} was changed by another writer: expected etag {if_match}, "
                f"found {found or 'no object'}; read it again"
            )

    @contextmanager
    def _locked(self) -> Iterator[Path]:
        own = self._root / OWN_FOLDER
        own.mkdir(parents=True, exist_ok=True)
        with (own / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield own / "scratch"


def _write(path: Path, body: bytes) -> None:
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
