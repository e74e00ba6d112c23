"""What a home belongs to: a session goes on with the strategies and rules that it began with."""

from collections.abc import Iterable
from typing import Any

from trading.backtest.engine import Sleeve
from trading.errors import SessionError
from trading.session.home import SessionHome
from trading.session.settings import SessionSettings
from trading.session.store import SessionStore

LONGEST = 300


def describe(
    sleeves: Iterable[Sleeve], settings: SessionSettings, symbols: tuple[str, ...]
) -> dict[str, Any]:
    """Return what must not change while a session lives, as plain JSON values."""
    return {
        "strategies": [
            {
                "id": one.strategy.strategy_id,
                "name": one.strategy.name,
                "version": one.strategy.version,
                "parameters": one.strategy.get_parameters(),
                "sizer": one.sizer.name,
                "sizer_parameters": one.sizer.parameters.model_dump(mode="json"),
                "fraction": one.fraction,
            }
            for one in sleeves
        ],
        "execution": settings.execution.model_dump(mode="json"),
        "risk": settings.risk.model_dump(mode="json"),
        "symbols": list(symbols),
    }


def require_same(home: SessionHome, store: SessionStore, now: dict[str, Any]) -> None:
    """Keep the description in a new home; raise `SessionError` where another one is kept."""
    before = store.fact("session", now)
    changed = [name for name in now if now[name] != before.get(name)]
    if changed:
        name = changed[0]
        raise SessionError(
            f"the home {home.path} belongs to a session with {name} {_short(before.get(name))}; "
            f"now it is {_short(now[name])}: run it as it was begun, or start anew in another home"
        )
    with store.change():
        store.keep_facts(version=store.version, session=now)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
