"""Answers of a provider that are kept until their sessions are stored.

A provider that answers one symbol a request needs minutes for a market. Its answers are kept in
parts under ``intake/parts/<provider>/``, so that whoever is killed in between does not ask again:
the same questions are answered from the parts, and only the rest goes to the service.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from hashlib import sha256

import pandas as pd

from trading.data.intake.encoding import Answered
from trading.data.intake.pulse import Pulse
from trading.data.providers.base import DataProvider, FetchResult, MissingBars
from trading.data.providers.failures import may_pass, settled
from trading.data.providers.fallback import TellsActions
from trading.data.providers.gaps import missing_bars
from trading.data.providers.vendor import worst_of
from trading.data.report import IngestReport
from trading.data.store.base import ObjectStore
from trading.errors import ProviderError
from trading.market.bars import CorporateAction, empty_bars
from trading.market.calendar import sessions_between
from trading.market.panel import SessionArray

PARTS = "intake/parts/"
# Older parts are asked again: a vendor adjusts, and corrects, what it told before.
KEPT_DAYS = 7


@dataclass
class Parts:
    """The kept answers of one provider to questions about one span of sessions.

    Attributes
    ----------
    store : the lake's
    provider : whose answers
    first, last : the span
    through : the last session that is over: vendors have adjusted their bars through it
    splits : day of the last known split of a symbol: an answer from before it is on another scale
    """

    store: ObjectStore
    provider: str
    first: date
    last: date
    through: date
    splits: Mapping[str, date] = field(default_factory=dict)
    _key_of: dict[str, str] = field(default_factory=dict)
    _through: set[date] = field(default_factory=set)

    @property
    def folder(self) -> str:
        """Where the parts of this provider and span lie."""
        return f"{PARTS}{self.provider}/{self.first}_{self.last}/"

    @property
    def oldest(self) -> date:
        """The earliest session through which an answer in use is adjusted."""
        return min(self._through, default=self.through)

    def load(self) -> None:
        """Find what an earlier run left; what is too old is removed."""
        for key in list(self.store.keys(self.folder)):
            through = date.fromisoformat(key.removeprefix(self.folder).split("/")[0])
            if through < self.through - timedelta(days=KEPT_DAYS):
                self.store.delete(key)
                continue
            answer = Answered.from_bytes(self.store.get(key).body, key)
            passing = {gap.symbol for gap in answer.result.missing if gap.may_pass}
            for symbol in answer.symbols or ():
                if symbol not in passing and self.splits.get(symbol, date.min) <= through:
                    self._key_of[symbol] = key
                    self._through.add(through)

    def keep(self, symbols: Sequence[str], result: FetchResult) -> None:
        """Keep the answer about `symbols`."""
        answer = Answered(tuple(symbols), self.first, self.last, self.through, result)
        name = sha256("\n".join(sorted(symbols)).encode()).hexdigest()[:24]
        key = f"{self.folder}{self.through}/{name}.part"
        self.store.put(key, answer.to_bytes())
        self._through.add(self.through)
        self._key_of |= dict.fromkeys(symbols, key)

    def held(self, symbols: Sequence[str]) -> Iterator[Answered]:
        """Yield the kept answers about `symbols`, each cut to those of them that it is to tell."""
        wanted: dict[str, list[str]] = {}
        for symbol in symbols:
            if symbol in self._key_of:
                wanted.setdefault(self._key_of[symbol], []).append(symbol)
        for key in sorted(wanted):
            answer = Answered.from_bytes(self.store.get(key).body, key)
            names = tuple(wanted[key])
            yield replace(answer, symbols=names, result=_of_symbols(answer.result, names))


def clear_parts(store: ObjectStore, first: date, last: date, through: date) -> None:
    """Remove what is kept of spans inside `first` to `last`, and what is too old to be used."""
    oldest = through - timedelta(days=KEPT_DAYS)
    for key in list(store.keys(PARTS)):
        span, asked = key.split("/")[-3:-1]
        begin, end = (date.fromisoformat(day) for day in span.split("_"))
        if (first <= begin and end <= last) or date.fromisoformat(asked) < oldest:
            store.delete(key)


class KeptAnswers:
    """A provider whose finished answers are kept, see the module.

    Parameters
    ----------
    provider : who is asked
    parts : where its answers are kept
    chunk : how many symbols one part holds
    pulse : asked between parts
    exchange : whose sessions
    told : called with the number of symbols answered so far, and of all, after each part
    """

    def __init__(
        self,
        provider: DataProvider,
        parts: Parts,
        *,
        chunk: int,
        pulse: Pulse,
        exchange: str,
        told: Callable[[str, int, int], None],
    ) -> None:
        self.name = provider.name
        self.simulated = provider.simulated
        self._provider = provider
        self._parts = parts
        self._chunk = chunk
        self._pulse = pulse
        self._exchange = exchange
        self._told = told
        self._asked: set[str] = set()

    def begin(self) -> None:
        """Begin with other sessions: kept answers count again for every symbol.

        Within the same sessions a symbol that is asked a second time is asked from the service.
        """
        self._asked.clear()

    def last_session(self) -> date | None:
        """Return the provider's last session."""
        return self._provider.last_session()

    async def fetch(self, symbols: Sequence[str] | None, start: date, end: date) -> FetchResult:
        """Return the bars of `symbols`, those of the whole span being asked at once."""
        if symbols is None:
            return await self._provider.fetch(None, start, end)
        first_time = [symbol for symbol in symbols if symbol not in self._asked]
        self._asked.update(symbols)
        answers = list(self._parts.held(first_time))
        known = {symbol for answer in answers for symbol in answer.symbols or ()}
        rest = [symbol for symbol in symbols if symbol not in known]
        failures: dict[str, ProviderError] = {}
        results = [answer.result for answer in answers]
        for spot in range(0, len(rest), self._chunk):
            self._pulse.check()
            chunk = rest[spot : spot + self._chunk]
            result = await self._one(chunk, failures)
            if result is not None:
                results.append(result)
            self._told(self.name, len(symbols) - len(rest) + spot + len(chunk), len(symbols))
        if failures and not any(len(result.bars) for result in results):
            raise worst_of(failures.values())
        return _joined(results, failures, self.name, sessions_between(start, end, self._exchange))

    async def _one(
        self, chunk: Sequence[str], failures: dict[str, ProviderError]
    ) -> FetchResult | None:
        try:
            result = await self._provider.fetch(chunk, self._parts.first, self._parts.last)
        except ProviderError as error:
            failures |= dict.fromkeys(chunk, error)
            return None
        self._parts.keep(chunk, result)
        return result


