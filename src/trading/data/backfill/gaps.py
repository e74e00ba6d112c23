"""What is missing, told as runs: a symbol's neighbouring sessions with one reason are one gap."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby

from trading.data.providers.base import MissingBars


def joined_gaps(
    missing: Sequence[MissingBars], sessions: Sequence[date]
) -> tuple[MissingBars, ...]:
    """Return gaps of single sessions joined to runs, sorted by symbol and session.

    Gaps are joined when symbol, fields, reason and prospect are the same and no session of
    `sessions` (ascending) lies between them; what they miss in all stays the same.
    """
    place = {day: number for number, day in enumerate(sessions)}
    ordered = sorted(missing, key=lambda gap: (gap.symbol, gap.first, gap.fields))

    def alike(gap: MissingBars) -> tuple[str, tuple[str, ...], str, bool]:
        return gap.symbol, gap.fields, gap.reason, gap.may_pass

    joined: list[MissingBars] = []
    for _, group in groupby(ordered, key=alike):
        run: MissingBars | None = None
        for gap in group:
            next_to = (
                run is not None
                and run.last in place
                and gap.first in place
                and place[gap.first] == place[run.last] + 1
            )
            if run is not None and next_to:
                run = replace(run, last=gap.last, sessions=run.sessions + gap.sessions)
                continue
            joined += [run] if run is not None else []
            run = gap
        joined += [run] if run is not None else []
    return tuple(joined)
