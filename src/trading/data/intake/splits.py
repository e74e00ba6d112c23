"""A split arrives: the lake is told, and what could not be known the morning before is settled.

A session is fetched on the morning after it. When that morning is a split's ex-date, nobody knows
whether the vendor had already divided the session's prices. As soon as the split is told, the
symbol's bar of that session is asked again: by then every vendor has the split in it.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from trading.data.intake.chain import Chain
from trading.data.lake import Lake
from trading.errors import DataError
from trading.market.bars import CorporateAction, CorporateActionType, empty_bars


async def settle_splits(
    chain: Chain, lake: Lake, actions: Sequence[CorporateAction], sessions: Sequence[date]
) -> tuple[str, ...]:
    """Tell the lake the splits among `actions`, and ask the bars before their ex-dates again.

    Only splits on the first of `sessions` are in doubt: the bars of the others were asked now.
    Returns what the operator has to read: bars in doubt that could not be had again.
    """
    splits = [action for action in actions if action.type is CorporateActionType.SPLIT]
    if not splits:
        return ()
    through = chain.through
    lake.ingest_actions(splits, adjusted_through=through)
    before = _session_before(lake, sessions[0])
    if before is None:
        return ()
    ahead = {split.symbol for split in splits if before < split.ex_date <= sessions[0]}
    after = before + timedelta(days=1)
    held = lake.bars(sorted(ahead), before=after, start=before) if ahead else empty_bars()
    doubtful = sorted(str(symbol) for symbol in held["symbol"].unique())
    if not doubtful:
        return ()
    try:
        anew = await chain.again(doubtful, before)
        lake.ingest(anew, simulated=False, adjusted_through=through)
        lost = sorted({gap.symbol for gap in anew.missing})
        why = anew.missing[0].reason if lost else ""
    except DataError as error:
        lost, why = doubtful, str(error)
    return tuple(
        f"the bar of {symbol} on {before}, before its split of {sessions[0]}, could not be asked "
        f"again ({why}); it may stand on the old scale: fetch it again"
        for symbol in lost
    )


def _session_before(lake: Lake, session: date) -> date | None:
    held = lake.sessions()
    earlier = held[held < np.datetime64(session)]
    return earlier[-1].astype(object) if len(earlier) else None
