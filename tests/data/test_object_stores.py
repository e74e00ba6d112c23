"""One contract, kept by the folder and by S3."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.data.store import open_store
from trading.data.store.base import ObjectStore
from trading.data.store.folder import FolderStore
from trading.data.store.key import checked_key
from trading.data.store.s3 import S3Store
from trading.errors import ConflictError, NotFoundError, StoreError


def test_what_is_put_is_got(store: ObjectStore) -> None:
    tag = store.put("a/b.bin", b"\x00one")
    held = store.get("a/b.bin")
    assert (held.key, held.body, held.etag) == ("a/b.bin", b"\x00one", tag)
    assert store.exists("a/b.bin")


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    store.put("empty", b"")
    assert store.get("empty").body == b""
    assert store.exists("empty")


def test_a_missing_object_is_told_by_name(store: ObjectStore) -> None:
    assert not store.exists("a/none")
    with pytest.raises(NotFoundError, match="a/none"):
        store.get("a/none")
    store.delete("a/none")


def test_the_tag_changes_with_the_bytes_and_only_with_them(store: ObjectStore) -> None:
    first = store.put("k", b"1")
    assert store.put("k", b"1") == first
    assert store.put("k", b"2") != first


def test_if_absent_writes_once(store: ObjectStore) -> None:
    store.put("k", b"1", if_absent=True)
    with pytest.raises(ConflictError, match="k"):
        store.put("k", b"2", if_absent=True)
    assert store.get("k").body == b"1"
    store.delete("k")
    store.put("k", b"3", if_absent=True)
    assert store.get("k").body == b"3"


def test_if_match_writes_over_what_was_read_only(store: ObjectStore) -> None:
    read = store.put("k", b"1")
    second = store.put("k", b"2", if_match=read)
    with pytest.raises(ConflictError):
        store.put("k", b"3", if_match=read)
    assert store.get("k").body == b"2"
    store.put("k", b"4", if_match=second)
    with pytest.raises(ConflictError):
        store.put("none", b"5", if_match=second)
    assert not store.exists("none")


def test_keys_are_sorted_and_begin_with_the_prefix(store: ObjectStore) -> None:
    for key in ("b/z", "b/a/x", "b-1", "a", "bars/year=2020.parquet", "é"):
        store.put(key, b"x")
    assert list(store.keys()) == ["a", "b-1", "b/a/x", "b/z", "bars/year=2020.parquet", "é"]
    assert list(store.keys("b/")) == ["b/a/x", "b/z"]
    assert list(store.keys("b")) == ["b-1", "b/a/x", "b/z", "bars/year=2020.parquet"]
    assert list(store.keys("b/a/x")) == ["b/a/x"]
    assert list(store.keys("none/")) == []
    store.delete("b/z")
    assert list(store.keys("b/")) == ["b/a/x"]


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", ".store/lock", "a\\b"])
def test_a_key_that_leaves_the_store_is_refused(store: ObjectStore, key: str) -> None:
    with pytest.raises(StoreError, match="not a valid key"):
        store.put(key, b"x")


@given(st.text(max_size=40))
def test_a_checked_key_stays_below_its_folder(text: str) -> None:
    try:
        key = checked_key(text)
    except StoreError:
        return
    root = Path("/root-of-the-store")
    assert root in (root / key).parents
    assert ".." not in (root / key).parts


def test_of_many_writers_at_once_one_wins_each_round(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("counter", b"0")

    def add(times: int) -> None:
        while times:
            held = store.get("counter")
            try:
                store.put("counter", str(int(held.body) + 1).encode(), if_match=held.etag)
            except ConflictError:
                continue
            times -= 1

    threads = [threading.Thread(target=add, args=(15,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("counter").body == b"60"


def test_a_key_below_an_object_is_one_clear_error(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a", b"1")
    with pytest.raises(StoreError, match="cannot write 'a/b'"):
        store.put("a/b", b"2")


def test_a_missing_bucket_is_not_a_missing_object(s3_store: S3Store) -> None:
    with pytest.raises(StoreError, match="nowhere") as caught:
        S3Store("nowhere").get("k")
    assert not isinstance(caught.value, NotFoundError)


def test_locations_name_stores(tmp_path: Path) -> None:
    assert open_store("s3://bucket/a/b/").uri == "s3://bucket/a/b"
    assert open_store("s3://bucket").uri == "s3://bucket"
    assert open_store(tmp_path).uri == open_store(str(tmp_path)).uri == tmp_path.as_uri()
    spaced = tmp_path / "with space"
    open_store(spaced).put("k", b"1")
    assert open_store(spaced.as_uri()).get("k").body == b"1"
    for wrong in ("http://bucket/x", "s3://", "", "file://elsewhere/x"):
        with pytest.raises(StoreError):
            open_store(wrong)
