"""Where the quality page of a session can be opened."""

from datetime import date
from pathlib import Path

from trading.cli.lake import LakeChoice
from trading.config import Settings
from trading.data.intake import IntakeResult, inspect_sessions, quality_page_key
from trading.data.intake.outcome import STORED
from trading.data.store import ObjectStore

# More sessions than this are not opened one by one; `trading data check` has a page of them all.
MOST_PAGES = 10


def write_pages(
    store: ObjectStore, done: IntakeResult, lake: LakeChoice, settings: Settings
) -> dict[date, str]:
    """Write a page for each session that was stored, when they are few; return where they are.

    A page of the embedded cloud is copied below its home; that of a folder is where it is, and
    that of a bucket is named.
    """
    stored = [outcome.session for outcome in done.outcomes if outcome.status in STORED]
    if len(stored) > MOST_PAGES:
        return {}
    inspect_sessions(store, stored, settings)
    places: dict[date, str] = {}
    for session in stored:
        key = quality_page_key(session)
        if lake.location is None:
            places[session] = str(_copied(store, key, session, lake))
        elif lake.folder is not None:
            places[session] = str((lake.folder / key).absolute())
        else:
            places[session] = f"{store.uri}/{key}"
    return places


def _copied(store: ObjectStore, key: str, session: date, lake: LakeChoice) -> Path:
    path = lake.home.of(lake.market) / "quality" / f"{session}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(store.get(key).body)
    return path
