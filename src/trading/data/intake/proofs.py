"""What new bars prove about stored ones counts once those bars are stored, and have passed.

Before they are stored, the proof is written down under ``intake/proved/``; it is struck out when
the older bars are mended. Who is killed in between leaves a note that the next run settles.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date

from trading.data.intake.commit import Place, mend_older
from trading.data.intake.record import read_record
from trading.data.late_repairs import LateRepair
from trading.data.quality import QualityVerdict
from trading.errors import DataError, NotFoundError

PROVED = "intake/proved/"


def note_proof(place: Place, rounds: Mapping[date, int], repairs: Sequence[LateRepair]) -> str:
    """Write down what sessions prove, with the rounds of their records so far; return the key."""
    key = f"{PROVED}{min(rounds)}_{max(rounds)}.json"
    told = {
        "rounds": {f"{day}": rounds[day] for day in sorted(rounds)},
        "repairs": [
            asdict(row) | {"known": f"{row.known}", "session": f"{row.session}"} for row in repairs
        ],
    }
    place.store.put(key, json.dumps(told, indent=1).encode())
    return key


def settle_proof(place: Place, key: str) -> bool:
    """Mend older bars if every session that proves them wrong was stored since, and passed.

    Returns whether that is so. Of sessions that were not stored nothing is lost: they are asked
    again, and prove it again.
    """
    try:
        rounds, repairs = _decoded(place.store.get(key).body, key)
    except NotFoundError:
        # Another run has settled it already.
        return True
    proved = all(_passed(place, day, before) for day, before in rounds.items())
    if proved:
        undone = place.lake.undone_repairs()
        mend_older(place, [row for row in repairs if row.key not in undone])
    place.store.delete(key)
    return proved


def settle_proofs(place: Place) -> None:
    """Settle what interrupted runs had written down."""
    for key in list(place.store.keys(PROVED)):
        settle_proof(place, key)


def _passed(place: Place, session: date, rounds: int) -> bool:
    record, _ = read_record(place.store, session)
    return record.rounds > rounds and record.verdict != QualityVerdict.FAIL.value


def _decoded(body: bytes, key: str) -> tuple[dict[date, int], list[LateRepair]]:
    try:
        told = json.loads(body)
        rounds = {date.fromisoformat(day): int(count) for day, count in told["rounds"].items()}
        repairs = [
            LateRepair(
                **row
                | {
                    "known": date.fromisoformat(row["known"]),
                    "session": date.fromisoformat(row["session"]),
                }
            )
            for row in told["repairs"]
        ]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{key} of the lake is no proof ({error}); delete it") from error
    return rounds, repairs
