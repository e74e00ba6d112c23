"""Where the quality page of a session can be opened."""

from datetime import date
from pathlib import Path

from trading.cli.lake import LakeChoice
from trading.data.intake import IntakeResult
from trading.data.store import ObjectStore

# More sessions than this are not opened one by one; `trading data check` has a page of them all.
MOST_PAGES = 10


def page_key(session: date) -> str:
    """Return where the page of a session lies in the lake's store."""
    return f"data/{session:%Y/%m/%d}/quality.html"


def keep_pages(store: ObjectStore, done: IntakeResult, lake: LakeChoice) -> dict[date, str]:
    """Return where each session's page can be opened, for a few sessions.

    A page of the embedded cloud is copied below its home; that of a folder is where it is, and
    that of a bucket is named.
    """
    if len(done.outcomes) > MOST_PAGES:
        return {}
    places: dict[date, str] = {}
    for outcome in done.outcomes:
        key = page_key(outcome.session)
        if not store.exists(key):
            continue
        if lake.location is None:
            places[outcome.session] = str(_copied(store, key, outcome.session, lake))
        elif lake.folder is not None:
            places[outcome.session] = str((lake.folder / key).absolute())
        else:
            places[outcome.session] = f"{store.uri}/{key}"
    return places


def _copied(store: ObjectStore, key: str, session: date, lake: LakeChoice) -> Path:
    path = lake.home.of(lake.market) / "quality" / f"{session}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(store.get(key).body)
    return path
