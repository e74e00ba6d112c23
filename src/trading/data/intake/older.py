"""What new bars prove about stored ones, found in what the pipeline mended of both."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from trading.data.lake import Lake
from trading.data.late_repairs import LateRepair, composed
from trading.data.pipeline import CleanData
from trading.data.repairs.record import Repair
from trading.market.bars import PRICE_COLUMNS

# A repair that moves these moves a whole bar to another level.
LEVELS = frozenset(PRICE_COLUMNS)
LEVEL_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Older:
    """What new bars prove about stored ones.

    Attributes
    ----------
    repairs : of bars on a wrong level
    told : the same in words, and what is proved otherwise and is not mended
    """

    repairs: tuple[LateRepair, ...] = ()
    told: tuple[str, ...] = ()

    def instead_of(self, doubtful: "Older") -> "Older":
        """Return this, and tell what only `doubtful`, of sessions that fail, would mend."""
        mended = {row.key for row in self.repairs}
        left = [row.symbol for row in doubtful.repairs if row.key not in mended]
        if not left:
            return self
        names = ", ".join(sorted(set(left)))
        why = (
            f"{len(left)} stored bar(s) of {names} are not mended: sessions that prove them wrong "
            "failed their own check"
        )
        return Older(self.repairs, (*self.told, why))


def prove_older(clean: CleanData, first: date, last: date, lake: Lake, through: date) -> Older:
    """Return what the new bars, from `first` to `last`, prove wrong about stored ones.

    `clean` is of both; the stored ones were read as of the morning after `through`.
    """
    # The stored bars were read with these repairs, and are mended from there.
    morning = through + timedelta(days=1)
    held = {row.key: row for row in lake.repairs(before=morning)}
    symbols = lake.symbols(before=morning)
    undone = lake.undone_repairs()
    found: list[LateRepair] = []
    told = []
    for repair in clean.repairs:
        if repair.first >= first:
            continue
        words = f"{repair.symbol} from {repair.first} to {min(repair.last, first)}"
        kind = repair.kind.value.replace("_", " ")
        name = symbols.name_on(last, repair.symbol, through)
        proved = [replace(r, symbol=name) for r in _late_repairs(clean, repair, first, last)]
        rows = [row for row in proved if row.key not in undone]
        if proved and not rows:
            continue
        found += [composed(row, held.get(row.key)) for row in rows]
        done = f"{len(rows)} bar(s) are served mended to who reads as of a day after {last}"
        otherwise = "fetch them again, or run `trading data check`"
        told.append(
            f"stored bars of {words} are wrong ({kind}): {repair.evidence}; "
            f"{done if rows else otherwise}"
        )
    return Older(tuple(found), tuple(told))


def _late_repairs(clean: CleanData, repair: Repair, first: date, last: date) -> list[LateRepair]:
    """Return the repairs of stored bars that one of the pipeline's comes to; [] where it is none.

    A wrong level is a factor on each bar; a wrong dividend is not.
    """
    if not set(repair.fields) >= LEVELS:
        return []
    was = clean.original_bars
    days = was["date"].dt.date
    mine = was[(was["symbol"] == repair.symbol) & (days >= repair.first) & (days < first)]
    mine = mine[mine["date"].dt.date <= repair.last]
    now = clean.bars[clean.bars["symbol"] == repair.symbol].set_index("date")["close"]
    found = []
    for stamp, close in zip(mine["date"], mine["close"], strict=True):
        ratio = float(now[stamp]) / float(close)
        scale = min((repair.factor, 1 / repair.factor), key=lambda f: abs(f / ratio - 1))
        if abs(scale / ratio - 1) > LEVEL_TOLERANCE:
            continue
        volume = 1 / scale if "volume" in repair.fields else 1.0
        row = (last, repair.symbol, stamp.date(), repair.kind.value, scale, volume)
        found.append(LateRepair(*row, repair.evidence))
    return found
