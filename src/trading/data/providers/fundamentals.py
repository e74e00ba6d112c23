"""Fundamentals of several providers put together, field by field."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Final, Protocol, runtime_checkable

from trading.data.providers.vendor import FundamentalsResult
from trading.errors import ProviderError
from trading.market.bars import FundamentalData

FUNDAMENTAL_FIELDS: Final = tuple(
    each.name for each in fields(FundamentalData) if each.name not in ("symbol", "as_of")
)


@runtime_checkable
class FundamentalsProvider(Protocol):
    """A provider that tells fundamentals."""

    name: str

    async def fundamentals(self, symbols: Sequence[str]) -> FundamentalsResult:
        """Return the fundamentals that the service has now, and why the others are missing."""


@dataclass(frozen=True)
class CompletedFundamentals:
    """Fundamentals by symbol, with the source of every field.

    Attributes
    ----------
    data : what is known, by symbol
    sources : provider of each known field, by symbol and field
    missing : fields that no provider told, by symbol
    failures : what the providers said of the symbols that lack something, by symbol
    """

    data: dict[str, FundamentalData] = field(default_factory=dict)
    sources: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failures: dict[str, tuple[str, ...]] = field(default_factory=dict)


async def complete_fundamentals(
    providers: Sequence[object], symbols: Sequence[str]
) -> CompletedFundamentals:
    """Ask each provider in turn for the symbols of which some field is still unknown.

    The first provider to tell a field keeps it. Providers without fundamentals are passed over,
    and one that fails as a whole is passed over with its reason.
    """
    wanted = list(dict.fromkeys(symbols))
    held = CompletedFundamentals()
    lacking = dict.fromkeys(wanted, FUNDAMENTAL_FIELDS)
    told: dict[str, list[str]] = {}
    for provider in providers:
        if not isinstance(provider, FundamentalsProvider) or not lacking:
            continue
        try:
            result = await provider.fundamentals(list(lacking))
        except ProviderError as error:
            result = FundamentalsResult({}, dict.fromkeys(lacking, str(error)))
        for symbol, reason in result.failures.items():
            told.setdefault(symbol, []).append(reason)
        for symbol, found in result.data.items():
            lacking[symbol] = _fill(held, found, provider.name)
        lacking = {symbol: unknown for symbol, unknown in lacking.items() if unknown}
    held.missing.update(lacking)
    held.failures.update({symbol: tuple(told[symbol]) for symbol in lacking if symbol in told})
    return held


def _fill(held: CompletedFundamentals, found: FundamentalData, source: str) -> tuple[str, ...]:
    """Add what `found` knows and `held` does not; return what is still unknown."""
    known = held.data.get(found.symbol, FundamentalData(found.symbol, found.as_of))
    sources = held.sources.setdefault(found.symbol, {})
    for name in FUNDAMENTAL_FIELDS:
        value = getattr(found, name)
        if getattr(known, name) is None and value is not None:
            known = replace(known, **{name: value})
            sources[name] = source
    held.data[found.symbol] = known
    return tuple(name for name in FUNDAMENTAL_FIELDS if getattr(known, name) is None)
