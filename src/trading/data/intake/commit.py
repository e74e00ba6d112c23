"""Store a session once, whoever else is at it and wherever this process is killed.

Before anything is stored, one answer is *chosen* for the next round of the session: a conditional
write of ``intake/chosen/<session>-<round>.part``. Who finds one there stores that one instead of
its own, so two fetches at once have one result, and whoever comes after a kill finishes what was
chosen without asking again. The record of the session closes the round.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date

from trading.data.intake.beside import owe, settle
from trading.data.intake.encoding import LENGTH, Answered
from trading.data.intake.judged import JudgedSession
from trading.data.intake.record import SessionRecord, read_record
from trading.data.lake import Lake
from trading.data.late_repairs import LateRepair
from trading.data.providers.base import FetchResult, MissingBars
from trading.data.quality import QualityVerdict
from trading.data.store.bars.base import BarStore
from trading.data.store.base import ObjectStore
from trading.errors import ConflictError, DataError, NotFoundError

CHOSEN = "intake/chosen/"


@dataclass(frozen=True)
class Place:
    """Where sessions are stored.

    Attributes
    ----------
    store, lake : the lake and its objects
    simulated : whether its market is invented
    beside : a store of bars that gets every served session too, None for the lake alone
    """

    store: ObjectStore
    lake: Lake
    simulated: bool
    beside: BarStore | None = None


def mend_older(place: Place, repairs: Sequence[LateRepair]) -> int:
    """Keep repairs of stored bars, or that they are undone; return how many are new."""
    days = sorted({repair.session for repair in repairs})
    if place.beside is not None:
        for day in days:
            owe(place.store, day)
    added = place.lake.add_repairs(repairs)
    if place.beside is not None:
        settle(place.store, place.beside, days)
    return added


def finish_chosen(place: Place) -> tuple[date, ...]:
    """Store what interrupted commits had chosen; return their sessions."""
    store = place.store
    if place.beside is not None:
        settle(store, place.beside)
    finished = []
    for key in list(store.keys(CHOSEN)):
        day, _, rounds = key.removeprefix(CHOSEN).removesuffix(".part").rpartition("-")
        session = date.fromisoformat(day)
        if read_record(store, session)[0].rounds > int(rounds):
            store.delete(key)
            continue
        try:
            chosen = _decoded(store.get(key).body, session)
        except NotFoundError:
            # Its writer is alive, and has finished.
            continue
        _store_chosen(place, *chosen)
        finished.append(session)
    return tuple(finished)


def commit_session(
    place: Place,
    judged: JudgedSession,
    *,
    rounds: int,
    whole: bool,
    through: date,
    by_symbol: bool,
    alerts: tuple[str, ...],
) -> SessionRecord:
    """Store a session's bars, actions, verdict and record; return the record as it then stands.

    `rounds`: of the session's record when it was asked; another's round since then is the result.
    `whole`: the bars are all that there is of the session; else they complete what is held.
    `by_symbol`: they were asked under the symbols of `through`, not under those of the session. A
    session that fails is quarantined, one that passes is served. What another writer chose in
    the meantime is stored instead.
    """
    store = place.store
    record, _ = read_record(store, judged.session)
    if record.rounds > rounds:
        return record
    after = _next_record(record, judged, whole, through, alerts)
    answer = Answered(None, judged.session, judged.session, through, judged.result, by_symbol)
    told = after.to_json()
    body = len(told).to_bytes(LENGTH, "big") + told + answer.to_bytes()
    key = _chosen_key(judged.session, record.rounds)
    try:
        store.put(key, body, if_absent=True)
    except ConflictError:
        try:
            after, answer = _decoded(store.get(key).body, judged.session)
        except NotFoundError:
            # The other writer has finished the round already.
            return read_record(store, judged.session)[0]
    now, _ = read_record(store, judged.session)
    if now.rounds > record.rounds:
        store.delete(key)
        return now
    return _store_chosen(place, after, answer)


def _store_chosen(place: Place, after: SessionRecord, answer: Answered) -> SessionRecord:
    store, lake = place.store, place.lake
    session, batches = after.session, after.batches
    if len(answer.result.bars):
        failed = after.verdict == QualityVerdict.FAIL.value
        manifest = lake.ingest(
            answer.result,
            simulated=place.simulated,
            adjusted_through=answer.through,
            present_symbols=answer.by_symbol,
            quarantined=after.reasons if failed else (),
        )
        batches = tuple(dict.fromkeys((*batches, manifest.id)))
        released = not failed and session in lake.quarantined()
        if released and place.beside is not None:
            owe(store, session)
        if failed:
            # Bars that came before are committed already: they are held back now.
            lake.quarantine(session, after.reasons)
        elif released:
            lake.release(session)
        if place.beside is not None:
            _store_beside(place.beside, answer, failed)
            if released:
                settle(store, place.beside, (session,))
    after = replace(after, batches=batches)
    record, tag = read_record(store, session)
    if record.rounds < after.rounds:
        try:
            store.put(after.key, after.to_json(), if_absent=tag is None, if_match=tag)
        except ConflictError:
            # Another writer of this round wrote the same, or the write's answer was lost.
            after = read_record(store, session)[0]
    store.delete(_chosen_key(session, after.rounds - 1))
    return after


def _store_beside(bars: BarStore, answer: Answered, failed: bool) -> None:
    """Keep a session in a second store; the round is open until that is done, so none is lost."""
    if failed:
        bars.withhold(answer.first)
    else:
        bars.store(answer.result.bars, adjusted_through=answer.through)
    if answer.result.actions:
        bars.store_actions(answer.result.actions, adjusted_through=answer.through)


def _next_record(
    record: SessionRecord,
    judged: JudgedSession,
    whole: bool,
    through: date,
    alerts: tuple[str, ...],
) -> SessionRecord:
    if whole:
        # What was told before is told anew: only the way here stays.
        record = SessionRecord(record.session, record.rounds, record.batches)
    sources = dict(record.sources)
    for source, bars in sources_of(judged.result).items():
        sources[source] = sources.get(source, 0) + bars
    return replace(
        record,
        rounds=record.rounds + 1,
        through=through,
        bars=record.bars + len(judged.result.bars),
        sources=sources,
        missing=_still_missing(record.missing, judged.result),
        verdict=judged.quality.verdict.value,
        reasons=judged.reasons,
        alerts=alerts,
        repairs=(*record.repairs, *(repair.to_dict() for repair in judged.repairs)),
        original_bars=(*record.original_bars, *judged.original_bars),
        disagreements=tuple(
            asdict(each) | {"session": each.session.isoformat()}
            for each in judged.result.disagreements
        ),
    )


def sources_of(result: FetchResult) -> dict[str, int]:
    """Return how many bars each provider gave, by the source of the close."""
    if result.provenance is None:
        return {result.report.source: len(result.bars)} if len(result.bars) else {}
    counts = result.provenance["source"].value_counts()
    return {str(name): int(bars) for name, bars in counts.items() if bars}


def _still_missing(before: tuple[MissingBars, ...], result: FetchResult) -> tuple[MissingBars, ...]:
    """Return the gaps now: those told now, and earlier ones of symbols not asked for now."""
    told = {gap.symbol for gap in result.missing} | set(result.bars["symbol"])
    kept = [gap for gap in before if gap.symbol not in told]
    return tuple(sorted((*kept, *result.missing), key=lambda gap: gap.symbol))


def _decoded(body: bytes, session: date) -> tuple[SessionRecord, Answered]:
    size = int.from_bytes(body[:LENGTH], "big")
    key = f"{CHOSEN}{session}"
    try:
        record = SessionRecord.from_json(body[LENGTH : LENGTH + size], key)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{key} is no chosen answer ({error}); delete it") from error
    return record, Answered.from_bytes(body[LENGTH + size :], key)


def _chosen_key(session: date, rounds: int) -> str:
    return f"{CHOSEN}{session}-{rounds}.part"
