"""Every error class has a remedy: a new one of httpx, or of ours, fails here until it has."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.data.providers import failures
from trading.data.providers.failures import (
    HTTPX_REMEDIES,
    PROVIDER_REMEDIES,
    REMEDIES,
    RateLimited,
    Remedy,
    parse_retry_after,
    quoted,
    remedy_of,
    status_failure,
    transport_failure,
)
from trading.data.providers.yahoo import YahooProvider
from trading.errors import ProviderError, ProviderRefused, ProviderStopped, ProviderUnavailable

NOW = datetime(2024, 6, 29, 6, 0, tzinfo=UTC)
ERROR_OF = {
    Remedy.RETRY: ProviderUnavailable,
    Remedy.NEXT: ProviderRefused,
    Remedy.STOP: ProviderStopped,
}


def below(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for child in kind.__subclasses__():
        yield from below(child)


def httpx_exceptions() -> set[type[Exception]]:
    public = {
        value
        for value in vars(httpx).values()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    whole = {kind for root in public for kind in below(root)}
    return {kind for kind in whole if kind.__module__.split(".")[0] == "httpx"}


def test_every_exception_of_httpx_is_mapped_by_its_own_name() -> None:
    assert len(httpx_exceptions()) > 25
    assert httpx_exceptions() == set(HTTPX_REMEDIES)


def test_every_public_error_of_a_provider_is_mapped_by_its_own_name() -> None:
    public = {kind for kind in below(ProviderError) if not kind.__name__.startswith("_")}
    ours = {kind for kind in public if kind.__module__.startswith("trading.")}
    assert ours == set(PROVIDER_REMEDIES)


def test_every_error_of_a_provider_is_mapped() -> None:
    assert YahooProvider
    for kind in below(ProviderError):
        assert any(parent in PROVIDER_REMEDIES for parent in kind.__mro__), kind
        base = next(k for k in kind.__mro__ if k in PROVIDER_REMEDIES)
        for remedy, ours in ERROR_OF.items():
            if issubclass(kind, ours):
                assert PROVIDER_REMEDIES[base] is remedy, kind


@pytest.mark.parametrize("kind", sorted(REMEDIES, key=lambda k: k.__name__))
def test_a_transport_failure_becomes_the_error_of_its_remedy(kind: type[Exception]) -> None:
    error = kind.__new__(kind)
    found = transport_failure(error, "iex", "the bars of A")
    assert type(found) is ERROR_OF[REMEDIES[kind]]
    assert kind.__name__ in str(found)


def test_what_is_no_failure_of_a_provider_has_no_remedy() -> None:
    for stranger in (KeyError("a"), ValueError("b"), KeyboardInterrupt(), AssertionError()):
        assert remedy_of(stranger) is None
    assert remedy_of(ConnectionResetError()) is Remedy.RETRY


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_is_an_answer_or_a_named_error(status: int) -> None:
    found = status_failure(status, None, "polygon", "the market", "words", NOW)
    assert (found is None) == (200 <= status < 300)
    if found is not None:
        assert remedy_of(found) in Remedy
        assert f"polygon answered {status} for the market (words)" in str(found)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, RateLimited),
        (500, ProviderUnavailable),
        (503, ProviderUnavailable),
        (408, ProviderUnavailable),
        (404, ProviderRefused),
        (400, ProviderRefused),
        (401, ProviderStopped),
        (403, ProviderStopped),
        (402, ProviderStopped),
        (301, ProviderStopped),
    ],
)
def test_what_a_status_asks_for(status: int, kind: type[ProviderError]) -> None:
    assert type(status_failure(status, None, "iex", "it", "", NOW)) is kind


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("Sat, 29 Jun 2024 06:00:30 GMT", 30.0),
        ("Saturday, 29-Jun-24 06:01:00 GMT", 60.0),
        ("Sat, 29 Jun 2024 05:00:00 GMT", 0.0),
        ("Sat Jun 29 06:00:05 2024", 5.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("9" * 400, None),
        ("٣", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert parse_retry_after(text, NOW) == seconds


@given(st.text())
def test_any_retry_after_is_read_or_none(text: str) -> None:
    found = parse_retry_after(text, NOW)
    assert found is None or found >= 0


@given(st.text(alphabet=st.characters(codec=None), max_size=400) | st.integers() | st.none())
def test_quoted_text_is_short_plain_and_one_line(value: object) -> None:
    shown = quoted(value)
    assert shown.isascii()
    assert "\n" not in shown
    assert len(shown) <= failures.QUOTED_CHARACTERS + 3
