"""A split arrives: the lake is told, and what could not be known the morning before is settled.

A session is fetched on the morning after it. When that morning is a split's ex-date, nobody knows
whether the vendor had already divided the session's prices. As soon as the split is told, the
symbol's bar of that session is asked again: by then every vendor has the split in it.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from trading.data.actions.symbols import SymbolMap
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
    # Renamed on the same day, a share is asked under the symbol of the session.
    known, as_of = lake.symbols(), sessions[0] + timedelta(days=1)
    if not chain.by_symbol:
        ahead, as_of = {_borne(known, symbol, sessions[0], before) for symbol in ahead}, after
    held = empty_bars()
    if ahead:
        held = lake.bars(sorted(ahead), before=after, start=before, as_of=as_of)
    doubtful = sorted(str(symbol) for symbol in held["symbol"].unique())
    if not doubtful:
        return ()
    try:
        anew = await chain.again(doubtful, before)
        lake.ingest(
            anew, simulated=False, adjusted_through=through, present_symbols=chain.by_symbol
        )
        lost = sorted({gap.symbol for gap in anew.missing})
        why = anew.missing[0].reason if lost else ""
    except DataError as error:
        lost, why = doubtful, str(error)
    return tuple(
        f"the bar of {symbol} on {before}, before its split of {sessions[0]}, could not be asked "
        f"again ({why}); it may stand on the old scale: fetch it again"
        for symbol in lost
    )


def _borne(known: SymbolMap, symbol: str, day: date, before: date) -> str:
    """Return the symbol that the share of `symbol` on `day` bore on the day `before`."""
    share = known.share(symbol, day)
    return (known.symbol(share, before) if share else None) or symbol


def _session_before(lake: Lake, session: date) -> date | None:
    held = lake.sessions()
    earlier = held[held < np.datetime64(session)]
    return earlier[-1].astype(object) if len(earlier) else None
