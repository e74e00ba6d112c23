"""Between a training job's folders and S3, with the job's own credentials."""

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from localcloud.errors import CloudError


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of `s3://bucket/key`; raises `CloudError` for anything else."""
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise CloudError(f"expected an address s3://bucket/prefix, found {uri!r}")
    return parts.netloc, parts.path.lstrip("/")


def download(client: Any, uri: str, folder: Path) -> int:
    """Copy every object under a prefix into a folder; return how many.

    A prefix that is itself an object's key gives that one file. Keys that would leave the folder
    raise `CloudError`.
    """
    bucket, prefix = split_uri(uri)
    base = prefix if prefix.endswith("/") or not prefix else prefix.rpartition("/")[0] + "/"
    base = "" if base == "/" else base
    count = 0
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for key in (found["Key"] for page in pages for found in page.get("Contents", [])):
        within = _within(key, prefix, base)
        if within is None or key.endswith("/"):
            continue
        target = (folder / within).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise CloudError(f"the key {key!r} does not name a file inside the channel")
        target.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(bucket, key, str(target))
        count += 1
    return count


def _within(key: str, prefix: str, base: str) -> str | None:
    """Return the path of a key inside its channel; None when the prefix only looks like it."""
    if not prefix or prefix.endswith("/"):
        return key[len(prefix) :]
    if key == prefix:
        return key[len(base) :]
    return key[len(prefix) + 1 :] if key.startswith(prefix + "/") else None


def archive(folder: Path) -> bytes:
    """Return a `.tar.gz` of a folder that depends on names and contents only."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            if path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            elif path.is_file():
                entry.size, entry.mode = path.stat().st_size, 0o644
                with path.open("rb") as content:
                    tar.addfile(entry, content)
    return packed.getvalue()


class CheckpointSync:
    """Copies files of the checkpoint folder to S3 as they change."""

    def __init__(self, client: Any, uri: str, folder: Path) -> None:
        self._client = client
        self._bucket, self._prefix = split_uri(uri)
        self._folder = folder
        self._sent: dict[Path, tuple[int, int]] = {}

    def restore(self, uri: str) -> int:
        """Bring what an earlier run left; return how many files."""
        self._folder.mkdir(parents=True, exist_ok=True)
        count = download(self._client, uri.rstrip("/") + "/", self._folder)
        self._sent = self._state()
        return count

    def push(self) -> None:
        """Send every file that is new or has changed since it was sent."""
        for path, state in self._state().items():
            if self._sent.get(path) == state:
                continue
            name = path.relative_to(self._folder).as_posix()
            key = f"{self._prefix.rstrip('/')}/{name}" if self._prefix else name
            self._client.put_object(Bucket=self._bucket, Key=key, Body=path.read_bytes())
            self._sent[path] = state

    def _state(self) -> dict[Path, tuple[int, int]]:
        """Return size and time of every file; one that vanishes while looking is not there."""
        found: dict[Path, tuple[int, int]] = {}
        for path in sorted(self._folder.rglob("*")):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            if path.is_file() and not path.name.endswith((".tmp", ".partial")):
                found[path] = (stat.st_size, stat.st_mtime_ns)
        return found
