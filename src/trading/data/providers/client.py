"""The one way in which every provider is asked: limits, retries, timeouts, breaker, secrecy."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from types import TracebackType
from typing import Self, TypeVar

import httpx

from trading.config import ProvidersSettings
from trading.data.providers.body import ACCEPTED_ENCODINGS, read_body
from trading.data.providers.clock import Clock, LoopClock
from trading.data.providers.failures import (
    CircuitOpen,
    QuotaExhausted,
    RateLimited,
    parse_http_date,
    quoted,
    remedy_of,
    status_failure,
    transport_failure,
)
from trading.data.providers.limits import CircuitBreaker, RetryBudget, TokenBucket, full_jitter
from trading.data.providers.plans import Plan
from trading.data.providers.proxy import proxy_of
from trading.data.providers.secrecy import KeyPlacement, KeyTransport, redact
from trading.errors import ProviderError, ProviderStopped, ProviderUnavailable

Read = TypeVar("Read")
RETRY_RESERVE = 30.0
SHORTEST_WAIT = 0.001
# A service whose Date is further off has no clock worth believing.
BELIEVED_DATES = timedelta(days=30)
HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; trading-signals/0.1)",
    "Accept": "application/json",
    "Accept-Encoding": ACCEPTED_ENCODINGS,
}


@dataclass(frozen=True)
class Answer:
    """One answer of a service: its status, headers and body, decoded from its content encoding."""

    status: int
    headers: httpx.Headers
    body: bytes


@dataclass
class CallCount:
    """What the client did: attempts sent, of which retries, and seconds waited between them.

    `answered` attempts took `answering` seconds in all, from the request to the end of the body.
    """

    attempts: int = 0
    retries: int = 0
    waited: float = 0.0
    answered: int = 0
    answering: float = 0.0


class ProviderClient:
    """Asks one service, within its limits and until it answers or the failure is certain.

    A request waits for its turn (concurrency, token bucket), is tried `settings.attempts` times
    with exponential backoff and full jitter while its failure is one to retry, honours
    `Retry-After` for every request of the service, and ends in the answer's content or in a
    `ProviderError`. Limits and breaker outlive `async with`, which opens the connections.
    `oldest_answer` is when, by the service's own clock, the oldest answer was made since somebody
    set it to None.

    Parameters
    ----------
    name : the provider's, for errors
    base_url : where the service is
    plan : its limits
    settings : timeouts, attempts, budget and breaker
    key : the API key and where it goes, None for a service without one
    clock, transport, random : stand in for the machine's in tests
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        plan: Plan,
        settings: ProvidersSettings,
        *,
        key: KeyPlacement | None = None,
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        random: Random | None = None,
    ) -> None:
        self.name = name
        self.plan = plan
        self.clock: Clock = clock or LoopClock()
        self.calls = CallCount()
        self._base_url = httpx.URL(base_url)
        self._settings = settings
        self._key = key
        self._transport = transport
        self._proxy = None if transport else proxy_of(base_url)
        self._uniform = (random or Random()).uniform
        self._bucket = TokenBucket(plan.per_minute / 60.0, plan.burst, self.clock)
        self._budget = RetryBudget(settings.retry_ratio, RETRY_RESERVE)
        self._breaker = CircuitBreaker(
            settings.breaker_failures, settings.breaker_seconds, self.clock
        )
        self.oldest_answer: datetime | None = None
        self._resume_at = float("-inf")
        self._quota = _DailyQuota(plan.per_day, self.clock)
        self._stopped: ProviderStopped | None = None
        self._http: httpx.AsyncClient | None = None
        self._turns: asyncio.Semaphore | None = None
        self._opened = 0

    async def __aenter__(self) -> Self:
        self._opened += 1
        if self._opened == 1:
            inner = self._transport or httpx.AsyncHTTPTransport(
                limits=httpx.Limits(max_connections=self.plan.concurrency),
                http2=False,
                proxy=self._proxy,
            )
            self._stopped = None
            self._turns = asyncio.Semaphore(self.plan.concurrency)
            self._http = httpx.AsyncClient(
                transport=KeyTransport(inner, self._key) if self._key else inner,
                timeout=self._settings.timeout_seconds,
                headers=HEADERS,
                follow_redirects=False,
                trust_env=False,
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened -= 1
        if self._opened == 0 and self._http is not None:
            if self._transport is None:
                await self._http.aclose()
            self._http = None

    async def get(
        self,
        path: str,
        parameters: Mapping[str, str | int],
        read: Callable[[Answer], Read],
        *,
        what: str,
        explain: Callable[[Answer], ProviderError | None] | None = None,
    ) -> Read:
        """Return what `read` makes of the answer.

        Parameters
        ----------
        path : below the base URL, beginning with `/`
        parameters : of the query, without the key
        read : turns a successful answer into content, or raises a `ProviderError`
        what : what is asked for, in words, for errors
        explain : the service's own way to tell an error, whatever the status; None for no error

        Raises `ProviderError`: `ProviderRefused` for the next provider, `ProviderStopped` to stop
        and tell, `ProviderUnavailable` when every attempt failed.
        """
        self._budget.earn()
        for attempt in range(self._settings.attempts):
            try:
                return await self._attempt(path, parameters, read, what, explain)
            except ProviderUnavailable as error:
                if attempt + 1 == self._settings.attempts:
                    raise
                await self._pause(error, attempt)
        raise AssertionError("attempts is positive")

    def redacted(self, text: str) -> str:
        """Return `text` without the key, as it is written or escaped."""
        return redact(text, self._key)

    def said(self, answer: Answer) -> str:
        """Return the text of an answer for a sentence: without the key, plain and short."""
        return quoted(self.redacted(answer.body.decode("utf-8", "replace")))

    async def _pause(self, error: ProviderUnavailable, attempt: int) -> None:
        if not self._budget.spend():
            raise ProviderUnavailable(
                f"{error} (the budget of retries is used up: {self.name} fails too often)"
            ) from error
        settings = self._settings
        wait = full_jitter(
            attempt, settings.backoff_seconds, settings.max_wait_seconds, self._uniform
        )
        if isinstance(error, RateLimited) and error.retry_after is not None:
            # Nobody of this service's callers asks before then, and not all at once after it.
            self._resume_at = max(self._resume_at, self.clock.monotonic() + error.retry_after)
            self._refuse_long_waits(str(error))
            wait += error.retry_after
        self.calls.retries += 1
        self.calls.waited += wait
        await self.clock.sleep(wait)

    async def _attempt(
        self,
        path: str,
        parameters: Mapping[str, str | int],
        read: Callable[[Answer], Read],
        what: str,
        explain: Callable[[Answer], ProviderError | None] | None,
    ) -> Read:
        if self._turns is None:
            raise RuntimeError("the client is used outside `async with`")
        async with self._turns:
            await self._admit(what)
            try:
                answer = await self._send(path, parameters, what)
                self._raise_failure(answer, what, explain)
                content = read(answer)
            except ProviderError as error:
                error.args = (self.redacted(str(error)),)
                self._judge(error)
                raise
            except BaseException:
                self._breaker.released()
                raise
            self._breaker.succeeded()
            return content

    async def _admit(self, what: str) -> None:
        """Wait for the limits; raises when the provider is not to be asked now."""
        if self._stopped is not None:
            raise ProviderStopped(str(self._stopped))
        if not self._breaker.allows():
            raise CircuitOpen(
                f"{self.name} failed {self._settings.breaker_failures} times in a row and is left "
                f"alone for {self._settings.breaker_seconds:g} s; {what} was not asked"
            )
        try:
            self._refuse_long_waits(f"{what} was not asked")
            while (wait := self._resume_at - self.clock.monotonic()) > 0:
                # A timer may ring a rounding error early; a wait of that length would spin.
                await self.clock.sleep(max(wait, SHORTEST_WAIT))
            await self._bucket.acquire()
            self._quota.take(self.name, what)
        except BaseException:
            self._breaker.released()
            raise

    def _refuse_long_waits(self, told: str) -> None:
        wait, longest = self._resume_at - self.clock.monotonic(), self._settings.max_wait_seconds
        if wait > longest:
            raise CircuitOpen(
                f"{told} ({self.name} wants to be left alone for {wait:,.0f} s, longer than the "
                f"{longest:,.0f} s of data.providers.max_wait_seconds)"
            )

    async def _send(self, path: str, parameters: Mapping[str, str | int], what: str) -> Answer:
        if self._http is None:
            raise RuntimeError("the client is used outside `async with`")
        base, begun = str(self._base_url).rstrip("/"), self.clock.monotonic()
        self.calls.attempts += 1
        try:
            # httpx bounds each read; this bounds the sum, against a server that drips.
            async with asyncio.timeout(self._settings.timeout_seconds):
                async with self._http.stream("GET", base + path, params=dict(parameters)) as sent:
                    body = await read_body(sent, self.name, what)
                    self.calls.answered += 1
                    self.calls.answering += self.clock.monotonic() - begun
                    self._note_date(sent.headers.get("Date"))
                    return Answer(sent.status_code, sent.headers, body)
        except ProviderError:
            raise
        except Exception as error:
            if remedy_of(error) is None:
                raise
            # The cause is left out on purpose: its request knows the URL.
            raise transport_failure(error, self.name, what) from None

    def _note_date(self, told: str | None) -> None:
        """Note when an answer was made by the service's own clock (RFC 9110, 6.6.1)."""
        now = self.clock.now()
        made = parse_http_date(told)
        if made is not None and abs(made - now) < BELIEVED_DATES:
            self.oldest_answer = min(made, self.oldest_answer or made)

    def _raise_failure(
        self, answer: Answer, what: str, explain: Callable[[Answer], ProviderError | None] | None
    ) -> None:
        page = answer.body.lstrip()[:1] == b"<"
        # No service words its own refusals as a page: the word is a gateway's.
        error = explain(answer) if explain and not page else None
        if error is None:
            error = status_failure(
                answer.status,
                answer.headers.get("Retry-After"),
                self.name,
                what,
                "" if page else self.said(answer),
                self.clock.now(),
                page=page,
            )
        if error is not None:
            raise error

    def _judge(self, error: ProviderError) -> None:
        if isinstance(error, ProviderStopped):
            self._stopped = error
        if isinstance(error, QuotaExhausted):
            self._quota.exhaust(str(error))
        if isinstance(error, ProviderUnavailable) and not isinstance(error, RateLimited):
            self._breaker.failed()
        else:
            self._breaker.succeeded()


@dataclass
class _DailyQuota:
    """Requests of a day by UTC; a service that says it is used up is believed until midnight."""

    limit: int | None
    clock: Clock
    _day: object = None
    _taken: int = 0
    _said: str | None = field(default=None)

    def take(self, provider: str, what: str) -> None:
        today = self.clock.now().date()
        if today != self._day:
            self._day, self._taken, self._said = today, 0, None
        if self._said is not None:
            raise QuotaExhausted(self._said)
        if self.limit is not None and self._taken >= self.limit:
            raise QuotaExhausted(
                f"the {self.limit:,} requests a day of the plan of {provider} are used up; {what} "
                "was not asked"
            )
        self._taken += 1

    def exhaust(self, said: str) -> None:
        self._day, self._said = self.clock.now().date(), said
