"""One contract, kept by memory and by a real Redis server; what each adds; stampedes."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from real_servers import RedisServer, redis_server

from trading.data.cache import Cache, MemoryCache, ReadThrough, open_cache
from trading.data.cache.redis import RedisCache
from trading.errors import ConfigurationError


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture(params=["memory", "redis"])
def cache(request: pytest.FixtureRequest) -> Iterator[Cache]:
    if request.param == "memory":
        yield MemoryCache()
        return
    server: RedisServer = request.getfixturevalue("server")
    held = RedisCache.from_url(server.url, namespace=request.node.name)
    yield held
    held.close()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


def test_what_is_put_is_got_until_it_is_deleted(cache: Cache) -> None:
    assert cache.get("a") is None
    cache.put("a", b"\x00\xff" * 1000)
    cache.put("", b"")
    cache.put("ключ 键", b"1")
    assert cache.get("a") == b"\x00\xff" * 1000
    assert cache.get("") == b""
    assert cache.get("ключ 键") == b"1"
    cache.put("a", b"2")
    assert cache.get("a") == b"2"
    assert cache.delete("a")
    assert cache.delete("a")
    assert cache.get("a") is None
    assert (cache.statistics().hits, cache.statistics().misses) == (4, 2)


def test_an_entry_expires(cache: Cache) -> None:
    cache.put("short", b"1", ttl=0.05)
    cache.put("long", b"1")
    wait_until(lambda: cache.get("short") is None)
    assert cache.get("long") == b"1"
    cache.put("long", b"2", ttl=0)
    assert cache.get("long") is None


def test_a_counter_counts_across_threads(cache: Cache) -> None:
    assert cache.counter("n") == 0
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: cache.increment("n"), range(200)))
    assert sorted(n for n in found if n is not None) == list(range(1, 201))
    assert cache.counter("n") == 200


def test_one_holder_of_a_lock_at_a_time(cache: Cache) -> None:
    token = cache.acquire("lock", 60)
    assert token is not None
    assert cache.acquire("lock", 60) is None
    cache.release("lock", "of another")
    assert cache.acquire("lock", 60) is None
    cache.release("lock", token)
    assert cache.acquire("lock", 0.05) is not None
    wait_until(lambda: cache.acquire("lock", 60) is not None)


def test_one_load_for_many_who_miss(cache: Cache) -> None:
    loads: list[int] = []
    everyone = threading.Barrier(8)
    # Two of them, as two processes that share the cache would have.
    readers = [ReadThrough(cache, poll=0.001) for _ in range(2)]

    def load() -> bytes:
        loads.append(1)
        time.sleep(0.1)
        return b"made"

    def ask(i: int) -> bytes:
        everyone.wait()
        return readers[i % 2].get("key", load)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == [b"made"] * 8
    assert len(loads) == 1


def test_a_failed_load_is_told_to_its_maker_and_tried_by_the_next(cache: Cache) -> None:
    reader = ReadThrough(cache)

    def fail() -> bytes:
        raise ValueError("the source is down")

    with pytest.raises(ValueError, match="the source is down"):
        reader.get("key", fail)
    assert reader.get("key", lambda: b"up again") == b"up again"
    assert reader.get("key", fail) == b"up again"


def test_a_lock_left_by_the_dead_is_waited_for_no_longer_than_patience(cache: Cache) -> None:
    assert cache.acquire("key:lock", 3600) is not None
    assert ReadThrough(cache, patience=0.05, poll=0.005).get("key", lambda: b"1") == b"1"


def test_the_least_recently_used_goes_first() -> None:
    cache = MemoryCache(max_entries=2)
    cache.put("a", b"1")
    cache.put("b", b"2")
    cache.get("a")
    cache.put("c", b"3")
    assert [cache.get(key) for key in "abc"] == [b"1", None, b"3"]
    assert cache.statistics().evictions == 1


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.binary(max_size=40)), max_size=60))
def test_memory_stays_within_its_bounds(puts: list[tuple[str, bytes]]) -> None:
    cache = MemoryCache(max_entries=4, max_bytes=90)
    latest: dict[str, bytes] = {}
    for key, value in puts:
        cache.put(key, value)
        latest[key] = value
        entries, held = cache.size
        assert entries <= 4
        assert held <= 90
        assert cache.get(key) == value
    found = {key: cache.get(key) for key in latest}
    assert all(value in (None, latest[key]) for key, value in found.items())
    assert cache.size[1] == sum(1 + len(v) for v in found.values() if v is not None)


def test_a_value_larger_than_the_cache_is_not_kept() -> None:
    cache = MemoryCache(max_bytes=10)
    cache.put("small", b"1")
    cache.put("large", b"1" * 11)
    assert cache.get("large") is None
    assert cache.get("small") == b"1"


def test_time_is_the_clocks() -> None:
    now = [0.0]
    cache = MemoryCache(10, clock=lambda: now[0])
    cache.put("a", b"1")
    now[0] = 9.999
    assert cache.get("a") == b"1"
    now[0] = 10.0
    assert cache.get("a") is None


@pytest.mark.parametrize("bounds", [{"ttl": 0}, {"max_entries": 0}, {"max_bytes": -1}])
def test_bounds_must_be_positive(bounds: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="positive"):
        MemoryCache(**bounds)  # type: ignore[arg-type]


def test_redis_that_dies_is_a_miss_and_a_warning_then_comes_back() -> None:
    now = [0.0]
    with redis_server() as own:
        cache = RedisCache.from_url(own.url, pause=5, clock=lambda: now[0])
        reader = ReadThrough(cache)
        assert reader.get("key", lambda: b"1") == b"1"
        own.stop()
        with structlog.testing.capture_logs() as logs:
            assert reader.get("key", lambda: b"from the source") == b"from the source"
            assert not cache.delete("key")
            assert cache.increment("n") is None
            assert cache.counter("n") is None
        warnings = [entry for entry in logs if entry["log_level"] == "warning"]
        assert len(warnings) == 1, "while it rests the server is not asked again"
        assert warnings[0]["again_in_seconds"] == 5
        assert cache.statistics().failures > 3
        own.start()
        now[0] = 6.0
        cache.put("key", b"2")
        assert cache.get("key") == b"2"
        cache.close()


def test_two_namespaces_share_a_server(server: RedisServer) -> None:
    one = RedisCache.from_url(server.url, namespace="one")
    two = RedisCache.from_url(server.url, namespace="two")
    one.put("key", b"1")
    assert two.get("key") is None
    one.close()
    two.close()


def test_an_address_names_a_cache(server: RedisServer) -> None:
    assert isinstance(open_cache("memory:"), MemoryCache)
    shared = open_cache(server.url)
    shared.put("address", b"1")
    assert shared.get("address") == b"1"
    assert isinstance(shared, RedisCache)
    shared.close()
    with pytest.raises(ConfigurationError, match="no Redis URL") as caught:
        open_cache("http://user:canary-7f3@host")
    assert "canary" not in str(caught.value)
