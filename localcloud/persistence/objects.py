"""S3 objects on disk: small ones in the journal, large ones as files that it names."""

import json
import os
import sqlite3
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from moto.s3.models import FakeKey, s3_backends

from localcloud.identity.call import ApiCall
from localcloud.identity.storage_access import deleted_keys
from localcloud.persistence.journal import Journal

INLINE_BYTES = 64 * 1024
_WRITES = frozenset(
    {
        "PutObject",
        "CopyObject",
        "CompleteMultipartUpload",
        "DeleteObject",
        "PutObjectTagging",
        "DeleteObjectTagging",
    }
)
_KEPT = (
    "_storage_class",
    "_version_id",
    "_is_versioned",
    "encryption",
    "kms_key_id",
    "bucket_key_enabled",
    "checksum_algorithm",
    "checksum_value",
    "checksum_type",
    "checksum_parts",
)


class Objects:
    """The latest version of every object of one account's buckets.

    A large object's file is complete before the row that names it is committed, and the file
    before it is removed after: a kill in between leaves a file that no row names, removed at the
    next start. Older versions of an object live only as long as the process does.
    """

    def __init__(self, journal: Journal, folder: Path, account: str) -> None:
        self._journal = journal
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._backend: Any = s3_backends[account]["aws"]

    def record(self, call: ApiCall) -> None:
        """Write down what a successful call changed."""
        bucket = str(call.parameters.get("Bucket", ""))
        if call.operation in _WRITES:
            self._record_keys(bucket, [str(call.parameters["Key"])])
        elif call.operation == "DeleteObjects":
            self._record_keys(bucket, deleted_keys(call.body))

    def restore(self) -> None:
        """Put every object back into its bucket, and remove files that no row names."""
        named = set()
        rows = self._journal.read("SELECT bucket, key, properties, body, file FROM objects")
        for bucket, key, properties, body, file in rows:
            if file is not None:
                named.add(file)
            self._restore_one(bucket, key, json.loads(properties), body, file)
        for path in self._folder.iterdir():
            if path.name not in named:
                path.unlink()

    def _record_keys(self, bucket: str, keys: Iterable[str]) -> None:
        held = self._backend.get_bucket(bucket).keys
        outdated: list[str] = []
        with self._journal.transaction() as connection:
            for key in keys:
                old = connection.execute(
                    "SELECT file FROM objects WHERE bucket = ? AND key = ?", (bucket, key)
                ).fetchone()
                latest = held.get(key)
                file = None
                if isinstance(latest, FakeKey):
                    file = self._write(connection, bucket, key, latest)
                else:
                    connection.execute(
                        "DELETE FROM objects WHERE bucket = ? AND key = ?", (bucket, key)
                    )
                if old is not None and old[0] is not None and old[0] != file:
                    outdated.append(old[0])
        for name in outdated:
            (self._folder / name).unlink(missing_ok=True)

    def _write(
        self, connection: sqlite3.Connection, bucket: str, key: str, latest: Any
    ) -> str | None:
        file = None
        body: bytes | None = None
        if latest.contentsize > INLINE_BYTES:
            file = self._file_of(latest) or self._new_file(latest)
        else:
            body = latest.value
        connection.execute(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)",
            (bucket, key, json.dumps(self._properties(latest)), body, file),
        )
        return file

    def _file_of(self, key: Any) -> str | None:
        """Return the file that already holds an object's bytes (its tags changed, no more)."""
        path = Path(getattr(key._value_buffer, "name", None) or "")
        return path.name if path.parent == self._folder else None

    def _new_file(self, key: Any) -> str:
        name = uuid.uuid4().hex
        path = self._folder / name
        with path.open("wb") as stream:
            stream.write(key.value)
            stream.flush()
            os.fsync(stream.fileno())
        serve_from(key, path)
        return name

    def _properties(self, key: Any) -> dict[str, Any]:
        kept = {name: getattr(key, name) for name in _KEPT}
        kept["etag"] = key.etag.strip('"')
        kept["last_modified"] = key.last_modified.isoformat()
        kept["metadata"] = dict(key.metadata)
        kept["tags"] = self._backend.tagger.get_tag_dict_for_resource(key.arn)
        return kept

    def _restore_one(
        self, bucket: str, name: str, kept: dict[str, Any], body: bytes | None, file: str | None
    ) -> None:
        held = self._backend.get_bucket(bucket)
        key = FakeKey(
            name=name,
            value=body or b"",
            account_id=self._backend.account_id,
            region_name=self._backend.region_name,
            etag=kept["etag"],
            bucket_name=bucket,
        )
        for attribute in _KEPT:
            setattr(key, attribute, kept[attribute])
        key.last_modified = datetime.fromisoformat(kept["last_modified"])
        key.set_metadata(dict(kept["metadata"]), replace=True)
        if file is not None:
            serve_from(key, self._folder / file)
        held.keys.setlist(name, [key])
        if kept["tags"]:
            self._backend.put_object_tagging(key, kept["tags"])


def serve_from(key: Any, path: Path) -> None:
    """Have an object's bytes read from its file instead of from memory."""
    key._value_buffer.close()
    key._value_buffer = path.open("rb")
    key.contentsize = path.stat().st_size
