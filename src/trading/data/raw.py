"""The raw layer of a lake: what came, as it came, written once."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from trading.data.actions.told import ToldAction, decode_told, encode_told, tell
from trading.data.manifest import Manifest, describe
from trading.data.parquet import BarColumns, decode_bars, encode_bars
from trading.data.providers.base import FetchResult
from trading.data.store.base import ObjectStore
from trading.errors import ConflictError, DataError, NotFoundError
from trading.market.bars import FIELDS

TOLD = "corporate_actions/told"


@dataclass(frozen=True)
class RawLayer:
    """Raw batches in an object store: bars, their actions, and a manifest that is written last.

    Parameters
    ----------
    store : where the objects are
    """

    store: ObjectStore

    def write(
        self, fetched: FetchResult, bars: BarColumns, identity: str, *, simulated: bool
    ) -> Manifest:
        """Keep a batch and return its manifest, the one that is there when it came before."""
        folder = self._folder(bars, identity)
        manifest_key = f"{folder}/manifest.json"
        if self.store.exists(manifest_key):
            return self.manifest(manifest_key)
        bodies = {"bars": encode_bars(bars)}
        if fetched.actions:
            told = tell(fetched.actions, bars.adjusted_through)
            bodies["actions"] = encode_told(told)
        if fetched.provenance is not None:
            bodies["provenance"] = _encode_frame(fetched.provenance)
        keys = self._put_batch(folder, bodies, identity)
        manifest = describe(
            fetched,
            bars,
            identity=identity,
            key=keys["bars"],
            body=bodies["bars"],
            simulated=simulated,
        )
        try:
            self.store.put(manifest_key, manifest.to_json(), if_absent=True)
        except ConflictError:
            held = self.manifest(manifest_key)
            if held.id != identity:
                raise
            return held
        return manifest

    def write_actions(self, told: tuple[ToldAction, ...]) -> None:
        """Keep actions that came without bars."""
        body = encode_told(told)
        key = f"{TOLD}/{told[0].told}-{hashlib.sha256(body).hexdigest()[:16]}.parquet"
        put_if_changed(self.store, key, body)

    def manifest(self, key: str) -> Manifest:
        """Return a manifest; raises `DataError` when the object is none."""
        return Manifest.from_json(self.store.get(key).body, key)

    def manifests(self) -> Iterator[str]:
        """Yield the keys of all manifests."""
        return (key for key in self.store.keys("data/") if key.endswith("/manifest.json"))

    def bars(self, manifest_key: str, fields: tuple[str, ...] = FIELDS) -> BarColumns:
        """Return the bars of a batch; raises `DataError` when they are not what its manifest says.

        Only the values of `fields` are decoded.
        """
        manifest = self.manifest(manifest_key)
        body = self.store.get(manifest.key).body
        if hashlib.sha256(body).hexdigest() != manifest.checksum:
            raise DataError(
                f"the raw object {manifest.key} of {self.store.uri} does not match the "
                f"checksum of its manifest ({manifest.checksum}); restore it from a backup"
            )
        bars = decode_bars(body, manifest.key, fields)
        if manifest.adjusted_through is None and bars.basis is None:
            # Written before batches said it: a file's last session is the best that is known.
            bars = replace(bars, basis=np.maximum(bars.day, np.datetime64(manifest.last, "D")))
        return bars

    def told(self, manifests: Iterator[Manifest]) -> Iterator[ToldAction]:
        """Yield the actions of batches in their order, then those that came without bars."""
        for manifest in manifests:
            if manifest.actions:
                folder, _, name = manifest.key.rpartition("/")
                key = f"{folder}/{name.replace('bars', 'actions')}"
                yield from decode_told(self.store.get(key).body, key)
        for key in self.store.keys(f"{TOLD}/"):
            yield from decode_told(self.store.get(key).body, key)

    def _folder(self, bars: BarColumns, identity: str) -> str:
        """Return the folder: a session has its own; what restates it, or is longer, an import."""
        first, last = bars.day.min(), bars.day.max()
        if first == last:
            folder = f"data/{str(first).replace('-', '/')}"
            key = f"{folder}/manifest.json"
            if not self.store.exists(key) or self.manifest(key).id == identity:
                return folder
        return f"data/imports/{identity}"

    def _put_batch(self, folder: str, bodies: dict[str, bytes], identity: str) -> dict[str, str]:
        """Write the objects of a batch; return their keys.

        What a killed writer left there, or another writes at this moment, is not touched: then the
        objects bear the batch's identity in their names.
        """
        keys = {name: f"{folder}/{name}.parquet" for name in bodies}
        try:
            for name, key in keys.items():
                self._put_once(key, bodies[name])
        except ConflictError:
            keys = {name: f"{folder}/{name}-{identity[:16]}.parquet" for name in bodies}
            for name, key in keys.items():
                put_if_changed(self.store, key, bodies[name])
        return keys

    def _put_once(self, key: str, body: bytes) -> None:
        try:
            self.store.put(key, body, if_absent=True)
        except ConflictError:
            if self.store.get(key).body != body:
                raise


def put_if_changed(store: ObjectStore, key: str, body: bytes) -> int:
    """Write an object unless it holds these bytes; returns 1 when it wrote, else 0.

    Raises `ConflictError` when another writer was there in between.
    """
    try:
        held = store.get(key)
    except NotFoundError:
        store.put(key, body, if_absent=True)
        return 1
    if held.body == body:
        return 0
    store.put(key, body, if_match=held.etag)
    return 1


def _encode_frame(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
