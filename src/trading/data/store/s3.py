"""Objects of an S3 bucket."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NoReturn

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from trading.data.store.base import StoredObject
from trading.data.store.key import checked_key
from trading.errors import ConflictError, NotFoundError, StoreError

MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
CONFLICTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


class S3Store:
    """An `ObjectStore` in an S3 bucket, below a prefix.

    Conditions are S3's own (`If-None-Match: *`, `If-Match`). boto3 retries a request whose answer
    was lost: the retry of a conditional write that had succeeded reports a conflict with itself, so
    after a `ConflictError` compare the object before concluding that another writer was there.

    Parameters
    ----------
    bucket : name of the bucket
    prefix : what every key begins with, without slashes at its ends
    client : an S3 client; by default one is made on first use from the environment
        (`AWS_ENDPOINT_URL`, region and credentials are boto3's business)
    """

    def __init__(self, bucket: str, prefix: str = "", *, client: Any = None) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._given = client
        self.uri = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"

    def __repr__(self) -> str:
        return f"S3Store({self.uri!r})"

    @cached_property
    def _client(self) -> Any:
        retries = {"mode": "standard", "max_attempts": 5}
        return self._given or boto3.client("s3", config=Config(retries=retries))

    def get(self, key: str) -> StoredObject:
        """Return an object; raises `NotFoundError`."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._name(key))
            return StoredObject(key, answer["Body"].read(), answer["ETag"])
        except (ClientError, BotoCoreError) as error:
            self._fail("read", key, error)

    def put(
        self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        """Write an object whole and return its etag.

        With `if_absent` an existing object, with `if_match` another etag or no object, raises
        `ConflictError`. Raises `StoreError` when S3 refuses the write.
        """
        conditions: dict[str, str] = {"IfNoneMatch": "*"} if if_absent else {}
        conditions |= {"IfMatch": if_match} if if_match is not None else {}
        try:
            answer = self._client.put_object(
                Bucket=self._bucket, Key=self._name(key), Body=body, **conditions
            )
        except (ClientError, BotoCoreError) as error:
            if conditions and _code(error) in CONFLICTS | MISSING:
                raise ConflictError(
                    f"{key!r} of {self.uri} "
                    + ("already exists" if if_absent else "was changed by another writer")
                    + "; read it again"
                ) from error
            self._fail("write", key, error)
        return str(answer["ETag"])

    def exists(self, key: str) -> bool:
        """Tell whether an object exists."""
        try:
            self._client.head_object(Bucket=self._bucket, Key=self._name(key))
        except (ClientError, BotoCoreError) as error:
            if _code(error) in MISSING:
                return False
            self._fail("look up", key, error)
        return True

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with `prefix`, sorted by their bytes."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        try:
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield entry["Key"].removeprefix(self._prefix)
        except (ClientError, BotoCoreError) as error:
            self._fail("list", prefix, error)

    def delete(self, key: str) -> None:
        """Remove an object; a missing one is fine."""
        try:
            self._client.delete_object(Bucket=self._bucket, Key=self._name(key))
        except (ClientError, BotoCoreError) as error:
            self._fail("delete", key, error)

    def _name(self, key: str) -> str:
        return self._prefix + checked_key(key)

    def _fail(self, verb: str, key: str, error: ClientError | BotoCoreError) -> NoReturn:
        if _code(error) in MISSING:
            raise NotFoundError(f"{self.uri} holds no object {key!r}") from error
        raise StoreError(f"cannot {verb} {key!r} of {self.uri}: {error}") from error


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""