class ActionsOnce:
    """The corporate actions of a provider over a span, asked at most once.

    Parameters
    ----------
    provider : who is asked
    first, last : the span
    """

    def __init__(self, provider: TellsActions, first: date, last: date) -> None:
        self._provider = provider
        self._first, self._last = first, last
        self._told: tuple[CorporateAction, ...] | None = None

    async def between(self, start: date, end: date) -> tuple[CorporateAction, ...]:
        """Return those with an ex-date from `start` to `end`, both included."""
        if start < self._first or end > self._last:
            return await self._provider.actions(start, end)
        if self._told is None:
            self._told = await self._provider.actions(self._first, self._last)
        return tuple(action for action in self._told if start <= action.ex_date <= end)


class KeptAnswersAndActions(KeptAnswers):
    """`KeptAnswers` of a provider that tells its corporate actions apart from its bars."""

    told_actions: ActionsOnce

    async def actions(self, start: date, end: date) -> tuple[CorporateAction, ...]:
        """Return the splits and dividends with an ex-date from `start` to `end`, both included."""
        return await self.told_actions.between(start, end)


def _of_symbols(result: FetchResult, symbols: Sequence[str]) -> FetchResult:
    """Return the part of an answer that is about `symbols`."""
    wanted = set(symbols)
    bars = result.bars[result.bars["symbol"].isin(wanted)].reset_index(drop=True)
    return replace(
        result,
        bars=bars,
        actions=tuple(action for action in result.actions if action.symbol in wanted),
        report=result.report.describing(bars),
        missing=tuple(gap for gap in result.missing if gap.symbol in wanted),
    )


def _joined(
    results: Sequence[FetchResult],
    failures: Mapping[str, ProviderError],
    name: str,
    sessions: SessionArray,
) -> FetchResult:
    """Return several answers about different symbols as one about `sessions`."""
    first, last = sessions[0].astype(object), sessions[-1].astype(object)
    frames = [_within(result.bars, sessions) for result in results]
    filled = [frame for frame in frames if len(frame)]
    bars = pd.concat(filled, ignore_index=True) if filled else empty_bars()
    bars = bars.sort_values(["symbol", "date"], ignore_index=True, kind="stable")
    actions = {
        action for result in results for action in result.actions if first <= action.ex_date <= last
    }
    lost = missing_bars(
        empty_bars(),
        sorted(failures),
        sessions,
        {symbol: str(error) for symbol, error in failures.items()},
        f"{name} failed",
        passing={symbol for symbol, error in failures.items() if not settled(error)},
        soon={symbol for symbol, error in failures.items() if may_pass(error)},
    )
    gaps = [gap for result in results for gap in result.missing if _meets(gap, first, last)]
    report = IngestReport(
        name,
        sum(result.report.rows_read for result in results),
        0,
        0,
        None,
        None,
        dropped=_summed(result.report.dropped for result in results),
    ).describing(bars)
    return FetchResult(
        bars,
        tuple(sorted(actions, key=lambda a: (a.ex_date, a.symbol, a.type, a.value or 0.0))),
        report,
        missing=tuple(sorted((*gaps, *lost), key=lambda gap: (gap.symbol, gap.first))),
    )


def _within(bars: pd.DataFrame, sessions: SessionArray) -> pd.DataFrame:
    days = bars["date"].to_numpy().astype("datetime64[D]")
    return bars[(days >= sessions[0]) & (days <= sessions[-1])]


def _meets(gap: MissingBars, first: date, last: date) -> bool:
    return gap.first <= last and gap.last >= first


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for count in counts:
        for reason, rows in count.items():
            total[reason] = total.get(reason, 0) + rows
    return total
